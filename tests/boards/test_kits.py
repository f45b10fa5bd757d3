# SPDX-License-Identifier: MIT
"""Every kit: quantities, windows, and each of its policies. Whether it fits a board:
tests/host_tools/test_board_check.py."""

import json
from pathlib import Path

import pytest

import boards
from host_tools.policy.compile_policy import compile_policy
from node.drivers.registry import PARTS, driver_class
from node.pipeline.quantities import QUANTITIES
from node.pipeline.reading import intervals_s
from node.policy.rules import DAY_S, Policy
from simulator.chips.registry import chip_class

FOLDER = Path(boards.__path__[0])
BOARDS = sorted(FOLDER.glob("*/board.json"))
KITS = sorted(FOLDER.glob("kits/*/kit.json"))
POLICIES = sorted(FOLDER.glob("kits/*/policy*.toml"))


def load(path):
    return json.loads(path.read_text())


def name(path):
    return f"{path.parent.name}-{path.stem}"


def test_there_are_some():
    assert BOARDS
    assert {path.parent.name for path in KITS} >= {"air", "energy", "traffic"}
    assert {path.name for path in POLICIES} >= {"policy.toml", "policy-dwelling.toml"}


@pytest.mark.parametrize("kit", KITS, ids=name)
def test_a_kit_uses_what_its_parts_give(kit):
    seen = []
    for entry in load(kit)["sensors"]:
        driver = driver_class(entry["part"])
        assert set(entry["quantities"]) <= set(driver.QUANTITIES)
        seen += entry["quantities"]
    assert len(seen) == len(set(seen)), "a quantity comes from one sensor only"


@pytest.mark.parametrize("path", POLICIES, ids=name)
def test_a_policy_names_what_its_kit_measures(path):
    policy = Policy(compile_policy(path).rules)
    kit = load(path.parent / "kit.json")
    assert policy.kit == kit["kit"]
    intervals = intervals_s(kit)
    for stream in policy.streams:
        assert stream.window_s % intervals[stream.quantity] == 0


@pytest.mark.parametrize("path", sorted(FOLDER.glob("kits/*/policy.toml")), ids=name)
def test_an_office_sees_what_became_of_its_commands(path):
    """A rotation, a mix, a policy: a serial or a code is told as it is, or means another."""
    streams = {one.quantity: one for one in Policy(compile_policy(path).rules).streams}
    for quantity in ("certificate", "mix_refused", "policy_refused"):
        stream = streams[quantity]
        assert (stream.statistics, stream.resolution, stream.noise) == (("last",), 1, None)
        assert (stream.low, stream.window_s <= DAY_S) == (0, True)
    assert streams["certificate"].high == QUANTITIES["certificate"][3]  # it tells any serial


@pytest.mark.parametrize("part", PARTS)
def test_each_part_has_driver_chip_test_and_quantities(part):
    driver, chip = driver_class(part), chip_class(part)
    assert driver.__name__ == chip.__name__ == PARTS[part][0]
    assert set(driver.QUANTITIES) <= set(QUANTITIES)
    assert driver.SETTLE_MS >= 0
    assert 1 <= driver.INTERVAL_S[0] <= driver.INTERVAL_S[1]
    if driver.BUS == "i2c":
        assert driver.ADDRESSES[0] == chip.ADDRESS
    if driver.BUS == "uart":
        assert driver.BAUD == chip.BAUD
    assert (FOLDER.parent / "tests" / "portable" / f"test_{part}.py").exists()
