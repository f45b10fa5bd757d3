# SPDX-License-Identifier: MIT
"""node/pipeline/minimise.py: windows, statistics in integers, and what is withheld."""

import unittest

from policy_fixture import rules

from node.pipeline.minimise import Minimiser, Released
from node.policy.rules import Policy

NOON = 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200


def policy(*streams):
    return Policy(rules(*streams))


ALL = [1, "temperature_mc", 300, ["count", "sum", "mean", "min", "max", "last"], 100,
       -40_000, 60_000, 0, None]  # fmt: skip


def watched(stream, values, interval_s=30):
    """The record of one window whose samples are `values`."""
    minimiser = Minimiser(policy(stream), {stream[1]: interval_s})
    minimiser.follow(NOON - 1, 1)
    minimiser.close()
    for value in values:
        minimiser.add(stream[1], value)
    return minimiser.close()


class TestStatistics(unittest.TestCase):
    def test_all_six_rounded_half_up_to_the_resolution(self):
        values = [20_149, 20_250, 20_350, 19_950, 20_049, 20_050, 20_000, 20_001, 20_002, 20_051]
        records = watched(ALL, values)
        slot = NOON // 300
        # sum 200 852 is clamped to the range's end, as every published value is
        self.assertEqual(records, [[1, slot, 10, 600, 201, 200, 204, 201]])

    def test_negative_values_round_half_up_too(self):
        stream = [1, "temperature_mc", 300, ["mean"], 100, -40_000, 60_000, 0, None]
        self.assertEqual(watched(stream, [-150] * 10)[0][2], -1)
        self.assertEqual(watched(stream, [-151] * 10)[0][2], -2)
        self.assertEqual(watched(stream, [-49] * 10)[0][2], 0)

    def test_values_are_clamped_to_the_range(self):
        stream = [1, "temperature_mc", 300, ["min", "max"], 100, 0, 1000, 0, None]
        self.assertEqual(watched(stream, [-700, 5000] * 5)[0][2:], [0, 10])

    def test_too_few_samples_give_null(self):
        stream = [1, "temperature_mc", 300, ["mean", "count", "sum"], 1, 0, 60_000, 0, None]
        self.assertEqual(watched(stream, [10] * 7)[0][2:], [None, 7, None])
        self.assertEqual(watched(stream, [10] * 8)[0][2:], [10, 8, None])
        self.assertEqual(watched(stream, [10] * 10)[0][2:], [10, 10, 100])

    def test_an_unnamed_quantity_goes_nowhere(self):
        minimiser = Minimiser(policy(ALL), {"temperature_mc": 30})
        minimiser.follow(NOON - 1, 1)
        minimiser.close()
        minimiser.add("co2_ppm", 400)
        self.assertEqual(minimiser.close()[0][2:], [0, None, None, None, None, None])


class TestWindows(unittest.TestCase):
    def setUp(self):
        self.short = [1, "co2_ppm", 300, ["count"], 1, 0, 5000, 0, None]
        self.long = [2, "co2_ppm", 900, ["count"], 1, 0, 5000, 0, None]
        self.minimiser = Minimiser(policy(self.short, self.long), {"co2_ppm": 30})

    def test_a_partial_first_window_is_discarded(self):
        self.minimiser.follow(NOON + 100, 1)
        self.assertEqual(self.minimiser.next_instant_s, NOON + 300)
        self.assertIsNone(self.minimiser.close())
        self.assertEqual(self.minimiser.close(), [[1, (NOON + 300) // 300, 0]])
        # watched only in part, the long window is named, so that the length tells nothing
        self.assertEqual(
            self.minimiser.close(), [[1, (NOON + 600) // 300, 0], [2, NOON // 900, None]]
        )

    def begin(self):
        """Watches from a second before noon on, and closes what ends then."""
        self.minimiser.follow(NOON - 1, 1)
        self.assertIsNone(self.minimiser.close())

    def test_a_start_on_the_very_instant_has_a_reading_too_many(self):
        self.minimiser.follow(NOON, 1)
        self.assertIsNone(self.minimiser.close())
        self.assertEqual(self.minimiser.close(), [[1, (NOON + 300) // 300, 0]])

    def test_all_windows_of_an_instant_come_together(self):
        self.begin()
        for _ in range(5):
            self.minimiser.add("co2_ppm", 400)
        self.assertEqual(self.minimiser.close(), [[1, NOON // 300, 5]])
        self.minimiser.close()
        self.assertEqual(
            self.minimiser.close(), [[1, (NOON + 600) // 300, 0], [2, NOON // 900, 5]]
        )

    def test_when_the_clock_is_set_windows_begin_anew(self):
        for to_s in (NOON + 86_400, NOON + 40, NOON - 100):
            self.setUp()
            self.begin()
            self.minimiser.add("co2_ppm", 400)
            self.minimiser.follow(to_s, 2)
            self.assertIsNone(self.minimiser.close())
            self.assertEqual(self.minimiser.close()[0][2], 0)

    def test_a_long_stand_still_begins_anew(self):
        self.begin()
        self.minimiser.add("co2_ppm", 400)
        self.minimiser.follow(NOON + 200, 1)
        self.assertEqual(self.minimiser.next_instant_s, NOON + 300)
        self.minimiser.follow(NOON + 7200 - 100, 1)
        self.assertEqual(self.minimiser.next_instant_s, NOON + 7200)

    def test_after_a_step_back_no_slot_comes_twice(self):
        self.begin()
        seen = [self.minimiser.close()[0][1]]
        self.minimiser.follow(NOON - 7200, 2)
        for _ in range(30):
            self.minimiser.follow(self.minimiser.next_instant_s, 2)
            instant_s = self.minimiser.next_instant_s
            records = self.minimiser.close()
            if records:
                seen.append(records[0][1])
            elif records is not None:
                self.assertEqual(instant_s, NOON + 300)
        self.assertTrue(len(seen) > 20)  # those before were never released, and are now
        self.assertEqual(len(seen), len(set(seen)))

    def test_released_spans_in_the_future_keep_back_themselves_alone(self):
        self.begin()
        ahead_s = 6 * 86_400
        released = set()

        def run(from_s, windows, steps):
            """Closes windows as time goes on; how many were released."""
            self.minimiser.follow(from_s, steps)
            count = 0
            for _ in range(windows):
                self.minimiser.follow(self.minimiser.next_instant_s, steps)
                records = self.minimiser.close()
                if records:
                    count += 1
                    self.assertFalse(records[0][1] in released)
                    released.add(records[0][1])
            return count

        self.assertEqual(run(NOON + ahead_s, 13, 2), 12)
        self.assertEqual(run(NOON, 13, 3), 12)
        self.assertEqual(run(NOON + ahead_s - 1500, 40, 4), 40 - 1 - 12)
        for step in range(5, 60):  # a clock that flaps: spans are few, and none comes twice
            run(NOON + (step % 3) * 86_400 + step * 900, 4, step)
        self.assertTrue(len(self.minimiser._released._spans) <= 24)

    def test_no_slot_comes_twice_after_a_power_cut(self):
        kept = []
        ahead_s = NOON + 6 * 86_400
        released = Released(keep=kept.append)
        for first_s in (ahead_s, NOON):  # a forged run of the clock, and the true one
            released.begin()
            for instant_s in range(first_s, first_s + 3600, 300):
                released.add(instant_s)
        self.assertEqual(len(kept), 3)  # one write for each, and one where the first has ended
        after = Released(kept[-1], NOON + 3300)
        for first_s in (ahead_s, NOON):
            for instant_s in range(first_s, first_s + 3600, 300):
                self.assertTrue(instant_s in after)
            self.assertFalse(first_s - 300 in after)
            self.assertFalse(first_s + 3600 in after)
        for garbage in (b"", b"123456789"):
            self.assertFalse(NOON in Released(garbage, NOON))
        self.assertTrue(len(kept[-1]) <= 240)

    def test_what_left_is_known_behind_a_row_of_envelopes_without_records(self):
        """After a power cut, when the outbox tells no newest instant any more."""
        kept, left = [], []
        self.minimiser = Minimiser(
            policy(self.short), {"co2_ppm": 30}, Released(keep=kept.append)
        )

        def run(from_s, windows, steps):
            """Closes windows as time goes on; what the last of them gives."""
            self.minimiser.follow(from_s, steps)
            records = None
            for _ in range(windows):
                instant_s = self.minimiser.next_instant_s
                self.minimiser.follow(instant_s, steps)
                records = self.minimiser.close()
                if records:
                    left.append(instant_s)
            return records

        def all_are_known():
            after = Released(kept[-1], None)
            return not [instant_s for instant_s in left if instant_s not in after]

        run(NOON + 86_399, 8, 1)  # a forged time, whose slots the true time will come to
        run(NOON - 1, 30, 2)
        self.assertEqual(run(NOON - 1, 20, 3), [])  # set back
        self.assertTrue(all_are_known())
        self.assertEqual(run(NOON + 83_000, 14, 4), [])  # it grows up to what was forged
        self.assertEqual(len(left), len(set(left)))
        self.assertTrue(all_are_known())

    def test_a_second_power_cut_before_anything_is_released(self):
        kept = []
        before = Released(keep=kept.append)
        for instant_s in (NOON, NOON + 300, NOON + 600):
            before.add(instant_s)
        once = Released(kept[-1], NOON + 600, kept.append)
        once.begin()  # a day passes with envelopes that tell nothing, or that do not open
        self.assertTrue(NOON + 600 in Released(kept[-1], None))
        once.begin()
        self.assertEqual(len(kept), 2)  # nothing new to write

    def test_what_the_flash_did_not_take_is_written_at_the_next_occasion(self):
        kept, broken = [], [True, False]
        released = Released(keep=lambda data: kept.append(data) if not broken.pop(0) else False)
        released.add(NOON)
        self.assertEqual(kept, [])
        released.settle()
        self.assertTrue(NOON in Released(kept[-1]))
        released.settle()
        self.assertEqual(len(kept), 1)

    def test_the_newest_instant_belongs_to_its_own_span(self):
        """A power cut after a span has begun, and before its first envelope is in the outbox."""
        kept = []
        released = Released(keep=kept.append)
        for first_s in (NOON + 86_400, NOON):
            released.begin()
            released.add(first_s)
            released.add(first_s + 300)
        after = Released(kept[-1], NOON + 86_700)
        self.assertTrue(NOON in after and NOON + 86_700 in after)
        self.assertFalse(NOON + 43_200 in after)

    def test_what_lies_between_spans_is_not_taken_by_a_power_cut(self):
        """Kept while nothing grows, as when a policy takes effect after the clock was set."""
        kept = []
        released = Released(keep=kept.append)
        for first_s in (NOON, NOON + 86_400):
            released.begin()
            for n in range(4):
                released.add(first_s + 300 * n)
        released.begin()
        released.keep()
        for again in (Released(kept[-1], NOON + 87_300, kept.append), None):
            after = again or Released(kept[-1], NOON + 87_300)
            self.assertTrue(NOON + 900 in after and NOON + 86_400 in after)
            self.assertTrue(NOON + 87_300 in after)
            self.assertFalse(NOON + 1200 in after or NOON + 86_100 in after)
            if again:
                again.keep()  # and once more, before the first of its own

    def test_forged_steps_take_no_slot_but_those_they_released(self):
        """A clock that flaps by half a day, while no receipt comes, and then one does."""
        released, taken = Released(), set()
        for step in range(60):
            at_s = NOON + step * 37 % 14 * 43_200 + step * 600
            released.begin()
            for instant_s in (at_s, at_s + 300):
                if instant_s not in released and released.add(instant_s, NOON - 9000, False):
                    taken.add(instant_s)
        self.assertEqual(len(released._spans), 20)  # full: what comes then is not released
        day = range(NOON, NOON + 7 * 86_400, 300)
        self.assertEqual([at for at in day if at in released], [at for at in day if at in taken])
        for days in range(7):  # a receipt holds the clock, and the floor rises with each day
            released.begin()
            for at_s in range(NOON + days * 86_400, NOON + days * 86_400 + 43_200, 300):
                if at_s not in taken:
                    self.assertFalse(at_s in released)
                    self.assertTrue(released.add(at_s, NOON + days * 86_400, True))
                    taken.add(at_s)
        for at_s in taken:
            self.assertTrue(at_s in released or at_s < NOON + 6 * 86_400)

    def test_a_held_clock_has_a_place_of_its_own(self):
        released = Released()
        for step in range(40):
            released.begin()
            kept = released.add(NOON + step * 86_400, 0, False)
            self.assertEqual(kept, step < 20)
        for step in range(40):
            released.begin()
            self.assertTrue(released.add(NOON + 600 + step * 600, 0, True))
        for step in range(20):
            self.assertTrue(NOON + step * 86_400 in released)
        self.assertFalse(NOON + 43_200 in released)

    def test_a_forged_step_ahead_does_not_silence_what_was_not_released(self):
        self.begin()
        self.minimiser.follow(NOON + 6 * 86_400, 2)
        self.minimiser.follow(NOON + 30, 3)
        self.assertEqual(self.minimiser.next_instant_s, NOON + 300)


if __name__ == "__main__":
    unittest.main()
