# SPDX-License-Identifier: MIT
"""node/pipeline/masked_window.py, and masked streams beside others in minimise.py."""

import unittest

from policy_fixture import rules, stream

from node import cbor
from node.errors import FormatError
from node.pipeline.masked_window import Hidden, MaskedWindow
from node.pipeline.minimise import Minimiser
from node.policy.rules import Policy, Stream

NOON = 1_800_014_400
ALL = ["count", "sum", "sum_squares", "histogram"]


def masked(number=1, quantity="co2_ppm", window_s=300, statistics=ALL, low=-50, high=100, k=0,
           noise=None, bins=(0, 50)):  # fmt: skip
    head = stream(number, quantity, window_s, statistics, 10, low, high, k, noise)
    return head + [list(bins) if "histogram" in statistics else []]


def values(fields, readings, expected=None, whole=True):
    window = MaskedWindow(Stream(fields))
    for value in readings:
        window.add(value)
    expected = len(readings) if expected is None else expected
    number, slot, hidden = window.record(NOON, expected, whole, [])
    assert (number, slot) == (fields[0], NOON // fields[2] - 1)
    return hidden.values


class TestMaskedWindow(unittest.TestCase):
    def test_each_reading_is_clamped_and_rounded_on_its_own(self):
        # steps of 10, half up: -5, -5, -1, 0, 1, 5, 10, 10
        readings = [-1000, -50, -6, -5, 5, 49, 100, 101]
        total, squares = -5 - 5 - 1 + 0 + 1 + 5 + 10 + 10, 25 + 25 + 1 + 0 + 1 + 25 + 100 + 100
        self.assertEqual(values(masked(), readings), [8, total, squares, 4, 2, 2])

    def test_bins_begin_with_their_edges(self):
        for value, wanted in ((-50, [1, 0, 0]), (-1, [1, 0, 0]), (0, [0, 1, 0]), (49, [0, 1, 0]),
                              (50, [0, 0, 1]), (999, [0, 0, 1]), (-999, [1, 0, 0])):  # fmt: skip
            fields = masked(statistics=["histogram", "count"])
            self.assertEqual(values(fields, [value])[:3], wanted)

    def test_elements_stand_in_the_order_of_the_statistics(self):
        got = values(masked(statistics=["sum", "histogram", "count"]), [10, 60])
        self.assertEqual(got, [7, 0, 1, 1, 2])

    def test_what_was_not_watched_whole_is_nothing(self):
        self.assertEqual(values(masked(), [10, 60], whole=False), [0] * 6)

    def test_too_few_samples_are_nothing(self):
        self.assertEqual(values(masked(), [10] * 18, expected=20), [0] * 6)
        self.assertEqual(values(masked(), [10] * 19, expected=20)[0], 19)

    def test_a_window_is_cleared(self):
        window = MaskedWindow(Stream(masked()))
        window.add(60)
        window.clear()
        self.assertEqual(window.record(NOON, 0, True, [])[2].values, [0] * 6)

    def test_nothing_encodes_it_but_a_mask(self):
        with self.assertRaises(FormatError):
            cbor.encode([1, 2, Hidden(None, [1])])


class TestMinimiser(unittest.TestCase):
    """Beside streams with k and noise, whose windows look at each other."""

    def test_k_and_noise_of_a_masked_stream_are_for_who_opens_it(self):
        policy = Policy(rules(
            masked(1, "vehicles", 300, ["count", "sum"], 0, 100, 50, (100, 1, 2)),
            stream(2, "vehicles", 300, ["sum"], 1, 0, 100, 5, (100, 1000, 1)),
            masked(3, "vehicles", 600, ["count", "sum"], 0, 100, 50),
        ))  # fmt: skip
        minimiser = Minimiser(policy, {"vehicles": 30}, None, bytes(32))
        minimiser.follow(NOON - 1, 1)
        minimiser.close()
        for _ in range(10):
            minimiser.add("vehicles", 0)
        minimiser.draw_ahead()
        first, second = minimiser.close()
        self.assertEqual(first[2].values, [10, 0])
        self.assertEqual(second[2:], [None])  # below k: those beside are told of it
        for _ in range(10):
            minimiser.add("vehicles", 40)
        third = minimiser.close()[-1]
        self.assertEqual(third[2].values, [20, 40])


if __name__ == "__main__":
    unittest.main()
