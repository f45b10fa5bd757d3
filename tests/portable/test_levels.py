# SPDX-License-Identifier: MIT
"""node/pipeline/levels.py and node/drivers/decibels.py: decibels in integers, and their mean."""

import unittest

from node.drivers.decibels import level_mdb
from node.pipeline.levels import LevelWindow, energy, mean_mdb
from node.pipeline.minimise import Minimiser
from node.policy.rules import Stream


def stream(number=7, quantity="laeq_mdb", statistics=("mean", "min", "max", "count")):
    return Stream([number, quantity, 300, statistics, 100, 30_000, 120_000, 0, None])


class Policy:
    """As much of one as a minimiser needs."""

    def __init__(self, streams):
        self.streams = streams

    def next_instant(self, now_s):
        return now_s - now_s % 300 + 300

    def permits(self, instant_s):
        return True


class TestDecibels(unittest.TestCase):
    def test_known_ones(self):
        """10·log10 of powers of ten and of two, to 0.02 dB."""
        for power in range(16):
            self.assertTrue(abs(level_mdb(10**power) - 10_000 * power) <= 3)
        for power in range(50):
            self.assertTrue(abs(level_mdb(1 << power) - 301_030 * power // 100) <= 1)
        self.assertTrue(abs(level_mdb(3) - 4771) <= 3)
        self.assertTrue(abs(level_mdb(7) - 8451) <= 3)

    def test_never_falls(self):
        before = -1
        for value in list(range(1, 3000)) + list(range(1 << 20, 1 << 30, 7_654_321)):
            level = level_mdb(value)
            self.assertTrue(level >= before)
            before = level

    def test_there_and_back(self):
        for mdb in range(0, 145_000, 37):
            self.assertTrue(abs(mean_mdb(energy(mdb), 1) - mdb) <= 1)

    def test_energies(self):
        for mdb, factor in ((0, 1), (10_000, 10), (30_000, 1000), (90_000, 10**9)):
            self.assertTrue(abs(energy(mdb) - 65_536 * factor) * 1000 <= 65_536 * factor)


class TestWindow(unittest.TestCase):
    def mean(self, *levels):
        window = LevelWindow(stream())
        for level in levels:
            window.add(level)
        return window.aggregate("mean", len(levels))

    def test_a_loud_minute_and_four_quiet_ones(self):
        """80 dB for one of five minutes is 73 dB, whatever the others are; not 48."""
        value, count = self.mean(80_000, 40_000, 40_000, 40_000, 40_000)
        self.assertEqual(count, 1)
        self.assertTrue(abs(value - 73_012) <= 5)

    def test_equal_ones_and_doubled(self):
        for level in (15_000, 43_210, 99_999, 140_000):
            self.assertTrue(abs(self.mean(level, level, level)[0] - level) <= 1)
        self.assertTrue(abs(self.mean(60_000, 50_000)[0] - 57_404) <= 5)

    def test_one_stays_as_it_is(self):
        self.assertEqual(self.mean(61_237), (61_237, 1))

    def test_the_others_are_as_ever(self):
        window = LevelWindow(stream())
        for level in (50_000, 70_000, 60_000):
            window.add(level)
        self.assertEqual(window.aggregate("min", 3), (50_000, 1))
        self.assertEqual(window.aggregate("max", 3), (70_000, 1))
        self.assertEqual(window.aggregate("count", 3), (3, 1))
        self.assertEqual(window.aggregate("mean", 5), None)  # too few
        window.clear()
        self.assertEqual(window.aggregate("mean", 1), None)

    def test_the_minimiser_takes_it_for_levels_only(self):
        policy = Policy([stream(), stream(8, "temperature_mc", ("mean",))])
        minimiser = Minimiser(policy, {"laeq_mdb": 60, "temperature_mc": 60})
        minimiser.follow(299, 0)
        for minute in range(1, 6):
            minimiser.add("laeq_mdb", 80_000 if minute == 3 else 40_000)
            minimiser.add("temperature_mc", 80_000 if minute == 3 else 40_000)
        minimiser.next_instant_s = 600
        level, temperature = minimiser.close()
        self.assertEqual(level[2:], [730, 400, 800, 5])
        self.assertEqual(temperature[2:], [480])


if __name__ == "__main__":
    unittest.main()
