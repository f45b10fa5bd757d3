# SPDX-License-Identifier: MIT
"""An air sensor's chip model on a bus, whose clock goes on when a library sleeps."""

import random
from types import SimpleNamespace

from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals


class AirBench:
    def __init__(self, chip_class, driver_class, monkeypatch, *libraries):
        """libraries: modules that sleep."""
        self.now_ms = 20_000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now_ms)
        self.chip = chip_class(self.signals)
        self.bus.attach(chip_class.ADDRESS, self.chip)
        self._driver_class = driver_class
        clock = SimpleNamespace(sleep=self.wait, monotonic=lambda: self.now_ms / 1000)
        for library in libraries:
            monkeypatch.setattr(library, "time", clock)

    def wait(self, seconds: float):
        self.now_ms += round(seconds * 1000)

    def feel(self, **levels: int):
        points = {name: [[self.now_ms, value]] for name, value in levels.items()}
        self.signals.extend(self.now_ms + 600_000, points, {})

    def our_reading(self, driver=None) -> dict:
        """What our driver reads, {quantity: value}."""
        driver = driver or self._driver_class(self.bus)
        wait_ms = driver.start()
        while isinstance(wait_ms, int):
            self.now_ms += wait_ms
            wait_ms = driver.read()
        return dict(zip(driver.QUANTITIES, wait_ms, strict=True))


def weather(seed: int, cold: bool = True):
    """Some levels, {name: value}, anew each time."""
    chance = random.Random(seed)
    while True:
        pm2_5 = chance.randint(0, 900_000)
        yield {
            "pm1_0_ngm3": pm2_5 * 7 // 10,
            "pm2_5_ngm3": pm2_5,
            "pm4_0_ngm3": pm2_5 * 105 // 100,
            "pm10_ngm3": pm2_5 * 11 // 10,
            "humidity_mpct": chance.randint(0, 100_000),
            "temperature_mc": chance.randint(-40_000 if cold else 0, 60_000),
            "voc_index_tenths": chance.randint(10, 5000),
            "nox_index_tenths": chance.randint(10, 5000),
            "co2_ppm": chance.randint(350, 5000),
            "voc_raw_ticks": chance.randint(20, 65_000),
            "nox_raw_ticks": chance.randint(20, 65_000),
        }
