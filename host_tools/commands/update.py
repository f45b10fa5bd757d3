# SPDX-License-Identifier: MIT
"""`lamppost update`: nodes get new firmware by USB, and stay what they are."""

from functools import partial
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.board_runs import check_chip, ports_option, run_all
from host_tools.commands.flash import GOOD, tell

_path = click.Path(path_type=Path)


@click.command()
@click.option("--firmware-only", is_flag=True,
              help="Nothing but firmware. Needed: there is no other update so far.")  # fmt: skip
@click.option("--board", "board_name", required=True, metavar="BOARD",
              help="A board's name, or the path of its folder: boards/README.md.")  # fmt: skip
@ports_option
@click.option("--firmware", type=_path, metavar="FILE",
              help="MicroPython anew, too: its .bin from micropython.org/download.")  # fmt: skip
@click.option("--sha256", metavar="HEX", help="What the SHA-256 of --firmware must be.")
@click.option("--baud", type=click.IntRange(9600, 2_000_000), default=460_800, metavar="N",
              help="Speed of reading and writing. Default 460800.")  # fmt: skip
@click.option("--manual", is_flag=True,
              help="The port has no DTR and RTS: you hold BOOT and press EN.")  # fmt: skip
@click.option("--wait", "wait_s", type=click.FloatRange(0, 86_400), metavar="SECONDS",
              help="Limit for the self-test; 0: none. Default: as the kit needs.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Read and check all, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def update(
    firmware_only, board_name, ports, firmware, sha256, baud, manual, wait_s, dry_run, as_json
):
    """Give nodes the firmware of this installation, by USB; then their own self-test.

    Keys, data and configuration stay on the board as they are: no ticket is needed, and nothing
    of them gets on this computer's disk. Cable out? Run the same command again: it goes on where
    it stopped. Exit code 0: every node runs the new firmware, and all of it works.

    \b
    lamppost update --firmware-only --board esp32-devkitc --port /dev/ttyUSB0
    lamppost update --firmware-only --board esp32-devkitc \\
        --firmware ESP32_GENERIC-v1.27.0.bin --port /dev/ttyUSB0
    """
    from host_tools.core_dumps import forbid_core_dumps
    from host_tools.flashing.esp_image import read_image
    from host_tools.flashing.firmware_update import FirmwareUpdate, UpdatePlan
    from host_tools.flashing.flash_log import FlashLog
    from host_tools.flashing.ports import choose_port
    from host_tools.provisioning.kit import load_board

    if not firmware_only:
        raise click.UsageError(
            "give --firmware-only; to change keys or configuration: lamppost flash"
        )
    if sha256 and not firmware:
        raise click.UsageError("--sha256 is that of --firmware FILE")
    forbid_core_dumps()  # the node's certificate is read back, with its key
    with FlashLog("update", console.note, board=Path(board_name).name) as log:
        board, image = load_board(board_name), None
        if firmware:
            image = read_image(firmware, sha256)
            check_chip(image, str(firmware), board)
        ports = ports or (choose_port(),)
        plan = UpdatePlan(board, image, baud, manual, dry_run, wait_s)
        with console.progress(not as_json) as show:
            runs = [FirmwareUpdate(port, plan, partial(show, port)) for port in ports]
            results = run_all(runs, log)
    if as_json:
        console.result_json({"boards": results, "log": str(log.path)})
    else:
        tell(results)
        for result in results:
            if result.get("removed"):
                names = [" ".join(name.split()) for name in result["removed"]]
                told = f"{result['port']}: no part of a node, and removed: "
                console.note(told + ", ".join(names))
    return 0 if all(result["state"] in GOOD for result in results) else 1
