# SPDX-License-Identifier: MIT
"""host_tools/provisioning/kit.py: what a kit may ask of its particle sensors."""

import json

import pytest

from host_tools.errors import ToolError
from host_tools.provisioning.kit import load_kit, node_kit, split_options
from node.drivers.pm_duty import COMMANDS
from node.drivers.registry import PARTS, driver_class

BME280 = {"part": "bme280", "bus": "i2c0", "interval_s": 60, "quantities": ["humidity_mpct"]}


def kit(*sensors):
    return {"kit": "k", "title": "t", "policy": "policy.toml", "outbox_kib": 64,
            "sensors": list(sensors)}  # fmt: skip


def particles(part="sds011", **options):
    return {"part": part, "bus": "uart1", "interval_s": 300, "options": options,
            "quantities": ["pm2_5_ngm3"]}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def write_and_load(*sensors):
        (tmp_path / "kit.json").write_text(json.dumps(kit(*sensors)))
        (tmp_path / "policy.toml").write_text("")
        return load_kit(tmp_path)

    return write_and_load


@pytest.mark.parametrize("part", ["sds011", "pms5003"])
def test_a_node_has_them_apart_from_the_drivers_options(part):
    asked = {"correction": 1, "slope_permille": 900, "intercept_ngm3": -200, "duty": 30}
    damp, air = node_kit(kit(BME280, particles(part, **asked)))["sensors"]
    assert damp["humid"] is True
    assert air["particles"] == asked
    assert air["options"] == {}
    assert air["driver"] == PARTS[part][0]


def test_a_kit_that_asks_nothing_is_as_it_was():
    plain = kit(BME280, particles())
    assert split_options(plain) == plain
    damp, _ = node_kit(kit(BME280, particles(duty=30)))["sensors"]
    assert "humid" not in damp


def test_they_are_for_particle_sensors(load):
    load(BME280, particles(correction=1, duty=180))
    with pytest.raises(ToolError, match="'duty', which it does not take"):
        load({**BME280, "options": {"duty": 30}})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"correction": 2}, "correction = 2"),
        ({"slope_permille": 0}, "slope_permille = 0"),
        ({"duty": 29}, "duty = 29"),
        ({"duty": 181}, "duty = 181"),
        ({"duty": -1}, "duty = -1"),
    ],
)
def test_what_cannot_be_is_refused(load, options, says):
    with pytest.raises(ToolError, match=says):
        load(BME280, particles(**options))
    assert "driver" not in node_kit(kit(BME280, particles(**options)))["sensors"][1]


def test_a_correction_needs_humidity(load):
    with pytest.raises(ToolError, match="measures no humidity_mpct"):
        load(particles(correction=1))
    load(particles(correction=0))


def test_who_may_sleep():
    """Every particle sensor on a UART takes `duty`, so it is known how it is woken."""
    on_uart = {
        part for part in PARTS
        if driver_class(part).BUS == "uart" and "pm2_5_ngm3" in driver_class(part).QUANTITIES
    }  # fmt: skip
    assert on_uart == set(COMMANDS)
