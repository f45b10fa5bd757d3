# SPDX-License-Identifier: MIT
"""node/drivers/s0_meter.py and pulse_count.py, against a bare counter and the chip model."""

import unittest

from driver_fixture import Random

from node.drivers.pulse_count import PulseCount
from node.drivers.s0_meter import S0Meter
from simulator.buses.counter import PulseCounter
from simulator.buses.signals import Signals
from simulator.chips.s0_meter import S0Meter as Chip

HOUR_MS = 3_600_000


class Edges:
    """A chip of which a test says the edges."""

    plugged = True
    wire = None

    def __init__(self):
        self.count = 0

    def edges(self, now_ms):
        return self.count


class TestPulseCount(unittest.TestCase):
    def test_each_pulse_is_counted_once_over_many_wraps(self):
        random, chip = Random(3), Edges()
        pulses = PulseCount(PulseCounter(lambda: 0, chip))
        total = 0
        for step in range(400):
            more = random.below(2000) if step % 7 else 32_766 if step % 2 else 0
            chip.count += more
            taken = pulses.take()
            self.assertEqual(taken, more)
            total += taken
        self.assertEqual(total, chip.count)
        self.assertTrue(total > 20 * 32_767)

    def test_the_counter_resets_to_zero_at_its_limit(self):
        chip = Edges()
        counter = PulseCounter(lambda: 0, chip)
        chip.count = 32_765
        pulses = PulseCount(counter)
        seen = []
        for _ in range(4):
            chip.count += 1
            seen.append((counter.value(), pulses.take()))
        self.assertEqual(seen, [(32_766, 1), (0, 1), (1, 1), (2, 1)])

    def test_pulses_before_construction_are_not_ours(self):
        chip = Edges()
        chip.count = 5000
        counter = PulseCounter(lambda: 0, chip)
        counter.value()
        pulses = PulseCount(counter)
        self.assertEqual(pulses.take(), 0)


class TestEnergy(unittest.TestCase):
    def test_nothing_is_lost_in_rounding(self):
        random = Random(5)
        for pulses_per_kwh in (1, 3, 7, 75, 375, 480, 800, 1000, 6400, 10_000):
            chip = Edges()
            meter = S0Meter(PulseCounter(lambda: 0, chip), pulses_per_kwh=pulses_per_kwh)
            total_mwh = 0
            for _ in range(60):
                chip.count += random.below(100)
                self.assertEqual(meter.start(), 0)
                (energy_mwh,) = meter.read()
                total_mwh += energy_mwh
            self.assertEqual(total_mwh, chip.count * 1_000_000 // pulses_per_kwh)

    def test_one_pulse(self):
        chip = Edges()
        meter = S0Meter(PulseCounter(lambda: 0, chip))
        self.assertEqual(meter.read(), (0,))
        chip.count = 1
        self.assertEqual(meter.read(), (1000,))  # 1000 pulses per kWh: 1 Wh


class TestWithChip(unittest.TestCase):
    def setUp(self):
        self.now_ms = 0
        self.signals = Signals()
        self.connect(1000)

    def connect(self, pulses_per_kwh):
        self.chip = Chip(self.signals, pulses_per_kwh=pulses_per_kwh)
        self.counter = PulseCounter(lambda: self.now_ms, self.chip)
        self.meter = S0Meter(self.counter, pulses_per_kwh=pulses_per_kwh)

    def pass_time(self, duration_ms, power_mw):
        points = [[self.now_ms, power_mw], [self.now_ms + duration_ms, power_mw]]
        self.signals.extend(self.now_ms + duration_ms, {"power_mw": points}, {})
        self.now_ms += duration_ms

    def test_steady_power(self):
        for pulses_per_kwh in (1000, 6400):
            self.now_ms = 0
            self.signals = Signals()
            self.connect(pulses_per_kwh)
            total_mwh = 0
            for _ in range(240):
                self.pass_time(15_000, 1_234_567)
                total_mwh += self.meter.read()[0]
            missing_mwh = 1_234_567 - total_mwh
            self.assertTrue(0 <= missing_mwh <= 1_000_000 // pulses_per_kwh, missing_mwh)

    def test_changing_power(self):
        random = Random(9)
        total_mwh = spent_mwms = 0
        for _ in range(200):
            power_mw = random.below(15_000_000)
            duration_ms = 1000 + random.below(30_000)
            self.pass_time(duration_ms, power_mw)
            spent_mwms += power_mw * duration_ms
            total_mwh += self.meter.read()[0]
        missing_mwh = spent_mwms // HOUR_MS - total_mwh
        self.assertTrue(0 <= missing_mwh <= 1000, missing_mwh)

    def test_gap_gives_no_pulses(self):
        self.pass_time(60_000, 15_000_000)
        self.meter.read()
        self.pass_time(60_000, None)
        self.assertEqual(self.meter.read(), (0,))
        self.pass_time(60_000, 15_000_000)
        self.assertEqual(self.meter.read(), (250_000,))

    def test_nothing_is_counted_beyond_what_is_known(self):
        self.pass_time(60_000, 3_600_000)
        self.now_ms += 30_000
        self.assertEqual(self.meter.read(), (60_000,))
        self.now_ms -= 30_000
        self.pass_time(60_000, 3_600_000)
        self.assertEqual(self.meter.read(), (60_000,))

    def test_unplug_and_replug(self):
        for powered_by_hand in (False, True):
            self.pass_time(60_000, 3_600_000)
            self.assertEqual(self.meter.read(), (60_000,))
            self.chip.plugged = False
            self.pass_time(600_000, 3_600_000)
            self.assertEqual(self.meter.read(), (0,))
            self.chip.plugged = True
            if powered_by_hand:
                self.chip.power_on(self.now_ms)
            self.assertEqual(self.meter.read(), (0,))
            self.pass_time(60_000, 3_600_000)
            self.assertEqual(self.meter.read(), (60_000,))

    def test_a_new_driver_begins_at_zero(self):
        self.pass_time(60_000, 3_600_000)
        self.meter.read()
        self.meter = S0Meter(self.counter)
        self.assertEqual(self.meter.read(), (0,))
        self.pass_time(60_000, 3_600_000)
        self.assertEqual(self.meter.read(), (60_000,))


if __name__ == "__main__":
    unittest.main()
