# SPDX-License-Identifier: MIT
"""Adafruit's driver of the VL53L1X, unmodified, on our chip model: it reads what our driver takes
for the floor and for somebody, in the zones that ours uses."""

import pytest

from node.drivers.vl53l1x import VL53L1X
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.vl53l1x import VL53L1X as Chip
from tests.second_opinion.circuitpython_i2c import CircuitPythonI2C

adafruit = pytest.importorskip("adafruit_vl53l1x", reason="adafruit-circuitpython-vl53l1x")

FLOOR_CM = 220
WALK_MS = (20_000, 1, 2345)  # crosses at 20 s, inwards


class World:
    def __init__(self, monkeypatch):
        self.now = 5000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now)
        self.chip = Chip(self.signals)
        self.bus.attach(0x29, self.chip)
        self.signals.extend(60_000, {}, {"door": [WALK_MS]})
        monkeypatch.setattr(adafruit, "time", self)

    def sleep(self, seconds):
        self.now += round(seconds * 1000)


@pytest.fixture
def world(monkeypatch):
    return World(monkeypatch)


def range_cm(world, sensor):
    """One measurement, and how long it took."""
    sensor.clear_interrupt()
    began = world.now
    sensor.start_ranging()
    while not sensor.data_ready:
        world.now += 1
    cm = sensor.distance
    sensor.stop_ranging()
    return cm, world.now - began


def test_it_finds_the_chip_and_ranges(world):
    sensor = adafruit.VL53L1X(CircuitPythonI2C(world.bus))
    assert sensor.model_info == (0xEA, 0xCC, 0x10)
    assert sensor.distance_mode == 2
    for budget_ms in (20, 33, 50, 100, 200, 500):
        sensor.timing_budget = budget_ms
        cm, took_ms = range_cm(world, sensor)
        assert abs(cm - FLOOR_CM) <= 1
        assert budget_ms <= took_ms <= budget_ms + 5


def test_another_part_is_refused(world):
    world.chip.fault = "chip id"
    with pytest.raises(RuntimeError):
        adafruit.VL53L1X(CircuitPythonI2C(world.bus))


def test_no_distance_where_ours_has_none(world):
    sensor = adafruit.VL53L1X(CircuitPythonI2C(world.bus))
    for fault in ("range", "defect"):
        world.chip.fault = fault
        assert range_cm(world, sensor)[0] is None


def test_it_sees_the_same_walk(world):
    """The library looks through the regions that ours uses, in turn; the path is in, as ours."""
    sensor = adafruit.VL53L1X(CircuitPythonI2C(world.bus))
    sensor.timing_budget = 33
    sensor.roi_xy = (8, 16)
    world.now, states = 19_000, [0]
    near = [False, False]
    while world.now < 21_500:
        for zone, centre in enumerate((167, 231)):
            sensor.roi_center = centre
            assert sensor.roi_center == centre
            near[zone] = range_cm(world, sensor)[0] < 0.85 * FLOOR_CM
            state = near[0] + 2 * near[1]
            if state != states[-1]:
                states.append(state)
    assert states == [0, 2, 3, 1, 0]


def test_ours_counts_it(world):
    door = VL53L1X(world.bus)
    while world.now < 22_000:
        world.now += door.poll()
    assert door.read() == (1, 0)


def test_our_driver_sets_up_what_the_library_reads(world):
    """A region, a budget and a mode that our driver wrote, in the library's words."""
    door = VL53L1X(world.bus)
    for _ in range(30):
        world.now += door.poll()
    sensor = adafruit.VL53L1X.__new__(adafruit.VL53L1X)
    sensor.i2c_device = adafruit.i2c_device.I2CDevice(CircuitPythonI2C(world.bus), 0x29)
    assert sensor.roi_xy == (8, 16)
    assert sensor.roi_center in (167, 231)
    assert sensor.distance_mode == 2
    words = [bytes(sensor._read_register(register, 2)) for register in (0x5E, 0x61)]
    assert tuple(words) == adafruit.TB_LONG_DIST[33]
