# SPDX-License-Identifier: MIT
"""`lamppost boards check`: every kit on every board, or the ones that are named."""

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError


@click.command()
@click.option("--board", "boards", multiple=True, metavar="BOARD",
              help="Only this one: a name, or a path. May be given again.")  # fmt: skip
@click.option("--kit", "kits", multiple=True, metavar="KIT",
              help="Only this one: a name, or a path. May be given again.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(boards, kits, as_json):
    """Say which kits fit which boards: pins, peripherals, memory.

    What does not fit is named with its file, line and mend. Exit code 0: each kit fits a board,
    and each that was named fits each board that was named.

    \b
    lamppost boards check
    lamppost boards check --board esp32-c3-devkitm
    lamppost boards check --kit my/kit --board esp32-poe
    """
    from host_tools.provisioning.board_check import remarks
    from host_tools.provisioning.heap_need import heap_need_kib
    from host_tools.provisioning.kit import board_names, kit_names, load_board, load_kit

    loaded = {name: load_board(name) for name in boards or board_names()}
    rows = []
    for name in kits or kit_names():
        for board_name, board in loaded.items():
            row = {"kit": name, "board": board_name, "fits": True}
            try:
                kit = load_kit(name, board)
                row["heap_kib"] = heap_need_kib(kit.data)
                row["remarks"] = [f"{one.what}: {one.why}" for one in remarks(kit.data, board)]
            except ToolError as err:
                row.update(fits=False, why=err.message, mend=err.hint)
            rows.append(row)
    if as_json:
        console.result_json({"pairs": rows})
    else:
        _show(rows, list(loaded))
    return 0 if _is_well(rows, bool(boards and kits), bool(boards)) else 1


def _is_well(rows: list[dict], both_named: bool, boards_named: bool) -> bool:
    fitting = {row["kit"] for row in rows if row["fits"]}
    if both_named:
        return all(row["fits"] for row in rows)
    # Who names a board asks what fits it; a kit that fits none of all is broken.
    return boards_named or all(row["kit"] in fitting for row in rows)


def _show(rows: list[dict], boards: list[str]):
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("kit", no_wrap=True), *[Column(name, overflow="fold") for name in boards])
    by_kit = {}
    for row in rows:
        cell = f"{row['heap_kib']} KiB" if row["fits"] else "no"
        by_kit.setdefault(row["kit"], []).append(Text(cell, "green" if row["fits"] else "yellow"))
    for kit, cells in by_kit.items():
        table.add_row(kit, *cells)
    console.result(table)
    said = {}
    for row in rows:
        for words in [] if row["fits"] else [(row["why"], row["mend"])]:
            said.setdefault(words, []).append(row["board"])
    for (why, mend), names in said.items():
        console.result(Text(f"no: {', '.join(names)}: {why}\n    mend: {mend}"))
    if len(rows) == 1 and rows[0]["fits"]:
        for remark in rows[0]["remarks"]:
            console.result(Text("note: " + remark))
