# SPDX-License-Identifier: MIT
"""node/drivers/leak.py, against a bare pin and the chip model at its pin."""

import unittest

from bench_fixture import fresh_bench
from test_contact import Levels, Random

from node.device.hardware_more import make
from node.drivers.leak import Leak
from simulator.buses.signals import Signals
from simulator.chips.leak import Leak as Chip

PIN = 19
MINUTE_MS = 60_000


def fuzz(count: int, seed: int) -> int:
    """Levels of all kinds: told is 0 or 1, and 1 if five looks in a row were wet."""
    random = Random(seed)
    for _ in range(count):
        levels = [1]
        while len(levels) < 40:
            levels += [random.below(2)] * (1 + random.below(7))
        leak = Leak(Levels(levels))
        for _ in levels[1:]:
            if leak.poll() != 1000:
                raise ValueError("poll")
        wet = "00000" in "".join([str(level) for level in levels])
        if leak.read() != (1 if wet else 0,):
            raise ValueError(levels)
    return count


class TestLeak(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.signals = Signals()
        self.put(Chip(self.signals))

    def put(self, chip):
        self.chip = self.bench.wired["input", PIN] = chip
        self.pin = make({"kind": "input", "pin": PIN}, Leak)

    def minutes(self, driver, count, leaks=()):
        """What it tells each minute."""
        told = []
        for _ in range(count):
            begun = self.bench.now_ms
            new = [leak for leak in leaks if begun < leak[0] <= begun + MINUTE_MS]
            self.signals.extend(begun + MINUTE_MS, {}, {"leaks": new})
            while self.bench.now_ms < begun + MINUTE_MS:
                self.bench.now_ms += driver.poll()
            told += driver.read()
        return told

    def test_a_leak_that_lasts(self):
        told = self.minutes(Leak(self.pin), 9, [[90_000, 240_000]])
        self.assertEqual(told, [0, 1, 1, 1, 1, 1, 0, 0, 0])

    def test_one_that_has_gone_since_is_told_once(self):
        told = self.minutes(Leak(self.pin), 5, [[70_000, 20_000]])
        self.assertEqual(told, [0, 1, 0, 0, 0])

    def test_a_drop_is_none(self):
        self.assertEqual(self.minutes(Leak(self.pin), 4, [[70_000, 2_500]]), [0] * 4)

    def test_one_while_another_is_there(self):
        told = self.minutes(Leak(self.pin), 6, [[70_000, 100_000], [100_000, 150_000]])
        self.assertEqual(told, [0, 1, 1, 1, 1, 0])

    def test_wet_when_it_starts(self):
        self.signals.extend(MINUTE_MS, {}, {"leaks": [[10, 600_000]]})
        self.bench.now_ms = 30_000
        self.assertEqual(Leak(self.pin).read(), (1,))

    def test_a_detector_that_opens(self):
        self.put(Chip(self.signals, leak_level=1))
        driver = Leak(self.pin, leak_level=1)
        self.assertEqual(self.minutes(driver, 3, [[70_000, 20_000]]), [0, 1, 0])
        self.chip.plugged = False  # its wire is cut: that is a leak
        self.assertEqual(self.minutes(driver, 2), [1, 1])
        self.chip.plugged = True
        self.assertEqual(self.minutes(driver, 2), [1, 0])

    def test_one_that_closes_and_is_pulled_out(self):
        driver = Leak(self.pin)
        self.minutes(driver, 1, [[10_000, 900_000]])
        self.chip.plugged = False
        self.assertEqual(self.minutes(driver, 2), [1, 0])
        self.chip.plugged = True
        self.assertEqual(self.minutes(driver, 1), [1])

    def test_nothing_is_wired(self):
        self.assertEqual(Leak(make({"kind": "input", "pin": 5}, Leak)).read(), (0,))

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 11), 2000)


if __name__ == "__main__":
    unittest.main()
