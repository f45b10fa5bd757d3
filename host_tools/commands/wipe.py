# SPDX-License-Identifier: MIT
"""`lamppost wipe`: a board leaves service, and nothing of a node stays on it."""

import contextlib
from functools import partial
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.board_runs import each, ports_option, run_all
from host_tools.errors import ToolError


@click.command()
@ports_option
@click.option("--nodes", "folder", type=click.Path(path_type=Path), metavar="DIR",
              envvar="LAMPPOST_NODES", show_envvar=True,
              help="Prepared nodes: their bound.json says which node the board is.")  # fmt: skip
@click.option("--full", is_flag=True, help="Read all of the flash back, not what a node uses.")
@click.option("--baud", type=click.IntRange(9600, 2_000_000), default=460_800, metavar="N",
              help="Speed at which it is read back. Default 460800.")  # fmt: skip
@click.option("--manual", is_flag=True,
              help="The port has no DTR and RTS: you hold BOOT and press EN.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Erase without asking.")
@click.option("--dry-run", is_flag=True, help="Look, and erase nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def wipe(ports, folder, full, baud, manual, yes, dry_run, as_json):
    """Erase boards that leave service, and prove it by reading them back.

    Their whole flash goes: MicroPython, firmware, keys, Wi-Fi, and what a node has not delivered.
    Read back are the table, keys, code and data; with --full, and where there is no node's table,
    everything. Cable out? Run the same command again. Then have the node revoked: lamppost vault
    revoke node ID. Exit code 0: every board is erased, and was read so.

    \b
    lamppost wipe --port /dev/ttyUSB0 --nodes prepared
    lamppost wipe --port /dev/ttyUSB0 --port /dev/ttyUSB1 --full --yes
    """
    from host_tools.core_dumps import forbid_core_dumps
    from host_tools.flashing.flash_log import FlashLog
    from host_tools.flashing.ports import choose_port
    from host_tools.flashing.prepared_nodes import PreparedNodes
    from host_tools.flashing.wipe_board import WipeBoard, WipePlan

    if not (yes or dry_run or console.can_ask()):
        raise click.UsageError("this erases boards for good: give --yes, or --dry-run to look")
    node_of = PreparedNodes(folder).node_of if folder else lambda mac: None
    forbid_core_dumps()  # keys are in what is read back until it is proved
    plan = WipePlan(node_of, baud, manual, full)
    with FlashLog("wipe", console.note) as log:
        runs = [WipeBoard(port, plan) for port in ports or (choose_port(),)]
        with _shown(runs, as_json):
            each(runs, WipeBoard.look)
        if not dry_run and (yes or _is_agreed(runs)):
            with _shown(runs, as_json):
                run_all(runs, log)
    results = [run.result for run in runs]
    if as_json:
        console.result_json({"boards": results})
    else:
        _tell(results)
    good = "looked at" if dry_run else "wiped"
    return 0 if all(result["state"] == good for result in results) else 1


@contextlib.contextmanager
def _shown(runs: list, as_json: bool):
    with console.progress(not as_json) as show:
        for run in runs:
            run.show = partial(show, run.port)
        yield


def _is_agreed(runs: list) -> bool:
    found = [run.result for run in runs if run.result["state"] == "looked at"]
    for result in found:
        console.note(f"{result['port']}: {result['chip']}, MAC {result['mac']}: {_what(result)}")
    return bool(found) and console.ask_yes("Erase all that is on these boards, for good?")


def _what(result: dict) -> str:
    return f"node {result['node']}" if result.get("node") else result.get("holds", "")


def _tell(results: list[dict]):
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("port", "board", "was", "state", "read back as erased"):
        table.add_column(name, overflow="fold")
    for result in results:
        told = [result["port"], result.get("mac", ""), _what(result), result["state"]]
        proved = ", ".join(place["name"] for place in result["proved"])
        table.add_row(*map(Text, told), Text(proved))
    console.result(table)
    for result in results:
        if "error" in result:
            console.complain(ToolError(result["error"], result["hint"]))
        elif result["state"] == "wiped" and result["holds"] == "a node":
            node_id = result["node"] or "ID"
            console.note(
                f"{result['port']}: its keys still open what the city takes from it, "
                f"until: lamppost vault revoke node {node_id}"
            )
