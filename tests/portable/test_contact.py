# SPDX-License-Identifier: MIT
"""node/drivers/contact.py and debounce.py, against a bare pin and the chip model at its pin."""

import unittest

from bench_fixture import fresh_bench
from driver_fixture import Random

from node.device.hardware_more import make
from node.drivers.contact import Contact
from node.drivers.debounce import Debounced
from simulator.buses.signals import Signals
from simulator.chips.contact import Contact as Chip

PIN = 18


class Levels:
    """A pin of which a test says what is seen, look by look."""

    def __init__(self, levels):
        self.levels = list(levels)

    def value(self):
        return self.levels.pop(0)


def fuzz(count: int, seed: int) -> int:
    """Levels of all kinds: as many closings as a plain count of runs of three finds."""
    random = Random(seed)
    for _ in range(count):
        levels = [1]
        while len(levels) < 60:
            levels += [random.below(2)] * (1 + random.below(5))
        stable, run, closings = 1, 0, 0
        for level in levels[1:]:
            run = run + 1 if level != stable else 0
            if run == 3:
                stable, run = level, 0
                closings += 1 - level
        contact = Contact(Levels(levels))
        for _ in levels[1:]:
            if contact.poll() not in (20, 200):
                raise ValueError("poll")
        if contact.read() != (1 - stable, closings):
            raise ValueError(levels)
    return count


class TestDebounced(unittest.TestCase):
    def changes(self, levels):
        contact = Debounced(Levels([levels[0]] + levels), 3)
        return [contact.look() for _ in levels]

    def test_a_change_that_stays(self):
        self.assertEqual(self.changes([1, 0, 0, 0, 0]), [False, False, False, True, False])

    def test_bouncing_is_no_change(self):
        self.assertEqual(self.changes([1, 0, 0, 1, 0, 0, 1, 0, 1, 1]), [False] * 10)

    def test_there_and_back(self):
        changed = self.changes([0, 1, 1, 1, 0, 1, 0, 0, 0])
        self.assertEqual([i for i in range(9) if changed[i]], [3, 8])

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 9), 2000)


class TestContact(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.signals = Signals()
        self.put(Chip(self.signals))

    def put(self, chip):
        self.chip = self.bench.wired["input", PIN] = chip
        self.pin = make({"kind": "input", "pin": PIN}, Contact)

    def run_until(self, driver, until_ms):
        while self.bench.now_ms < until_ms:
            self.bench.now_ms += driver.poll()

    def test_doors(self):
        doors = [[2000, 1, 3000], [9000, -1, 450], [20_000, 1, 9000], [26_000, 1, 8000]]
        self.signals.extend(120_000, {}, {"door": doors})
        driver = Contact(self.pin)
        seen = []
        for second in range(0, 60):
            self.run_until(driver, second * 1000 + 900)
            seen.append(driver.read())
        closed = "".join([str(pair[0]) for pair in seen])
        self.assertEqual(closed, "11000" + "1" * 15 + "0" * 14 + "1" * 26)
        self.assertEqual([i for i in range(60) if seen[i][1]], [5, 9, 34])
        self.assertEqual(sum([pair[1] for pair in seen]), 3)  # two doors at once are one

    def test_each_closing_once_over_an_hour_of_bouncing(self):
        random, doors, at_ms = Random(4), [], 0
        for _ in range(300):
            at_ms += 2000 + random.below(9000)
            doors.append([at_ms, 1, 400 + random.below(1400)])
            at_ms = doors[-1][0] + doors[-1][2]
        driver, begun = Contact(self.pin), 0
        total = 0
        for minute in range(1, at_ms // 60_000 + 2):
            until_ms = minute * 60_000
            new = [door for door in doors if begun < door[0] <= until_ms]
            self.signals.extend(until_ms, {}, {"door": new})
            begun = until_ms
            self.run_until(driver, until_ms)
            total += driver.read()[1]
        self.assertEqual(total, 300)

    def test_it_bounces(self):
        self.signals.extend(60_000, {}, {"door": [[2000, 1, 3000]]})
        seen = []
        for now_ms in range(1990, 2030):
            self.bench.now_ms = now_ms
            seen.append(self.pin.value())
        self.assertTrue(len([i for i in range(39) if seen[i] != seen[i + 1]]) > 8)

    def test_a_switch_that_opens(self):
        self.put(Chip(self.signals, closed_level=1))
        self.signals.extend(60_000, {}, {"door": [[2000, 1, 3000]]})
        driver = Contact(self.pin, closed_level=1)
        self.assertEqual(driver.read(), (1, 0))
        self.run_until(driver, 4000)
        self.assertEqual(driver.read(), (0, 0))
        self.run_until(driver, 6000)
        self.assertEqual(driver.read(), (1, 1))

    def test_pulled_out_it_is_open_and_put_back_it_closes(self):
        self.signals.extend(60_000, {}, {})
        driver = Contact(self.pin)
        self.assertEqual(driver.read(), (1, 0))
        self.chip.plugged = False
        self.run_until(driver, 1000)
        self.assertEqual(driver.read(), (0, 0))
        self.chip.plugged = True
        self.run_until(driver, 2000)
        self.assertEqual(driver.read(), (1, 1))

    def test_nothing_is_wired(self):
        self.assertEqual(Contact(make({"kind": "input", "pin": 19}, Contact)).read(), (0, 0))

    def test_waits(self):
        self.signals.extend(60_000, {}, {"door": [[2000, 1, 3000]]})
        driver = Contact(self.pin)
        self.assertEqual(driver.start(), 0)
        self.assertEqual(driver.poll(), 200)
        self.bench.now_ms = 2200
        self.assertEqual([driver.poll(), driver.poll(), driver.poll()], [20, 20, 200])


if __name__ == "__main__":
    unittest.main()
