# SPDX-License-Identifier: MIT
"""Whether a board is what its chip can be, and whether a kit fits it: pins, units, memory."""

import dataclasses
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.provisioning.checked import Table
from host_tools.provisioning.chip_facts import CHIPS, Chip
from host_tools.provisioning.heap_need import heap_need_kib
from host_tools.provisioning.json_lines import JsonLines

# kind of bus: its pins; those that the board drives
PINS = {
    "i2c": ("scl", "sda"), "uart": ("tx", "rx"), "counter": ("pin",), "input": ("pin",),
    "adc": ("pin",), "onewire": ("pin",), "i2s": ("sck", "ws", "sd"), "ble": (),
}  # fmt: skip
_DRIVEN = {"scl", "sda", "tx", "sck", "ws"}
_FREQUENCY_HZ = (10_000, 400_000)


@dataclasses.dataclass(frozen=True)
class Remark:
    """What works, but is to be known."""

    what: str
    why: str


def check_board(path: Path, data, lines: JsonLines) -> dict:
    """The content of a board.json; ToolError names the line of what its chip cannot do."""
    keys = ("board", "chip", "flash_kib", "native", "taken", "buses")
    table = Table(f"{path}: the board", data, keys, lines.of())
    table.take_name("board")
    chip = CHIPS[table.take_known("chip", CHIPS)]
    table.take_int("flash_kib", 4096, 32_768)
    if table.take("native", str, chip.native) != chip.native:
        raise table.wrong(f"has native = {data['native']!r}", f"this chip runs {chip.native!r}")
    taken = {}
    for what, pins in table.take("taken", dict, {}).items():
        for pin in table.expect(what, pins, list):
            taken[table.expect(f"each of {what}", pin, int)] = what
    for name, bus in table.take("buses", dict).items():
        place = f"{path}: bus {table.expect_name('a bus', name)}"
        _check_bus(Table(place, bus, _keys(bus), lines.of("buses", name)), chip, taken)
    return data


def _keys(bus) -> tuple:
    kind = bus.get("kind") if isinstance(bus, dict) else None
    every = {pin for pins in PINS.values() for pin in pins}  # an unknown kind is told first
    known = PINS[kind] if isinstance(kind, str) and kind in PINS else sorted(every)
    return ("kind", "id", "frequency_hz", "divider", *known)


def _check_bus(table: Table, chip: Chip, taken: dict):
    kind = table.take_known("kind", PINS)
    for key in PINS[kind]:
        pin = table.take_int(key, 0, 48)
        if pin in chip.console:
            raise table.wrong(f"has {key} = {pin}, which is the serial port's", "take another pin")
        if pin not in chip.gpio:
            mend = "this chip brings out " + _spans(chip.gpio - chip.console)
            raise table.wrong(f"has {key} = {pin}, a pin that the board lacks", mend)
        if pin in taken:
            mend = "take another pin"
            raise table.wrong(f"has {key} = {pin}, which is taken by the {taken[pin]}", mend)
        if pin in chip.input_only and (key in _DRIVEN or kind == "onewire"):
            mend = "take a pin with an output"
            raise table.wrong(f"has {key} = {pin}, which can only be an input", mend)
        if kind == "adc" and pin not in chip.adc:
            mend = "beside Wi-Fi there is ADC1 only: " + _spans(chip.adc)
            raise table.wrong(f"has {key} = {pin}, which cannot measure", mend)
    if kind in chip.units:
        unit = table.take_int("id", 0, 15)
        if unit not in chip.units[kind]:
            units = ", ".join(map(str, chip.units[kind])) or "none"
            raise table.wrong(f"has id = {unit}, a {kind} that the chip lacks", f"it has {units}")
    if kind == "i2c":
        table.take_int("frequency_hz", *_FREQUENCY_HZ)
    if kind == "adc":
        divider = table.take_list("divider", int)
        if len(divider) != 2 or not 0 < divider[1] <= divider[0]:
            mend = "two numbers: R1 + R2 and R2, of a divider whose R2 is to ground: [253, 33]"
            raise table.wrong(f"has divider = {divider}", mend)


def check_fit(path: Path, kit: dict, board: dict):
    """ToolError when two buses of the kit want one pin, or the kit needs more memory than the
    board has. The rest is checked sensor by sensor: kit.py."""
    seen = {}
    for name in dict.fromkeys(entry["bus"] for entry in kit["sensors"]):
        bus = board["buses"][name]
        if "id" in bus:
            other = seen.setdefault((bus["kind"], bus["id"]), name)
            if other != name:
                what = f"{path}: {other} and {name} share {bus['kind']} {bus['id']}"
                mend = f"use one of them, or another board than {board['board']}"
                raise ToolError(what, mend)
        for key in PINS[bus["kind"]]:
            other = seen.setdefault(bus[key], name)
            if other != name:
                what = f"{path}: {other} and {name} share pin {bus[key]} on {board['board']}"
                raise ToolError(what, "use one of them, or another board")
    need_kib, has_kib = heap_need_kib(kit), CHIPS[board["chip"]].heap_kib
    if need_kib > has_kib:
        what = f"{path}: needs {need_kib} KiB of heap, {board['board']} has {has_kib}"
        raise ToolError(what, "spread the sensors over two nodes")


def remarks(kit: dict, board: dict) -> list[Remark]:
    """What is to be known of a kit on a board that it fits."""
    chip, found = CHIPS[board["chip"]], []
    used = dict.fromkeys(entry["bus"] for entry in kit["sensors"])
    pins = {board["buses"][name][key]: name
            for name in used for key in PINS[board["buses"][name]["kind"]]}  # fmt: skip
    for pin in sorted(set(pins) & chip.strapping):
        why = "what is wired there must not hold it at reset, or the chip does not start"
        found.append(Remark(f"{pins[pin]}: GPIO {pin} is a strapping pin", why))
    kinds = {board["buses"][name]["kind"] for name in used}
    if "counter" in kinds:
        found.append(Remark("needs MicroPython 1.26 or later", "esp32.PCNT is new in it"))
    weak = [p for p in sorted(set(pins) & chip.input_only)
            if board["buses"][pins[p]]["kind"] in ("counter", "input")]  # fmt: skip
    for pin in weak:
        why = "add 10 kΩ to 3.3 V outside"
        found.append(Remark(f"{pins[pin]}: GPIO {pin} has no pull-up of its own", why))
    return found


def _spans(pins) -> str:
    """Such as "0–5, 12"."""
    found = []
    for pin in sorted(pins):
        if found and found[-1][1] == pin - 1:
            found[-1][1] = pin
        else:
            found.append([pin, pin])
    return ", ".join(f"{a}–{b}" if a < b else f"{a}" for a, b in found)
