# SPDX-License-Identifier: MIT
"""node/drivers/solar.py with the chip model at an ADC of the board."""

import unittest

from bench_fixture import fresh_bench
from driver_fixture import Random, failure
from test_battery import Reads

from node.device.hardware_more import make
from node.drivers.solar import Solar
from node.errors import RANGE, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.signals import Signals
from simulator.chips.solar import Solar as Chip

PIN, DIVIDER = 39, (503, 33)  # 470 kΩ over 33 kΩ, as on the esp32-devkitc


def fuzz(count: int, seed: int) -> int:
    """Reads of all kinds: one of them, 0 at the lower end, or a fault at the upper one."""
    random = Random(seed)
    for _ in range(count):
        about = (0, 9000, 17_800)[random.below(3)]
        reads = [about + random.below(2000) for _ in range(7)]
        middle = sorted(reads)[3]
        try:
            (value,) = Solar(Reads(reads)).read()
        except SensorFault:
            if middle < 18_783:
                raise ValueError(reads)
            continue
        if value != (middle if middle > 1150 else 0):
            raise ValueError(reads)
    return count


class TestSolar(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.signals = Signals()
        self.chip = self.bench.wired["adc", PIN] = Chip(self.signals)
        self.chip.board_bus = {"kind": "adc", "pin": PIN, "divider": list(DIVIDER)}
        self.bus = make(self.chip.board_bus, Chip)

    def feel(self, level):
        now = self.bench.now_ms
        self.signals.extend(now + 600_000, {"solar_mv": [[now, level]]}, {})

    def test_the_whole_range(self):
        driver = Solar(self.bus)
        self.assertEqual(driver.start(), 0)
        for level in range(2_400, 37_200, 500):
            self.feel(level)
            (value,) = driver.read()
            self.assertTrue(abs(value - level) <= 40)
            self.assertTrue(in_range("solar_mv", value))

    def test_night(self):
        """An ESP32's ADC reads about 0.14 V where there is none; that is no voltage."""
        self.feel(0)
        self.assertEqual(Solar(self.bus).read(), (0,))
        del self.bench.wired["adc", PIN]
        for at_pin_uv, value in ((0, 0), (142_000, 0), (200_000, 3048)):
            self.bench.analog_uv[PIN] = at_pin_uv
            self.assertEqual(Solar(self.bus).read(), (value,))

    def test_saturated(self):
        driver = Solar(self.bus)
        for level, fault in ((20_000, "range"), (37_400, None)):
            self.chip.fault = fault
            self.feel(level)
            self.assertEqual(failure(driver.read), RANGE)
        self.feel(21_000)
        self.assertTrue(abs(Solar(self.bus).read()[0] - 21_000) <= 40)

    def test_wire_pulled_is_a_night(self):
        self.feel(21_000)
        self.chip.plugged = False
        self.assertEqual(Solar(self.bus).read(), (0,))
        self.chip.plugged = True
        self.assertTrue(abs(Solar(self.bus).read()[0] - 21_000) <= 40)

    def test_gap(self):
        self.feel(None)
        self.assertEqual(Solar(self.bus).read(), (0,))

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 17), 2000)


if __name__ == "__main__":
    unittest.main()
