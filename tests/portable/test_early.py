# SPDX-License-Identifier: MIT
"""node/pipeline/early.py: readings that wait for the time."""

import unittest

from node.pipeline.early import LIMIT, Early
from node.pipeline.quantities import QUANTITIES


class TestEarly(unittest.TestCase):
    def test_they_come_back_in_order(self):
        early = Early(sorted(QUANTITIES))
        kept = []
        for at, quantity in enumerate(sorted(QUANTITIES)):
            low, high = QUANTITIES[quantity][2:]
            for value in (low, high):
                early.add(at * 30_000, quantity, value)
                kept.append((at * 30_000, quantity, value))
        self.assertEqual(list(early.readings()), kept)

    def test_when_there_are_too_many_the_oldest_go(self):
        early = Early(sorted(QUANTITIES))
        for at in range(LIMIT * 2 + 7):
            early.add(at * 1000, "co2_ppm", 400 + at)
        readings = list(early.readings())
        times = [uptime_ms // 1000 for uptime_ms, _, _ in readings]
        self.assertEqual(times, list(range(LIMIT + 7, LIMIT * 2 + 7)))
        self.assertEqual(readings[-1][2], 400 + LIMIT * 2 + 6)

    def test_what_was_given_to_its_window_is_overwritten(self):
        early = Early(["co2_ppm"])
        early.add(1000, "co2_ppm", 417)
        self.assertEqual([list(early.readings()), list(early.readings())],
                         [[(1000, "co2_ppm", 417)], [(1000, "co2_ppm", 0)]])  # fmt: skip

    def test_none(self):
        self.assertEqual(list(Early([]).readings()), [])


if __name__ == "__main__":
    unittest.main()
