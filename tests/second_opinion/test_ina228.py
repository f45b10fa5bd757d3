# SPDX-License-Identifier: MIT
"""adafruit_ina228 and ina228, unmodified, read our INA228."""

import pytest

from node.drivers.ina228 import INA228
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.ina228 import INA228 as Chip
from tests.second_opinion.circuitpython_i2c import CircuitPythonI2C
from tests.second_opinion.serial_port import Clock

LEVELS = (
    (24_000, 4000),
    (23_456, -1234),
    (0, 0),
    (84_999, 6500),
    (12_345, -6500),
    (3300, 1),
)


class Bench:
    def __init__(self, shunt_uohm: int):
        self.clock = Clock()
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.clock.now_ms)
        self.chip = Chip(self.signals, shunt_uohm=shunt_uohm)
        self.set(24_000, 0)
        self.chip.power_on(self.clock.now_ms)
        self.bus.attach(0x40, self.chip)

    def set(self, voltage_mv: int, current_ma: int):
        now_ms = self.clock.now_ms
        points = {"dc_voltage_mv": [[now_ms, voltage_mv]], "dc_current_ma": [[now_ms, current_ma]]}
        self.signals.extend(now_ms + 3_600_000, points, {})

    def ours(self, driver) -> tuple:
        self.clock.now_ms += driver.start() + 1000
        return driver.read()


def agree(ours: tuple, volts: float, amperes: float, watts: float):
    assert abs(volts * 1000 - ours[0]) <= 0.5
    assert abs(amperes * 1000 - ours[1]) <= 1
    assert abs(watts * 1000 - abs(ours[2])) <= 0.001 * abs(ours[2]) + 1
    assert (ours[2] < 0) == (ours[1] < 0 and ours[2] != 0)


def test_adafruit_agrees(monkeypatch):
    library = pytest.importorskip("adafruit_ina228", reason="extra second-opinion")
    bench = Bench(15_000)
    monkeypatch.setattr(library, "time", bench.clock)
    theirs = library.INA228(CircuitPythonI2C(bench.bus))
    theirs.set_calibration(0.015, 10.0)
    ours = INA228(bench.bus)  # sets up the same, but for the averaging
    before, read, started = None, 0, 0.0
    for levels in LEVELS:
        bench.clock.now_ms += 10_000
        bench.set(*levels)
        values = bench.ours(ours)
        agree(values, theirs.bus_voltage, theirs.current, theirs.power)
        # Their driver asks for energy since power-up, in joules; ours since the sample before.
        joules = theirs.energy
        if values[3] is None:
            started = joules
        else:
            read += values[3]
            assert abs((joules - started) / 3.6 - read) <= 1
        before = joules
    assert before > 0 and read > 0
    assert not theirs.conversion_ready  # ours has just read it
    bench.clock.now_ms += 1000
    assert theirs.conversion_ready


def test_smbus_driver_agrees(monkeypatch):
    library = pytest.importorskip("ina228.api", reason="extra second-opinion")

    class SMBus:
        def __init__(self, _number):
            pass

        def read_i2c_block_data(self, address, register, size):
            return list(bench.bus.readfrom_mem(address, register, size))

        def write_i2c_block_data(self, address, register, data):
            bench.bus.writeto_mem(address, register, bytes(data))

    # Its current step is what makes the whole range of the shunt: with 16.384 mΩ, 10 A.
    bench = Bench(16_384)
    monkeypatch.setattr(library, "time", bench.clock)
    monkeypatch.setattr(library, "SMBus", SMBus)
    theirs = library.INA228(1, 0x40, shunt_ohms=0.016384)
    theirs.configure()
    ours = INA228(bench.bus, shunt_uohm=16_384, max_current_ma=10_000)
    for levels in LEVELS:
        bench.clock.now_ms += 10_000
        bench.set(*levels)
        values = bench.ours(ours)
        agree(values, theirs.get_vbus_voltage(), theirs.get_current(), theirs.get_power())
    assert abs(theirs.get_temp() - 25) < 0.01
