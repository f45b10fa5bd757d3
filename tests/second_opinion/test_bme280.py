# SPDX-License-Identifier: MIT
"""adafruit-circuitpython-bme280, unmodified, reads our BME280, and agrees with our driver: it has
the compensation of the data sheet in floating point, ours in integers."""

import random

import pytest

from node.drivers.bme280 import BME280
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.bme280 import BME280 as Chip
from simulator.chips.bme280 import CALIBRATION
from tests.second_opinion.circuitpython_i2c import CircuitPythonI2C

OTHER = (28181, 27029, 50, 37800, -10600, 3024, 9400, -120, -7, 9900, -10230, 4285,
         75, 355, 0, 344, -18, 30)  # fmt: skip


class Bench:
    def __init__(self, monkeypatch, calibration=CALIBRATION):
        self.library = pytest.importorskip("adafruit_bme280.basic")
        monkeypatch.setattr(self.library, "sleep", self.wait)
        self.now_ms = 10_000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now_ms)
        self.chip = Chip(self.signals, calibration=calibration)
        self.bus.attach(Chip.ADDRESS, self.chip)
        self.feel(20_000, 101_325, 50_000)

    def wait(self, seconds: float):
        self.now_ms += max(1, round(seconds * 1000))

    def feel(self, *levels):
        names = ("temperature_mc", "pressure_pa", "humidity_mpct")
        points = {name: [[self.now_ms, v]] for name, v in zip(names, levels, strict=True)}
        self.signals.extend(self.now_ms + 100_000, points, {})

    def theirs(self):
        sensor = self.library.Adafruit_BME280_I2C(CircuitPythonI2C(self.bus), Chip.ADDRESS)
        sensor.overscan_pressure = self.library.OVERSCAN_X1
        sensor._write_ctrl_meas()
        return sensor.temperature * 1000, sensor.pressure * 100, sensor.relative_humidity * 1000

    def ours(self):
        driver = BME280(self.bus)
        self.now_ms += driver.start()
        return driver.read()


@pytest.mark.parametrize("calibration", [CALIBRATION, OTHER])
def test_both_agree(monkeypatch, calibration):
    bench = Bench(monkeypatch, calibration)
    chance = random.Random(1)
    for _ in range(40):
        levels = (
            chance.randint(-20_000, 60_000), chance.randint(60_000, 109_000),
            chance.randint(5000, 95_000),
        )  # fmt: skip
        bench.feel(*levels)
        theirs, ours = bench.theirs(), bench.ours()
        # 0.01 °C, 1 Pa and 0.01 %, and half a step of the integers each
        for their, our, level, most, step in zip(
            theirs, ours, levels, (6, 1.6, 25), (12, 5, 25), strict=True
        ):
            assert abs(their - our) <= most
            assert abs(our - level) <= step


def test_another_chip_is_refused(monkeypatch):
    bench = Bench(monkeypatch)
    bench.chip.fault = "chip_id"
    with pytest.raises(RuntimeError, match="Failed to find BME280"):
        bench.theirs()
