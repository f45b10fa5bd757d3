# SPDX-License-Identifier: MIT
"""`lamppost sim board`: a board at the end of a serial line, for esptool and mpremote."""

import contextlib
import re
import tempfile
from pathlib import Path

import rich_click as click

from host_tools import console

_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


def _broker(context, parameter, text):
    from host_tools.collector.broker_address import parse_address

    return None if text is None else parse_address(text)


def _mac(context, parameter, text):
    """6 bytes, or None."""
    if text is None:
        return None
    mac = bytes.fromhex(text.replace(":", "")) if _MAC.fullmatch(text) else b"\x01"
    if mac[0] & 1:  # of a group
        raise click.BadParameter("not a board's address: 12 hex digits such as 02:4c:50:00:00:02")
    return mac


@click.command()
@click.option("--rfc2217", "port", type=click.IntRange(0, 65_535), metavar="PORT",
              help="Its serial port on a TCP port of 127.0.0.1; 0: any free one.")  # fmt: skip
@click.option("--pty", is_flag=True, help="Its serial port as a pseudo-terminal, without reset.")
@click.option("--board", "name", default="esp32-devkitc", metavar="BOARD",
              help="A board, or a path. Default esp32-devkitc.")  # fmt: skip
@click.option("--flash", type=click.Path(path_type=Path), metavar="FILE",
              help="Its flash; made, erased, if it is not there. Default: temporary.")  # fmt: skip
@click.option("--mac", callback=_mac, metavar="AA:BB:CC:DD:EE:FF",
              help="What tells it from another. Default 02:4c:50:00:00:01.")  # fmt: skip
@click.option("--broker", callback=_broker, metavar="HOST:PORT",
              help="Where the node's broker is reached. Default: nowhere.")  # fmt: skip
@click.option("--speed", type=click.FloatRange(0.1, 1000), default=1.0, metavar="N",
              help="Simulated time runs N times real time. Default 1.")  # fmt: skip
@click.option("--pace", is_flag=True, help="Bytes take the time that the baud rate gives them.")
@click.option("--run", is_flag=True, help="With --pty: boot at once; do not wait for download.")
@click.option("--fault", "faults", multiple=True, metavar="NAME[=N]",
              help="What goes wrong: see --faults. Again for more.")  # fmt: skip
@click.option("--faults", "listed", is_flag=True, help="The faults that there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the start.")
def board(port, pty, name, flash, mac, broker, speed, pace, run, faults, listed, as_json):
    """A board at the end of a serial line, until Ctrl-C.

    \b
    lamppost sim board --rfc2217 4000
    esptool --port rfc2217://127.0.0.1:4000 write-flash 0x0 flash.bin
    mpremote connect rfc2217://127.0.0.1:4000 exec "print(1)"
    """
    from simulator.serial_board.faults import KINDS, Faults

    if listed:
        return _list(KINDS, as_json)
    if (port is None) == (not pty):
        raise click.UsageError("name one of --rfc2217 PORT and --pty")
    if run and not pty:
        raise click.UsageError("--run is for --pty: with --rfc2217 DTR and RTS say what it does")
    chosen = Faults.parse(faults)
    from simulator.serial_board.serve import serve

    with contextlib.ExitStack() as stack:
        if flash is None:
            temporary = tempfile.TemporaryDirectory(prefix="lamppost-")
            flash = Path(stack.enter_context(temporary)) / "flash.bin"
        with contextlib.suppress(KeyboardInterrupt):
            serve(
                name, flash, port, chosen, mac=mac, broker=broker, speed=speed, pace=pace,
                download=pty and not run,
                ready=lambda address, chip: _ready(address, chip, flash, as_json),
                tell=console.note,
            )  # fmt: skip
    return 0


def _ready(address: str, chip: str, flash: Path, as_json: bool):
    if as_json:
        console.result_json({"port": address, "chip": chip, "flash": str(flash)})
    else:
        console.result(address)
    console.note(f"{chip} on {address}; Ctrl-C ends it")


def _list(kinds: dict, as_json: bool) -> int:
    if as_json:
        console.result_json({name: words for name, (_, words) in kinds.items()})
        return 0
    for name, (numbered, words) in kinds.items():
        console.result(f"{name + '=N' * numbered:18}{words}")
    return 0
