# SPDX-License-Identifier: MIT
"""The wiring that drivers tell: whole, drawn, listed, and what to buy for it."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from host_tools.cli import run
from host_tools.provisioning.board_check import PINS
from host_tools.provisioning.driver_facts import DriverFacts
from host_tools.provisioning.kit import board_names, kit_names, load_board, load_kit
from host_tools.provisioning.wiring import cautions, materials, part_wiring, wires
from host_tools.provisioning.wiring_svg import drawing
from node.drivers.registry import PARTS

SVG = "{http://www.w3.org/2000/svg}"
# Lines that a part may do without: it only listens, or only speaks.
SPARE = {"tx", "rx"}


@pytest.mark.parametrize("part", PARTS)
def test_each_driver_tells_its_wiring(part):
    told = part_wiring(part)
    goals = [goal for _, goal in told.pins]
    lines = set(PINS[DriverFacts(part).bus])
    assert lines - SPARE <= set(goals), "a line of its bus goes nowhere"
    assert not lines or lines & set(goals)
    assert set(goals) & {"scl", "sda", "tx", "rx", "pin", "sck", "ws", "sd"} <= lines
    assert told.title and len(told.title) < 120


@pytest.mark.parametrize("kit", kit_names())
def test_each_kit_is_drawn(kit):
    board = load_board("esp32-devkitc")
    data = load_kit(kit, board).data
    found = wires(data, board)
    tree = ElementTree.fromstring(drawing(data, board, found, ["a note & more"]))
    texts = [element.text for element in tree.iter(f"{SVG}text")]
    for wire in found:
        assert wire.part_pin in texts
        assert any(wire.board_pin in text for text in texts)
    drawn = list(tree.iter(f"{SVG}path"))
    assert len(drawn) == sum(wire.board_pin.startswith(("GPIO", "GND", "3.3 V", "5 V"))
                             for wire in found)  # fmt: skip
    assert "• a note & more" in texts


def test_the_wires_of_the_air_kit():
    board = load_board("esp32-devkitc")
    found = {(w.part, w.part_pin): w.board_pin for w in wires(load_kit("air").data, board)}
    assert found["bme280", "SCL"] == "GPIO 22" and found["scd41", "SDA"] == "GPIO 21"
    assert found["pms5003", "RX"] == "GPIO 17" and found["pms5003", "TX"] == "GPIO 16"
    assert found["pms5003", "VCC"] == "5 V"


def test_what_a_bus_needs_once_is_bought_once():
    board = load_board("esp32-devkitc")
    bill = materials(load_kit("air").data, board)
    assert [count for count, what in bill if "4.7 kΩ" in what] == [2]
    assert (1, "board esp32-devkitc") in bill


def test_what_each_part_needs_is_bought_for_each():
    bill = {what: count for count, what in materials(*_kit_on_board("water"))}
    assert bill["isolation board for EZO circuits and its probe"] == 3
    assert [count for what, count in bill.items() if "SCL and SDA" in what] == [2]


def test_what_is_on_the_board_is_not_bought():
    assert materials(*_kit_on_board("crowd")) == [(1, "board esp32-devkitc")]


def test_mains_are_a_warning_and_an_electrician_no_goods():
    data, board = _kit_on_board("energy")
    assert any("pzem004t" in text and "mains" in text for text in cautions(data))
    assert not any("electrician" in what for _, what in materials(data, board))
    assert cautions(_kit_on_board("air")[0]) == []


def test_a_battery_goes_to_the_pin_by_its_divider_alone():
    for part in ("battery", "solar"):
        pins = dict(part_wiring(part).pins)
        assert pins["between R1 and R2"] == "pin" and pins["+"].startswith("R1")


def test_the_pins_of_an_ezo_circuit_are_those_of_its_data_sheet():
    for part in ("ezo_ph", "ezo_do", "ezo_ec"):
        pins = dict(part_wiring(part).pins)
        assert pins["SDA (TX)"] == "sda" and pins["SCL (RX)"] == "scl"


def _kit_on_board(kit):
    board = load_board("esp32-devkitc")
    return load_kit(kit, board).data, board


def test_the_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for board in board_names():
        assert run(["kit", "wiring", "air", "--board", board]) == 0
        assert (tmp_path / f"air-{board}.svg").is_file()
    assert "GPIO 22" in capsys.readouterr().out
    assert run(["kit", "wiring", "air", "--json", "-o", "x.svg"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["drawing"] == "x.svg" and len(told["wires"]) == 13
    assert run(["kit", "wiring", "air", "-o", "x.png"]) == 2
    assert run(["kit", "wiring", "aire"]) == 1
    assert "did you mean air" in capsys.readouterr().err
