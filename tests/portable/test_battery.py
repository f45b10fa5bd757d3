# SPDX-License-Identifier: MIT
"""node/drivers/battery.py and voltage.py with the chip model at an ADC of the board."""

import unittest

from bench_fixture import fresh_bench
from driver_fixture import Random, failure

from node.device.hardware_more import make
from node.drivers.battery import Battery
from node.drivers.voltage import median_mv
from node.errors import RANGE, SensorFault
from simulator.buses.signals import Signals
from simulator.chips.battery import Battery as Chip

PIN, DIVIDER = 36, (253, 33)  # 220 kΩ over 33 kΩ, as on the esp32-devkitc


class Reads:
    """A bus of which a test says each read."""

    range_mv = (1150, 18_783)

    def __init__(self, reads):
        self.reads = list(reads)

    def read_mv(self):
        return self.reads.pop(0)


def fuzz(count: int, seed: int) -> int:
    """Reads of all kinds: one of them, or a fault."""
    random = Random(seed)
    for _ in range(count):
        about = (0, 9000, 17_800)[random.below(3)]
        reads = [about + random.below(2000) for _ in range(7)]
        middle = sorted(reads)[3]
        try:
            (value,) = Battery(Reads(reads)).read()
        except SensorFault:
            if 1150 < middle < 18_783:
                raise ValueError(reads)
            continue
        if value != middle or not 1150 < value < 18_783:
            raise ValueError(reads)
    return count


class Bench(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.signals = Signals()
        self.chip = self.bench.wired["adc", PIN] = Chip(self.signals)
        self.chip.board_bus = {"kind": "adc", "pin": PIN, "divider": list(DIVIDER)}
        self.bus = make(self.chip.board_bus, Chip)
        self.feel(12_600)

    def feel(self, level):
        now = self.bench.now_ms
        self.signals.extend(now + 600_000, {"battery_mv": [[now, level]]}, {})


class TestVoltage(Bench):
    def test_median(self):
        """A dip while the radio begins to send is not the battery's voltage."""
        reads = [12_600, 9_800, 12_610, 12_590, 9_700, 12_605, 18_900]
        self.assertEqual(median_mv(Reads(reads)), 12_600)

    def test_what_the_divider_makes_of_it(self):
        self.assertEqual(self.bus.range_mv, (1150, 18_783))
        del self.bench.wired["adc", PIN]
        self.bench.analog_uv[PIN] = 1_650_000
        self.assertEqual(self.bus.read_mv(), 12_650)  # 1.65 V · 253 / 33

    def test_the_whole_range(self):
        driver = Battery(self.bus)
        self.assertEqual(driver.start(), 0)
        for level in range(1_200, 18_700, 333):
            self.feel(level)
            self.assertTrue(abs(driver.read()[0] - level) <= 20)

    def test_its_noise_is_there(self):
        reads = [self.bus.read_mv() for _ in range(200)]
        self.assertTrue(len(set(reads)) > 5)
        self.assertTrue(min(reads) < 12_600 - 1000)  # a dip
        for _ in range(200):
            self.assertTrue(abs(Battery(self.bus).read()[0] - 12_600) <= 20)


class TestFaults(Bench):
    def test_saturated(self):
        driver = Battery(self.bus)
        for play in ((12_600, "range"), (18_800, None), (60_000, None)):
            level, self.chip.fault = play
            self.feel(level)
            self.assertEqual(failure(driver.read), RANGE)
        self.feel(12_600)
        self.assertTrue(abs(Battery(self.bus).read()[0] - 12_600) <= 20)

    def test_wire_pulled_and_put_back(self):
        driver = Battery(self.bus)
        self.chip.plugged = False
        self.assertEqual(failure(driver.read), RANGE)
        self.chip.plugged = True
        self.assertTrue(abs(Battery(self.bus).read()[0] - 12_600) <= 20)

    def test_gap(self):
        self.feel(None)
        self.assertEqual(failure(Battery(self.bus).read), RANGE)
        self.feel(12_600)
        self.assertTrue(abs(Battery(self.bus).read()[0] - 12_600) <= 20)

    def test_nothing_is_wired(self):
        bus = make({"kind": "adc", "pin": 35, "divider": DIVIDER}, Chip)
        self.assertEqual(failure(Battery(bus).read), RANGE)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 13), 2000)


if __name__ == "__main__":
    unittest.main()
