# SPDX-License-Identifier: MIT
"""Boards and kits that do not fit are told with their line and mend; those that come here all fit
as the table in boards/README.md says."""

import copy
import json
from pathlib import Path

import pytest

import boards
from host_tools.cli import run
from host_tools.errors import ToolError
from host_tools.provisioning.board_check import remarks
from host_tools.provisioning.heap_need import heap_need_kib
from host_tools.provisioning.kit import board_names, kit_names, load_board, load_kit, node_kit

FOLDER = Path(boards.__path__[0])
BOARD = json.loads((FOLDER / "esp32-devkitc/board.json").read_text())
AIR = json.loads((FOLDER / "kits/air/kit.json").read_text())


def written(tmp_path, data, name="board.json"):
    path = tmp_path / name
    path.write_text(json.dumps(data, indent=1))
    return path


def line_of(path, words):
    """The number of the first line with these words."""
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if words in line)


@pytest.mark.parametrize(
    ("change", "at", "words", "mend"),
    [
        (lambda b: b.update(chip="esp33"), '"chip"', "chip 'esp33', which is not known", "esp32"),
        (lambda b: b["buses"]["i2c0"].update(scl=24), '"scl"', "scl = 24, a pin that the board",
         "12–19"),
        (lambda b: b["buses"]["i2c0"].update(scl=34), '"scl"', "can only be an input", "output"),
        (lambda b: b["buses"]["uart1"].update(tx=1), '"tx": 1', "the serial port", "another pin"),
        (lambda b: b["buses"]["uart1"].update(id=3), '"uart1"', "id = 3, a uart that the chip la",
         "1, 2"),
        (lambda b: b["buses"]["adc0"].update(pin=25), '"pin": 25', "cannot measure", "ADC1"),
        (lambda b: b["buses"]["adc0"].update(divider=[1, 2]), '"divider"', "divider = [1, 2]",
         "R1"),
        (lambda b: b.update(taken={"relay": [22]}), '"scl"', "is taken by the relay", "another"),
        (lambda b: b["buses"]["i2c0"].update(kind="spi"), '"kind"', "'spi', which is not known",
         "i2c"),
        (lambda b: b["buses"]["i2c0"].update(frequency_hz=10**7), '"frequency_hz"', "frequency_hz",
         "10000"),
        (lambda b: b["buses"]["i2c0"].pop("sda"), '"i2c0"', "has no sda", "add sda"),
    ],
)  # fmt: skip
def test_a_board_that_its_chip_cannot_be(tmp_path, change, at, words, mend):
    board = copy.deepcopy(BOARD)
    change(board)
    path = written(tmp_path, board)
    with pytest.raises(ToolError) as caught:
        load_board(path)
    assert words in caught.value.message
    assert mend in caught.value.hint
    if at in path.read_text() and at not in ('"uart1"',):
        assert f"line {line_of(path, at)}:" in caught.value.message


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a\x1b[2J", "<b>", "\ud800", "a" * 65])
def test_names_that_would_be_other_files(tmp_path, name):
    path = written(tmp_path, {**BOARD, "board": name})
    with pytest.raises(ToolError, match="is no name"):
        load_board(path)
    buses = {"board": "mine", "buses": {name: BOARD["buses"]["i2c0"]}}
    with pytest.raises(ToolError, match="is no name"):
        load_board(written(tmp_path, {**BOARD, **buses}))
    kit = written(tmp_path, {**AIR, "kit": name}, "kit.json")
    with pytest.raises(ToolError, match="is no name"):
        load_kit(kit)


def test_a_message_does_not_steer_the_terminal(tmp_path, capsys):
    path = written(tmp_path, {**BOARD, "taken": {"\x1b[2J": [22]}})
    assert run(["boards", "check", "--board", str(path)]) == 1
    told = capsys.readouterr().err
    assert "is taken by the ?[2J" in told and "\x1b" not in told


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ({**BOARD, "taken": {"relay": [{}]}}, "each of relay"),
        ({**BOARD, "flash_kib": float("nan")}, "flash_kib = nan"),
        ({**BOARD, "flash_kib": "DIGITS"}, "a number without end"),
    ],
)
def test_a_board_that_is_made_up(tmp_path, board, words):
    path = tmp_path / "board.json"
    path.write_text(json.dumps(board).replace('"DIGITS"', "9" * 5000))
    with pytest.raises(ToolError, match=words):
        load_board(path)


@pytest.mark.parametrize(
    ("change", "words"), [({"policy": "p" * 5000}, "not there"), ({"title": "\ud800"}, "title")]
)
def test_a_kit_that_is_made_up(tmp_path, change, words):
    with pytest.raises(ToolError, match=words):
        load_kit(written(tmp_path, {**AIR, **change}, "kit.json"))


def test_two_buses_of_one_peripheral(tmp_path):
    board = copy.deepcopy(BOARD)
    board["buses"]["uart9"] = {"kind": "uart", "id": 1, "tx": 4, "rx": 5}
    first = next(sensor for sensor in AIR["sensors"] if sensor["part"] == "pms5003")
    first = {**first, "quantities": ["pm10_ngm3"]}
    second = {**first, "part": "sds011", "bus": "uart9", "quantities": ["pm2_5_ngm3"]}
    (tmp_path / "policy.toml").touch()
    kit = written(tmp_path, {**AIR, "sensors": [first, second]}, "kit.json")
    with pytest.raises(ToolError, match="uart1 and uart9 share uart 1"):
        load_kit(kit, load_board(written(tmp_path, board)))


@pytest.mark.parametrize(
    ("change", "at", "words"),
    [
        (lambda k: k["sensors"][1].update(part="scd14"), '"scd14"', "'scd14', which is not known"),
        (lambda k: k["sensors"][1].update(bus="i2c7"), '"i2c7"', "'i2c7', which the board lacks"),
        (lambda k: k["sensors"][0].update(interval_s=7), '"interval_s": 7', "divide a day"),
        (lambda k: k["sensors"][1].update(interval_s=5), '"interval_s": 5', "interval_s = 5"),
        (lambda k: k["sensors"].append({**k["sensors"][2], "quantities": ["pm2_5_ngm3"]}), None,
         "gives pm2_5_ngm3 again"),
    ],
)  # fmt: skip
def test_a_kit_that_does_not_fit(tmp_path, change, at, words):
    kit = copy.deepcopy(AIR)
    change(kit)
    path = written(tmp_path, kit, "kit.json")
    (tmp_path / "policy.toml").write_bytes((FOLDER / "kits/air/policy.toml").read_bytes())
    with pytest.raises(ToolError) as caught:
        load_kit(tmp_path, BOARD)
    assert words in caught.value.message
    if at:
        assert f"kit.json: line {line_of(path, at)}:" in caught.value.message


def test_two_chips_at_one_address_and_a_uart_that_is_taken(tmp_path):
    kit = copy.deepcopy(AIR)
    kit["sensors"][0]["quantities"] = ["temperature_mc"]
    kit["sensors"].append({**kit["sensors"][0], "quantities": ["pressure_pa"]})
    (tmp_path / "policy.toml").write_bytes((FOLDER / "kits/air/policy.toml").read_bytes())
    written(tmp_path, kit, "kit.json")
    with pytest.raises(ToolError, match="shares i2c0 with bme280"):
        load_kit(tmp_path, BOARD)
    kit["sensors"][3] = {**kit["sensors"][2], "quantities": ["pm10_ngm3"]}
    kit["sensors"][2]["quantities"] = ["pm2_5_ngm3"]
    written(tmp_path, kit, "kit.json")
    with pytest.raises(ToolError, match="shares uart1 with pms5003"):
        load_kit(tmp_path, BOARD)


def test_two_buses_that_want_one_pin(tmp_path):
    board = copy.deepcopy(BOARD)
    board["buses"]["uart1"]["rx"] = 22
    path = written(tmp_path, board)
    with pytest.raises(ToolError, match="i2c0 and uart1 share pin 22"):
        load_kit("air", load_board(path))


def test_more_memory_than_there_is(monkeypatch):
    monkeypatch.setattr("host_tools.provisioning.board_check.heap_need_kib", lambda kit: 200)
    with pytest.raises(ToolError, match="needs 200 KiB of heap, esp32-devkitc has 110"):
        load_kit("air", BOARD)


def test_a_node_gets_no_driver_for_what_does_not_fit():
    kit = copy.deepcopy(AIR)
    kit["sensors"][0]["part"] = "bme208"
    kit["sensors"][1]["interval_s"] = 5
    kit["sensors"].append({**kit["sensors"][2], "quantities": ["humidity_mpct"]})
    made = node_kit(kit)["sensors"]
    assert ["driver" in sensor for sensor in made] == [False, False, True, False]
    assert made[2]["driver"] == "PMS5003"
    assert made[2]["ranges"]["pm10_ngm3"] == (0, 1_000_000)


@pytest.mark.parametrize("name", board_names())
def test_each_board_is_what_its_chip_can_be(name):
    board = load_board(name)
    assert board["board"] == name
    assert (FOLDER / name / "README.md").is_file()


@pytest.mark.parametrize("kit", kit_names())
def test_each_kit_fits_a_board_and_its_memory(kit):
    fits = []
    for name in board_names():
        board = load_board(name)
        try:
            loaded = load_kit(kit, board)
        except ToolError as err:
            # Only for want of a bus: nothing else may keep a kit from a board that comes here.
            assert "which the board lacks" in err.message, err
            continue
        assert heap_need_kib(loaded.data) <= 110
        remarks(loaded.data, board)
        fits.append(name)
    assert {"esp32-devkitc", "esp32-s3-devkitc"} <= set(fits)


def test_the_command(capsys, tmp_path):
    assert run(["boards", "check", "--json"]) == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    assert len(pairs) == len(board_names()) * len(kit_names())
    assert run(["boards", "check", "--kit", "air", "--board", "esp32-poe"]) == 0
    assert "KiB" in capsys.readouterr().out
    assert run(["boards", "check", "--kit", "energy", "--board", "esp32-c3-devkitm"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "which the board lacks" in shown and "mend: it needs counter" in shown
    assert run(["boards", "check", "--board", "esp32-c3-devkitm"]) == 0
    capsys.readouterr()
    (tmp_path / "kit.json").write_text("{}")
    assert run(["boards", "check", "--kit", str(tmp_path)]) == 1
