# SPDX-License-Identifier: MIT
"""node/drivers/loop_detector.py against the chip model."""

import unittest

from node.drivers.loop_detector import LoopDetector
from simulator.buses.counter import PulseCounter
from simulator.buses.signals import Signals
from simulator.chips.loop_detector import LoopDetector as Chip


class TestLoopDetector(unittest.TestCase):
    def setUp(self):
        self.now_ms = 0
        self.state = 11
        self.signals = Signals()
        self.chip = Chip(self.signals)
        self.counter = PulseCounter(lambda: self.now_ms, self.chip)
        self.loop = LoopDetector(self.counter)

    def below(self, limit):
        self.state = (self.state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return (self.state >> 8) % limit

    def pass_time(self, duration_ms, vehicles):
        """So many vehicles at rising times in the next `duration_ms`, its last one included."""
        times = sorted([self.now_ms + 1 + self.below(duration_ms) for _ in range(vehicles)])
        events = {"vehicles": [[time_ms] for time_ms in times]}
        self.signals.extend(self.now_ms + duration_ms, {}, events)

    def read(self):
        self.assertEqual(self.loop.start(), 0)
        (vehicles,) = self.loop.read()
        return vehicles

    def test_every_vehicle_is_counted_once(self):
        total = sent = 0
        for _ in range(60):
            self.pass_time(60_000, vehicles := self.below(30))
            sent += vehicles
            end_ms = self.now_ms + 60_000
            while self.now_ms < end_ms:
                self.now_ms = min(end_ms, self.now_ms + 1 + self.below(20_000))
                total += self.read()
        self.assertEqual(total, sent)

    def test_over_the_end_of_the_counter(self):
        self.counter.value(32_760)
        self.loop = LoopDetector(self.counter)
        seen = []
        for vehicles in (3, 0, 7, 1, 20):
            self.pass_time(15_000, vehicles)
            self.now_ms += 15_000
            seen.append(self.read())
        self.assertEqual(seen, [3, 0, 7, 1, 20])

    def test_a_vehicle_at_the_moment_of_the_sample(self):
        self.signals.extend(10_000, {}, {"vehicles": [[5000], [5000], [5001]]})
        self.now_ms = 5000
        self.assertEqual(self.read(), 2)
        self.now_ms = 5001
        self.assertEqual(self.read(), 1)

    def test_vehicles_that_are_not_known_yet_come_later(self):
        self.pass_time(10_000, 4)
        self.now_ms = 12_000
        self.assertEqual(self.read(), 4)
        self.signals.extend(20_000, {}, {"vehicles": [[11_000], [15_000]]})
        self.assertEqual(self.read(), 1)
        self.now_ms = 20_000
        self.assertEqual(self.read(), 1)

    def test_unplug_and_replug(self):
        for powered_by_hand in (False, True):
            self.pass_time(15_000, 9)
            self.now_ms += 15_000
            self.assertEqual(self.read(), 9)
            self.chip.plugged = False
            self.pass_time(15_000, 9)
            self.now_ms += 15_000
            self.assertEqual(self.read(), 0)
            self.chip.plugged = True
            if powered_by_hand:
                self.chip.power_on(self.now_ms)
            self.assertEqual(self.read(), 0)
            self.pass_time(15_000, 5)
            self.now_ms += 15_000
            self.assertEqual(self.read(), 5)

    def test_a_new_driver_begins_at_zero(self):
        self.pass_time(15_000, 9)
        self.now_ms += 15_000
        self.read()
        self.loop = LoopDetector(self.counter)
        self.assertEqual(self.read(), 0)


if __name__ == "__main__":
    unittest.main()
