# SPDX-License-Identifier: MIT
"""Which pin of a part goes where, and what to buy, as the drivers' docstrings say it:

    Wiring: VIN 3.3 V; GND; SCL scl; SDA sda. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V).

The part's pins in the order in which they are printed on it, each with a voltage, a line of its
bus (board.json: scl, sda, tx, rx, pin, sck, ws, sd), GND, or words for what it is tied to, when
its own name is one word. GND alone is ground.
"""

import dataclasses
import re

from host_tools.errors import ToolError
from host_tools.provisioning.board_check import PINS
from host_tools.provisioning.driver_facts import DriverFacts

_VOLTAGE = re.compile(r"[\d.–]+ V")
_ENDS = re.compile(r"(.+) (scl|sda|tx|rx|pin|sck|ws|sd|GND|[\d.–]+ V)")
_ELECTRICIAN = "an electrician"
_FROM_BOARD = ("3.3 V", "5 V")


@dataclasses.dataclass(frozen=True)
class Wire:
    """One wire. kind: "power", "ground", "signal", or "note" for what does not go to the board."""

    part: str
    part_pin: str
    board_pin: str
    line: str
    kind: str


@dataclasses.dataclass(frozen=True)
class PartWiring:
    """Of one part. title: the first sentence of its driver; pins: (its pin, what it goes to);
    extras: what is needed beside it; mains: only an electrician may fit it."""

    title: str
    pins: list
    extras: list
    mains: bool


def part_wiring(part: str) -> PartWiring:
    """What the driver's docstring says; ToolError when it says nothing."""
    doc = DriverFacts(part).doc
    paragraph = next((p for p in doc.split("\n\n") if p.startswith("Wiring:")), None)
    if paragraph is None:
        raise ToolError(f"the driver of {part} says no wiring", "see node/drivers/README.md")
    text = " ".join(paragraph.split()).removeprefix("Wiring:").strip()
    text, _, extras = text.partition(". With: ")
    pins = []
    for item in text.rstrip(".").split(";"):
        ends = _ENDS.fullmatch(item.strip())
        name, _, goal = item.strip().partition(" ")
        pins.append((ends[1], ends[2]) if ends else (name, goal.strip() or "GND"))
    more = [item.strip() for item in extras.rstrip(".").split(";") if item.strip()]
    mains = _ELECTRICIAN in more
    more = [item for item in more if item != _ELECTRICIAN]
    sentence = " ".join(doc.split("\n\n")[0].split()).partition(". ")[0]
    return PartWiring(sentence.rstrip("."), pins, more, mains)


def once_per_bus(extra: str) -> bool:
    """Whether parts on one bus share this: its resistors, and nothing else."""
    return "resistor" in extra


def cautions(kit: dict) -> list[str]:
    """What must be known before a wire is touched."""
    return [f"{entry['part']}: mains voltage: an electrician fits it, with the mains off"
            for entry in kit["sensors"] if part_wiring(entry["part"]).mains]  # fmt: skip


def wires(kit: dict, board: dict) -> list[Wire]:
    """All wires, part by part."""
    found = []
    for entry in kit["sensors"]:
        bus = board["buses"][entry["bus"]]
        for pin, goal in part_wiring(entry["part"]).pins:
            found.append(_wire(entry, bus, pin, goal))
    return found


def _wire(entry: dict, bus: dict, pin: str, goal: str) -> Wire:
    part, lines = entry["part"], PINS[bus["kind"]]
    if goal == "GND":
        return Wire(part, pin, "GND", "", "ground")
    if goal in _FROM_BOARD:
        return Wire(part, pin, goal, "", "power")
    if goal in lines:
        return Wire(part, pin, f"GPIO {bus[goal]}", f"{entry['bus']} {goal}", "signal")
    return Wire(part, pin, goal, "", "power" if _VOLTAGE.fullmatch(goal) else "note")


def materials(kit: dict, board: dict) -> list[tuple[int, str]]:
    """[(count, what to buy)]: the board, the parts, and what they need beside."""
    bill = {f"board {board['board']}": 1}
    for entry in kit["sensors"]:
        wiring = part_wiring(entry["part"])
        if PINS[board["buses"][entry["bus"]]["kind"]]:  # else it is on the board
            bill[wiring.title] = bill.get(wiring.title, 0) + 1
        for extra in wiring.extras:
            count, _, what = extra.partition(" × ")
            if not (what and count.isdigit()):
                count, what = "1", extra
            if once_per_bus(extra):
                bill.setdefault((entry["bus"], what), int(count))
            else:
                bill[what] = bill.get(what, 0) + int(count)
    return [(count, what if isinstance(what, str) else what[1]) for what, count in bill.items()]
