# SPDX-License-Identifier: MIT
"""node/pipeline/protect.py: k, totals of parts, and noise, each by an example. policy_fuzz.py has
all the others."""

import unittest

from policy_fixture import rules, stream

from node.pipeline.minimise import Minimiser
from node.policy import noise
from node.policy.rules import Policy

NOON = 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200


def played(streams, readings, interval_s=60, seed=None):
    """What each window's end gives, of vehicles counted each minute."""
    minimiser = Minimiser(Policy(rules(*streams)), {"vehicles": interval_s}, None, seed)
    minimiser.follow(NOON - 1, 1)
    minimiser.close()
    given = []
    for minute, value in enumerate(readings):
        minimiser.add("vehicles", value)
        while minimiser.next_instant_s <= NOON + (minute + 1) * interval_s:
            given.append(minimiser.close())
    return given


def total(readings, statistics=("sum",), k=10):
    """The values of a total of four parts of two minutes each."""
    streams = (
        stream(1, "vehicles", 120, ("sum",), k=k), stream(2, "vehicles", 480, statistics, k=k)
    )  # fmt: skip
    return played(streams, readings)[-1][1][2:]


class TestK(unittest.TestCase):
    def test_below_k_the_whole_record_is_withheld(self):
        line = stream(1, "vehicles", 120, ("count", "sum", "max"), k=10)
        given = played([line], [5, 4, 5, 5])
        self.assertEqual([records[0][2:] for records in given], [[None] * 3, [2, 10, 5]])

    def test_the_true_sum_is_compared_not_the_rounded(self):
        line = stream(1, "vehicles", 120, ("sum",), k=10, resolution=5, high=12)
        given = played([line], [4, 5, 20, 20])
        self.assertEqual([records[0][2] for records in given], [None, 2])

    def test_a_total_with_no_part_withheld(self):
        self.assertEqual(total([5] * 8), [40])

    def test_one_part_withheld_withholds_the_total(self):
        self.assertEqual(total([3, 3] + [20] * 6), [None])

    def test_parts_that_may_be_anything(self):
        """Three withheld: their sum r must be from k to 2 · 9."""
        self.assertEqual(total([3, 3, 3, 3, 6, 0, 20, 20]), [58])
        self.assertEqual(total([3, 3, 3, 3, 7, 0, 20, 20]), [None])  # r = 19: none was 0
        self.assertEqual(total([0, 0, 0, 0, 9, 0, 20, 20]), [None])  # r = 9 < k
        self.assertEqual(total([1, 0, 0, 0, 9, 0, 20, 20]), [50])

    def test_a_part_that_is_lost_withholds_the_total(self):
        """The sum of a part is not told of one minute in two, and that of the total would be."""
        streams = (
            stream(1, "vehicles", 120, ("sum",), k=10), stream(2, "vehicles", 2400, ("sum",), k=10)
        )  # fmt: skip
        minimiser = Minimiser(Policy(rules(*streams)), {"vehicles": 60})
        minimiser.follow(NOON - 1, 1)
        minimiser.close()
        for minute in range(40):
            if minute != 7:
                minimiser.add("vehicles", 9)
            while minimiser.next_instant_s <= NOON + (minute + 1) * 60:
                records = minimiser.close()
        self.assertEqual(records[1][2:], [None])

    def test_a_total_tells_no_single_reading_of_its_parts(self):
        """Three parts of two minutes, 18 together: with a minimum of 3 each would be 6."""
        readings = [3, 3, 3, 3, 3, 3, 20, 20]
        self.assertEqual(total(readings), [58])
        self.assertEqual(total(readings, ("sum", "count", "mean")), [58, 8, 7])
        for single in ("min", "max", "last"):
            self.assertEqual(total(readings, ("sum", single)), [None, None])
            self.assertEqual(total([20] * 8, ("sum", single)), [160, 20])


class TestNoise(unittest.TestCase):
    def setUp(self):
        self.asked = asked = []
        self.given = given = []

        class Known:
            def __init__(self, seed):
                pass

            def draw(self, numerator, denominator):
                asked.append((numerator, denominator))
                return given.pop(0)

        self.real, noise.Noise = noise.Noise, Known

    def tearDown(self):
        noise.Noise = self.real

    def test_it_is_drawn_once_for_each_window_and_ahead(self):
        line = stream(1, "vehicles", 120, ("count", "sum", "max"), high=50, noise=[3, 1, 96])
        self.given += [7, -100, 1, 2]
        minimiser = Minimiser(Policy(rules(line)), {"vehicles": 60}, None, bytes(32))
        minimiser.follow(NOON - 1, 1)
        minimiser.close()
        told = []
        for _ in range(2):
            self.asked.clear()
            minimiser.draw_ahead()
            self.assertEqual(self.asked, [(288, 1)] * 2)
            minimiser.add("vehicles", 20)
            minimiser.add("vehicles", 25)
            minimiser.draw_ahead()
            told.append(minimiser.close()[0][2:])
            self.assertEqual(len(self.asked), 2)
        self.assertEqual(told, [[2, 50, 0], [2, 46, 27]])  # clamped before, and again

    def test_k_is_compared_with_the_noisy_sum(self):
        line = stream(1, "vehicles", 60, ("sum",), k=10, noise=[1, 1, 4])
        self.given += [-1, 7, 0]
        given = played([line], [10, 3, 10], seed=bytes(32))
        self.assertEqual([records[0][2] for records in given], [None, 10, 10])

    def test_noise_hides_parts(self):
        streams = (
            stream(1, "vehicles", 60, ("sum",), k=10, noise=[1, 1, 4]),
            stream(2, "vehicles", 120, ("sum",), k=10, noise=[1, 1, 4]),
        )
        self.given += [-20, 1, 2]
        given = played(streams, [10, 10], seed=bytes(32))
        self.assertEqual(given, [[[1, NOON // 60, None]],
                                 [[1, NOON // 60 + 1, 11], [2, NOON // 120, 22]]])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
