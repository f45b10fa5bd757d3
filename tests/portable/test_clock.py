# SPDX-License-Identifier: MIT
"""node/device/clock.py: what time is believed, and what it may be used for."""

import unittest

from bench_fixture import START_S, fresh_bench
from flash_fixture import fresh_flash

from node.device import flash_file
from node.device.clock import DAY_S, HOLD_MS, Clock
from simulator.hal import ticks

FLOOR_S = START_S - 5 * DAY_S
MS = 1000


class TestClock(unittest.TestCase):
    def setUp(self):
        fresh_flash()
        self.bench = fresh_bench()
        self.clock = Clock(FLOOR_S)

    def test_a_board_wakes_up_without_time(self):
        self.assertIsNone(self.clock.utc_ms())
        self.assertFalse(self.clock.may_close_windows())

    def test_uptime_goes_on_where_ticks_wrap(self):
        self.bench.now_ms = (1 << 30) - 10
        clock = Clock(FLOOR_S)
        first_ms = clock.uptime_ms()
        for expected in (0, 20, 1_000_020):
            self.bench.now_ms = (1 << 30) - 10 + expected
            self.assertEqual(clock.uptime_ms() - first_ms, expected)

    def test_sntp_gives_time_and_sets_the_boards_clock_for_tls(self):
        self.assertTrue(self.clock.set_utc_ms(START_S * MS))
        self.bench.sleep_ms(1500)
        self.assertEqual(self.clock.utc_ms(), START_S * MS + 1500)
        self.assertTrue(self.clock.may_close_windows())
        self.assertEqual(ticks.gmtime()[:6], (2027, 1, 15, 12, 0, 1))
        self.bench.check_certificate_dates()

    def test_a_time_before_the_floor_is_not_believed(self):
        self.assertFalse(self.clock.set_utc_ms(FLOOR_S * MS - 1))
        self.assertIsNone(self.clock.utc_ms())
        self.assertTrue(self.clock.set_utc_ms(FLOOR_S * MS))

    def test_nor_one_that_no_board_can_show(self):
        for year in (50, 73, 99):
            self.assertFalse(self.clock.set_utc_ms((START_S + year * 365 * DAY_S) * MS))
        self.assertIsNone(self.clock.utc_ms())

    def test_a_time_far_ahead_closes_no_window_and_replaces_no_good_one(self):
        ahead_ms = (FLOOR_S + 7 * DAY_S) * MS + 1
        self.assertFalse(self.clock.set_utc_ms(ahead_ms))  # so it is asked for again
        self.assertEqual(self.clock.utc_ms(), ahead_ms)  # good enough for TLS
        self.assertFalse(self.clock.may_close_windows())
        self.assertTrue(self.clock.set_utc_ms(START_S * MS))
        self.assertFalse(self.clock.set_utc_ms(ahead_ms))
        self.assertEqual(self.clock.utc_ms(), START_S * MS)

    def test_small_differences_are_left_alone_and_steps_are_counted(self):
        self.clock.set_utc_ms(START_S * MS)
        self.assertEqual(self.clock.steps, 1)
        self.clock.set_utc_ms(START_S * MS + 999)
        self.assertEqual((self.clock.steps, self.clock.utc_ms()), (1, START_S * MS))
        self.clock.set_utc_ms(START_S * MS - 1000)
        self.assertEqual((self.clock.steps, self.clock.utc_ms()), (2, START_S * MS - 1000))

    def test_sntp_never_moves_the_floor(self):
        self.clock.set_utc_ms((FLOOR_S + 6 * DAY_S) * MS)
        self.assertEqual(Clock(FLOOR_S).floor_s, FLOOR_S)
        self.assertEqual(self.clock.floor_s, FLOOR_S)

    def test_a_receipt_raises_the_floor_also_after_a_restart(self):
        self.clock.set_utc_ms(START_S * MS)
        self.clock.confirm(START_S - 10)
        self.assertEqual(self.clock.confirmed_s, START_S - 10)
        self.assertEqual(self.clock.utc_ms(), START_S * MS)  # it is a lower bound
        self.assertEqual(Clock(FLOOR_S).floor_s, START_S - 10)
        self.clock.confirm(START_S - 20)  # an older receipt takes nothing back
        self.assertEqual(self.clock.confirmed_s, START_S - 10)
        self.assertEqual(self.clock.floor_s, START_S - 10)

    def test_a_receipt_within_the_second_steps_nothing(self):
        self.clock.set_utc_ms(START_S * MS - 999)
        self.clock.confirm(START_S)
        self.assertEqual((self.clock.steps, self.clock.utc_ms()), (1, START_S * MS - 999))

    def test_a_clock_behind_a_receipt_is_set(self):
        self.clock.set_utc_ms((START_S - DAY_S) * MS)
        self.clock.confirm(START_S)
        self.assertEqual(self.clock.utc_ms(), START_S * MS)
        self.assertEqual(self.clock.steps, 2)

    def test_it_may_run_for_weeks_on_one_receipt(self):
        """What is confirmed runs on with the quartz, so 7 days are counted from now."""
        self.clock.set_utc_ms(START_S * MS)
        self.clock.confirm(START_S)
        for _ in range(40):
            self.bench.sleep_ms(DAY_S * MS)
            self.clock.uptime_ms()
        self.assertTrue(self.clock.may_close_windows())
        now_ms = self.clock.utc_ms()
        self.assertTrue(self.clock.set_utc_ms(now_ms - 40 * 86_400))  # a quartz 1000 ppm fast
        self.assertFalse(self.clock.set_utc_ms(now_ms - 2 * DAY_S * MS))
        self.assertEqual(self.clock.floor_s, START_S)

    def test_without_a_receipt_the_seven_days_are_counted_from_the_floor(self):
        first_ms = self.clock.uptime_ms()
        self.clock.set_utc_ms(START_S * MS)
        self.bench.sleep_ms(2 * DAY_S * MS)
        self.assertTrue(self.clock.may_close_windows())
        self.assertEqual(self.clock.offset_ms() + first_ms, START_S * MS)
        self.bench.sleep_ms(1)
        self.assertFalse(self.clock.may_close_windows())
        self.assertEqual(self.clock.offset_ms(), 0)

    def test_a_receipt_of_a_fresh_envelope_sets_a_clock_that_runs_ahead(self):
        self.clock.set_utc_ms((START_S + DAY_S) * MS)
        self.clock.confirm(START_S)  # it may have been under way for a day
        self.assertEqual(self.clock.utc_ms(), (START_S + DAY_S) * MS)
        self.clock.confirm(START_S, DAY_S * MS)
        self.assertEqual(self.clock.utc_ms(), (START_S + DAY_S) * MS)
        self.clock.confirm(START_S, 2000)
        self.assertEqual(self.clock.utc_ms(), START_S * MS + 2000)
        self.assertEqual(self.clock.steps, 2)

    def test_and_holds_it_against_forged_answers(self):
        self.clock.set_utc_ms(START_S * MS)
        self.clock.confirm(START_S, 2000)
        for wrong_s in (3600, -3600, 86_400, 365 * DAY_S, 6 * DAY_S):
            self.assertFalse(self.clock.set_utc_ms((START_S + wrong_s) * MS))
            self.assertEqual(self.clock.utc_ms(), START_S * MS)
        for _ in range(20):  # nor does it follow them step by step
            self.clock.set_utc_ms(self.clock.utc_ms() + HOLD_MS)
        self.assertTrue(self.clock.utc_ms() - START_S * MS <= HOLD_MS + 2000)

    def test_a_held_clock_moves_by_seconds_without_a_step(self):
        self.clock.set_utc_ms((START_S + 3) * MS)
        self.assertFalse(self.clock.is_held())
        self.clock.confirm(START_S, 2000)
        self.assertTrue(self.clock.is_held())
        answers = 0
        while not self.clock.set_utc_ms(START_S * MS):  # each time it asks to be told again soon
            answers += 1
        self.assertEqual((answers, self.clock.steps), (3, 1))
        self.assertTrue(abs(self.clock.utc_ms() - START_S * MS) < 1000)
        self.assertTrue(self.clock.set_utc_ms((START_S + 60) * MS))
        self.assertEqual((self.clock.steps, self.clock.utc_ms()), (2, (START_S + 60) * MS))

    def test_the_floor_is_written_again_after_a_write_that_failed(self):
        def fails(name, data):
            raise OSError(28)

        replace, flash_file.replace = flash_file.replace, fails
        try:
            self.clock.confirm(START_S)
            self.assertEqual((self.clock.floor_s, self.clock.kept_s()), (START_S, FLOOR_S))
        finally:
            flash_file.replace = replace
        self.clock.confirm(START_S + 1)
        self.assertEqual(self.clock.kept_s(), START_S + 1)
        self.assertEqual(Clock(FLOOR_S).floor_s, START_S + 1)


if __name__ == "__main__":
    unittest.main()
