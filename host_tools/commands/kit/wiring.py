# SPDX-License-Identifier: MIT
"""`lamppost kit wiring`: a drawing, a table of pins, and what to buy."""

from pathlib import Path

import rich_click as click

from host_tools import console


@click.command()
@click.argument("kit")
@click.option("--board", default="esp32-devkitc", metavar="BOARD",
              help="A board: name, or path. Default: esp32-devkitc.")  # fmt: skip
@click.option("-o", "--output", "target", metavar="OUT", type=click.Path(path_type=Path),
              help="The drawing: KIT-BOARD.svg.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def wiring(kit, board, target, as_json):
    """Draw how KIT is wired to a board, list its pins, and what to buy.

    KIT is a name, or the path of a folder with a kit.json. The drawing is an SVG, which prints.

    \b
    lamppost kit wiring air
    lamppost kit wiring energy --board esp32-poe -o wiring.svg
    """
    from host_tools.provisioning.board_check import remarks
    from host_tools.provisioning.kit import load_board, load_kit
    from host_tools.provisioning.wiring import cautions, materials, wires
    from host_tools.provisioning.wiring_svg import drawing
    from host_tools.public_file import check_target, write_public

    profile = load_board(board)
    loaded = load_kit(kit, profile)
    target = target or Path(f"{loaded.name}-{profile['board']}.svg")
    check_target(target, ".svg", {})
    found = wires(loaded.data, profile)
    notes = cautions(loaded.data)
    notes += [f"{one.what}: {one.why}" for one in remarks(loaded.data, profile)]
    bill = materials(loaded.data, profile)
    write_public(target, drawing(loaded.data, profile, found, notes).encode())
    if as_json:
        console.result_json({
            "kit": loaded.name, "board": profile["board"], "drawing": str(target),
            "wires": [vars(wire) for wire in found], "notes": notes,
            "materials": [{"count": count, "what": what} for count, what in bill],
        })  # fmt: skip
        return
    _show(found, notes, bill)
    console.note(f"drawn: {target}")


def _show(found: list, notes: list[str], bill: list[tuple[int, str]]):
    from rich.table import Table
    from rich.text import Text

    pins = Table("board", "bus", "part", "its pin")
    for wire in found:
        pins.add_row(wire.board_pin, wire.line, wire.part, wire.part_pin)
    console.result(pins)
    for note in notes:
        console.result(Text("note: " + note))
    buy = Table("count", "what to buy")
    for count, what in bill:
        buy.add_row(str(count), what)
    console.result(buy)
