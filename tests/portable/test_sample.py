# SPDX-License-Identifier: MIT
"""node/pipeline/sample.py: sampling times, settling, and sensors that fail."""

import unittest

from node.errors import CHECKSUM, SensorFault
from node.pipeline.sample import Sensor

ENTRY = {"part": "part", "interval_s": 10, "ranges": {"co2_ppm": [350, 40_000]}}
NOON_MS = 1_800_014_400_000


class Driver:
    QUANTITIES = ("temperature_mc", "co2_ppm")
    SETTLE_MS = 0
    wait_ms = 200
    answer = (20_000, 400)

    def start(self):
        return self.wait_ms

    def read(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Bench:
    """Makes drivers, and counts them."""

    def __init__(self):
        self.made = 0
        self.refuse = None
        self.driver = None

    def make(self):
        if self.refuse:
            raise self.refuse
        self.made += 1
        self.driver = Driver()
        return self.driver


class TestSensor(unittest.TestCase):
    def setUp(self):
        self.bench = Bench()
        self.sensor = Sensor(ENTRY, self.bench.make)

    def run_until(self, from_ms, to_ms):
        """Steps at the times that the sensor asks for; returns [(time, readings), ...]."""
        seen, now = [], from_ms
        while now <= to_ms:
            readings = self.sensor.step(now)
            if readings:
                seen.append((now - NOON_MS, readings))
            now = max(now + 1, self.sensor.next_ms())
        return seen

    def test_times_are_multiples_of_the_interval(self):
        seen = self.run_until(NOON_MS + 3_456, NOON_MS + 35_000)
        self.assertEqual([at for at, _ in seen], [10_200, 20_200, 30_200])
        self.assertEqual(seen[0][1], [("co2_ppm", 400)])  # the kit uses this one only
        self.assertEqual(self.sensor.samples, 3)

    def test_a_late_step_skips_what_it_missed(self):
        self.assertEqual(self.sensor.step(NOON_MS), [])
        self.assertEqual(len(self.sensor.step(NOON_MS + 25_000)), 1)
        self.sensor.step(NOON_MS + 25_001)
        self.assertEqual(self.sensor.next_ms(), NOON_MS + 25_201)

    def test_each_kind_of_failure_is_counted_and_the_driver_made_anew(self):
        self.run_until(NOON_MS, NOON_MS + 1000)
        for failure in (SensorFault(CHECKSUM), OSError(19), ValueError("a bug"), IndexError()):
            faults, made = self.sensor.faults, self.bench.made
            self.bench.driver.answer = failure
            start = self.sensor.next_ms()
            self.assertEqual(self.run_until(start, start + 9_000), [])
            self.assertEqual(self.sensor.faults, faults + 1)
            self.assertEqual(len(self.run_until(start + 10_000, start + 19_000)), 1)
            self.assertEqual(self.bench.made, made + 1)

    def test_a_sensor_that_is_pulled_out_and_put_back(self):
        self.bench.refuse = OSError(19)
        self.assertEqual(self.run_until(NOON_MS, NOON_MS + 29_000), [])
        self.assertEqual(self.sensor.faults, 3)
        self.bench.refuse = None
        self.assertEqual(len(self.run_until(NOON_MS + 30_000, NOON_MS + 39_000)), 1)

    def test_a_value_outside_its_physical_range_is_a_fault(self):
        self.run_until(NOON_MS, NOON_MS + 1000)
        self.bench.driver.answer = (20_000, 349)
        self.assertEqual(self.run_until(NOON_MS + 10_000, NOON_MS + 19_000), [])
        self.assertEqual(self.sensor.faults, 1)

    def test_nothing_new_yet_is_neither_reading_nor_fault(self):
        self.run_until(NOON_MS, NOON_MS + 1000)
        self.bench.driver.answer = None
        self.assertEqual(self.run_until(NOON_MS + 10_000, NOON_MS + 19_000), [])
        self.assertEqual((self.sensor.faults, self.sensor.samples), (0, 1))

    def test_settling_readings_are_discarded(self):
        Driver.SETTLE_MS = 15_000
        try:
            seen = self.run_until(NOON_MS, NOON_MS + 39_000)
        finally:
            Driver.SETTLE_MS = 0
        self.assertEqual([at for at, _ in seen], [20_200, 30_200])

    def test_a_clock_set_back_does_not_stop_sampling(self):
        self.run_until(NOON_MS, NOON_MS + 1000)
        self.sensor.shift(-7_200_000)
        self.assertEqual(len(self.run_until(NOON_MS - 7_200_000, NOON_MS - 7_180_001)), 2)

    def test_a_step_of_the_clock_takes_neither_driver_nor_settling_time(self):
        Driver.SETTLE_MS = 60_000
        try:
            self.assertEqual(self.run_until(0, 40_000), [])
            self.sensor.shift(NOON_MS)
            seen = self.run_until(NOON_MS + 40_000, NOON_MS + 80_000)
        finally:
            Driver.SETTLE_MS = 0
        self.assertEqual([at for at, _ in seen], [60_200, 70_200])
        self.assertEqual(self.bench.made, 1)


if __name__ == "__main__":
    unittest.main()
