# SPDX-License-Identifier: MIT
"""Nothing leaves that the policy does not name, never finer, sooner or less noisy: ten thousand
policies and readings by chance (policy_fuzz.py); `python -m tests.soak policy` plays a million."""

import unittest

from policy_fuzz import Fuzzer, Recorded
from policy_model import Finding, attack

from node.pipeline import minimise, protect
from node.policy import noise, rules

CASES = 10_000
SEED = 20_260_301


def play(fuzzer, cases):
    for number in range(cases):
        try:
            fuzzer.case()
        except Exception:
            print("case", number)
            raise


class TestPolicyFuzz(unittest.TestCase):
    def test_by_chance(self):
        fuzzer = Fuzzer(SEED)
        play(fuzzer, CASES)
        # each way of going on was seen, and often
        self.assertTrue(fuzzer.records > 40_000 and fuzzer.values > 40_000)
        self.assertTrue(fuzzer.noisy > 20_000 and fuzzer.anew > 5000 and fuzzer.twice > 200)
        self.assertTrue(fuzzer.withheld > 10_000 and fuzzer.told > 5000)
        self.assertTrue(fuzzer.hidden_totals > 300)
        self.assertTrue(fuzzer.totals > 1000 and fuzzer.told_totals > 100)
        self.assertTrue(fuzzer.renewed > 1000)


class TestFindings(unittest.TestCase):
    """Each kind of fault is found: the firmware is broken in one place, and plays until it is."""

    def found(self, owner, name, wrong, cases=1500):
        right = getattr(owner, name)
        setattr(owner, name, wrong(right))
        try:
            fuzzer = Fuzzer(SEED)
            for _ in range(cases):
                try:
                    fuzzer.case()
                except Finding:
                    return True
        finally:
            setattr(owner, name, right)
        return False

    def test_finer_than_the_resolution(self):
        def wrong(right):
            def steps(self, statistic, total, count=1):
                value = right(self, statistic, total, count)
                return value if statistic == "count" or count == 1 else total // count

            return steps

        self.assertTrue(self.found(rules.Stream, "steps", wrong))

    def test_beyond_the_range(self):
        self.assertTrue(
            self.found(rules.Stream, "clamp", lambda right: lambda self, t, count=1: (t, count))
        )

    def test_a_total_that_gives_parts_away(self):
        self.assertTrue(
            self.found(protect.ProtectedWindow, "_hides_parts", lambda right: lambda self, k: True)
        )

    def test_less_noise(self):
        def wrong(right):
            def draw_noise(self):
                sensitivity, numerator, denominator = self.stream.noise
                return [
                    0 if s == "count" else self._draw(sensitivity * denominator, 2 * numerator)
                    for s in self.stream.statistics
                ]

            return draw_noise

        self.assertTrue(self.found(protect.ProtectedWindow, "_draw_noise", wrong))

    def test_noise_that_is_drawn_and_not_added(self):
        def wrong(right):
            return lambda self: [drawn // 2 for drawn in right(self)]

        self.assertTrue(self.found(protect.ProtectedWindow, "_draw_noise", wrong))

    def test_noise_that_is_used_twice(self):
        def wrong(right):
            def clear(self):
                kept = getattr(self, "_noise", None)
                right(self)
                self._noise = kept

            return clear

        self.assertTrue(self.found(protect.ProtectedWindow, "clear", wrong))

    def test_a_slot_that_comes_twice(self):
        self.assertTrue(
            self.found(minimise.Released, "__contains__", lambda right: lambda self, at: False)
        )

    def test_a_day_that_is_not_permitted(self):
        self.assertTrue(self.found(rules.Policy, "permits", lambda right: lambda self, at: True))

    def test_readings_of_another_quantity(self):
        def wrong(right):
            def add(self, quantity, value):
                for window in self._windows:
                    window.add(value)

            return add

        self.assertTrue(self.found(minimise.Minimiser, "add", wrong))

    def test_a_length_that_tells(self):
        self.assertTrue(
            self.found(rules.Stream, "longest_record", lambda right: lambda self: 9)
        )

    def test_the_real_noise_is_in_its_place_again(self):
        Fuzzer(SEED).case()
        self.assertTrue(noise.Noise is not Recorded)


class TestAttack(unittest.TestCase):
    def test_it_is_the_condition_of_the_readme(self):
        """n = 0, or k ≤ r ≤ (n − 1)(k − 1), of all parts there can be."""
        for k in (2, 3, 5):
            for n in (1, 2, 3, 4):
                for code in range(k**n):
                    parts = [code // k**i % k for i in range(n)]
                    possible = attack(parts, k) and sum(parts) >= k
                    self.assertEqual(possible, k <= sum(parts) <= (n - 1) * (k - 1))

    def test_it_is_what_counting_gives(self):
        """By all assignments of parts below k that have the sum."""
        k, n = 4, 3
        for total in range(n * (k - 1) + 1):
            seen = set()
            for code in range(k**n):
                parts = [code // k**i % k for i in range(n)]
                if sum(parts) == total:
                    seen.add(parts[0])
            self.assertEqual(attack([total, 0, 0], k), len(seen) == k)


if __name__ == "__main__":
    unittest.main()
