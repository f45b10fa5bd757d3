# SPDX-License-Identifier: MIT
"""`lamppost flash`: a bare board becomes a node."""

from functools import partial
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.board_runs import check_chip, ports_option, run_all
from host_tools.commands.node_source import node_source, node_source_options
from host_tools.commands.verify_source import verify_flashed_options
from host_tools.errors import ToolError

GOOD = ("done", "written", "dry run")
_path = click.Path(path_type=Path)


@click.command()
@click.option("--board", "board_name", required=True, metavar="BOARD",
              help="A board's name, or the path of its folder: boards/README.md.")  # fmt: skip
@click.option("--kit", metavar="KIT", help="Take a prepared node with this kit. Default: any.")
@ports_option
@node_source_options
@click.option("--firmware", type=_path, required=True, metavar="FILE",
              envvar="LAMPPOST_FIRMWARE", show_envvar=True,
              help="MicroPython's .bin for the chip, from micropython.org/download.")  # fmt: skip
@click.option("--sha256", metavar="HEX", help="What the SHA-256 of --firmware must be.")
@click.option("--wifi-file", type=_path, metavar="FILE",
              help="Name and password of the Wi-Fi, two lines; - for stdin. Default: "
                   "LAMPPOST_WIFI_SSID and LAMPPOST_WIFI_PASSWORD, else it asks.")  # fmt: skip
@click.option("--baud", type=click.IntRange(9600, 2_000_000), default=460_800, metavar="N",
              help="Speed of the write. Default 460800.")  # fmt: skip
@click.option("--manual", is_flag=True,
              help="The port has no DTR and RTS: you hold BOOT and press EN.")  # fmt: skip
@click.option("--anew", is_flag=True,
              help="Make a node of what is a node already: its keys and data go. It asks; off a "
                   "terminal it wants --yes.")  # fmt: skip
@click.option("--yes", "again", is_flag=True,
              help="A board that was a node before, whole, and is blank (or made --anew) gets its "
                   "keys again. Another one with its MAC would get them, too; of a ticket the "
                   "office sees it.")  # fmt: skip
@click.option("--wait", "wait_s", type=click.FloatRange(0, 86_400), metavar="SECONDS",
              help="Limit for the self-test; 0: none. Default: as the kit needs.")  # fmt: skip
@verify_flashed_options
@click.option("--dry-run", is_flag=True, help="Look and check all, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def flash(
    board_name, kit, ports, firmware, sha256, wifi_file, as_json, baud, manual, anew, again,
    wait_s, dry_run, first_records, **source,
):  # fmt: skip
    """Turn bare boards into nodes: MicroPython, firmware, keys, then the node's own self-test.

    Cable out, battery empty? Run the same command again: it goes on where it stopped. A board that
    is a node already gets what is new, and keeps its keys and its data. Exit code 0: every board
    is a node whose sensors, Wi-Fi, time and TLS work; with --verify, of each of which a record was
    opened.

    \b
    lamppost flash --board esp32-devkitc --kit air --nodes prepared \\
        --firmware ESP32_GENERIC-v1.26.1.bin --port /dev/ttyUSB0
    lamppost flash --board esp32-devkitc --ticket anna-1.tickets \\
        --technician anna.technician --key-file /media/usb/anna.key \\
        --firmware ESP32_GENERIC-v1.26.1.bin \\
        --verify --broker broker.city.example:8883 --tls-dir tls --name anna-2
    """
    from host_tools.flashing.esp_image import read_image
    from host_tools.flashing.flash_board import FlashBoard, Plan
    from host_tools.flashing.flash_log import FlashLog
    from host_tools.flashing.ports import choose_port
    from host_tools.flashing.wifi_credentials import wifi_credentials
    from host_tools.provisioning.kit import load_board

    options = {"baud": baud, "manual": manual, "anew": anew, "again": again,
               "wait_s": wait_s, "dry_run": dry_run}  # fmt: skip
    ends = again or dry_run or not anew or _is_agreed()
    if not ends and console.can_ask():
        return 1
    options["ends"] = ends
    with FlashLog("flash", console.note, board=Path(board_name).name) as log:
        board = load_board(board_name)
        image = read_image(firmware, sha256)
        check_chip(image, str(firmware), board)
        ports = ports or (choose_port(),)
        wifi = log.secrets = wifi_credentials(wifi_file)
        with first_records(as_json) as records:
            with node_source(kit and Path(kit).name, dry_run, **source) as nodes:
                plan = Plan(board, image, records.watched(nodes), wifi, **options)
                with console.progress(not as_json) as show:
                    runs = [FlashBoard(port, plan, partial(show, port)) for port in ports]
                    results = run_all(runs, log)
            records.wait_for(results)
    if as_json:
        told = {"version": ".".join(map(str, image.version)), "sha256": image.sha256}
        console.result_json({"boards": results, "image": told, "log": str(log.path)})
    else:
        tell(results)
        console.result(f"SHA-256 of {firmware}: {image.sha256}")
        records.show()
    good = all(result["state"] in GOOD for result in results)
    return 0 if good and records.are_opened() else 1


def _is_agreed() -> bool:
    """Off a terminal nobody is asked: then a board that is a node is refused, and named."""
    return console.can_ask() and console.ask_yes(
        "Of boards that are nodes, the keys and what they have not delivered go for good. Go on?"
    )


def tell(results: list[dict]):
    """A row for each board, under it what its node found of itself; at the end what went wrong."""
    keys = ("port", "mac", "node", "kit", "state")
    rows = [[str(result.get(key, "")) for key in keys] for result in results]
    head = ["port", "board", "node", "kit", "state"]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    console.result(_line(head, widths))
    for row, result in zip(rows, results, strict=True):
        console.result(_line(row, widths))
        for check in _checks(result):
            console.result(f"  {check}")
    for result in results:
        if "error" in result:
            console.complain(ToolError(result["error"], result["hint"]))


def _line(row: list[str], widths: list[int]) -> str:
    return "  ".join(map(str.ljust, row, widths)).rstrip()


def _checks(result: dict) -> list[str]:
    """What a node found of itself: first what is not well."""
    if "self_test" not in result:
        return []
    checks = result["self_test"]["checks"]
    lines = [
        f"{name}: {check['hint'] or check['state']}"
        for name, check in checks.items()
        if check["state"] != "ok"
    ]
    good = [name for name, check in checks.items() if check["state"] == "ok"]
    return lines + ([f"{', '.join(good)}: ok"] if good else [])
