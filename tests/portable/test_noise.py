# SPDX-License-Identifier: MIT
"""node/policy/noise.py: the draws, step by step and by their sums. How well they fit the exact
distribution is in tests/privacy/test_noise_fit.py."""

import unittest

from node.policy.noise import Noise, discrete_laplace


class Script:
    """Uniform integers that are known beforehand: (n, value) in the order they are asked for."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def below(self, n):
        wanted, value = self.steps.pop(0)
        if wanted != n:
            raise ValueError("below(%d) was asked for, not %d" % (n, wanted))
        return value


# exp(−1) by its chain: 0 < 1 always holds for k = 1, and the chain breaks at an odd or even k.
YES = ((1, 0), (2, 0), (3, 1))  # breaks at 3
NO = ((1, 0), (2, 1))  # breaks at 2


class TestSteps(unittest.TestCase):
    def draw(self, numerator, denominator, *steps):
        script = Script(*steps)
        drawn = discrete_laplace(script.below, numerator, denominator)
        self.assertEqual(script.steps, [])
        return drawn

    def test_the_parts_of_a_draw(self):
        # scale 5: low 3, kept as exp(−3/5) breaks at 1; high 2; positive, negative
        steps = ((5, 3), (5, 3)) + YES + YES + NO
        self.assertEqual(self.draw(5, 1, *steps + ((2, 0),)), 13)
        self.assertEqual(self.draw(5, 1, *steps + ((2, 1),)), -13)
        # scale 5/2: the same, halved and rounded down
        self.assertEqual(self.draw(5, 2, *steps + ((2, 1),)), -6)

    def test_a_low_part_may_be_refused(self):
        refused = ((5, 3), (5, 2), (10, 3))  # exp(−3/5) breaks at 2
        kept = ((5, 1), (5, 0), (10, 0), (15, 1))  # exp(−1/5) breaks at 3
        self.assertEqual(self.draw(5, 1, *refused + kept + NO + ((2, 0),)), 1)

    def test_minus_nought_is_drawn_again(self):
        nought = ((2, 0), (2, 0)) + NO
        one = ((2, 1), (2, 1)) + NO
        self.assertEqual(self.draw(2, 1, *nought + ((2, 0),)), 0)
        self.assertEqual(self.draw(2, 1, *nought + ((2, 1),) + one + ((2, 1),)), -1)

    def test_the_fraction_is_reduced(self):
        steps = ((5, 3), (5, 3)) + YES + NO + ((2, 0),)
        for factor in (1, 7, 1 << 80):
            self.assertEqual(self.draw(5 * factor, 2 * factor, *steps), 4)

    def test_a_scale_is_above_nought(self):
        for numerator, denominator in ((0, 1), (1, 0), (-1, 1), (1, -1), (-1, -1)):
            with self.assertRaises(ValueError):
                self.draw(numerator, denominator)


class TestUniform(unittest.TestCase):
    def test_integers_below(self):
        noise = Noise(bytes(32))
        for n in (1, 2, 3, 200, 256, 257, 65_536, 65_537, (1 << 40) + 1, 1 << 64, (1 << 90) + 5):
            drawn = [noise.below(n) for _ in range(60)]
            self.assertTrue(min(drawn) >= 0 and max(drawn) < n)
            self.assertTrue(n == 1 or max(drawn) * 2 >= n > min(drawn) * 2)

    def test_each_of_a_few_is_as_likely(self):
        noise = Noise(bytes(32))
        for n in (2, 3, 5, 7):
            counts = [0] * n
            for _ in range(600 * n):
                counts[noise.below(n)] += 1
            self.assertTrue(min(counts) > 480 and max(counts) < 720)  # 5 deviations of 24

    def test_bytes_are_used_once(self):
        """Four and four of them are the generator's own sequence."""
        noise, same = Noise(bytes(32)), Noise(bytes(32))
        drawn = [noise.below(1 << 32) for _ in range(64)]
        self.assertEqual(len(set(drawn)), 64)
        for at in range(0, 64, 8):
            chunk = same._drbg.generate(32)
            wanted = [int.from_bytes(chunk[i : i + 4], "big") for i in range(0, 32, 4)]
            self.assertEqual(drawn[at : at + 8], wanted)


class TestNoise(unittest.TestCase):
    def test_no_noise_without_a_seed(self):
        for seed in (None, b"", bytes(31)):
            with self.assertRaises(ValueError):
                Noise(seed)

    def test_what_a_seed_gives_is_the_same_everywhere(self):
        noise = Noise(bytes(range(32)))
        self.assertEqual(
            [noise.draw(10, 1) for _ in range(12)], [-2, -9, 3, 0, -4, 8, -1, -14, -14, -7, -9, -8]
        )

    def test_sums_of_many(self):
        """For q = exp(−1/t): E x = 0, E |x| = 2q / (1 − q²), P(0) = (1 − q) / (1 + q)."""
        noise, n = Noise(b"\x05" * 32), 3000
        # scale, and in 10,000ths: E |x|, P(0), standard deviation of x
        for scale, size, nought, deviation in (
            (1, 8509, 4621, 13_570), (10, 99_833, 500, 141_363)
        ):  # fmt: skip
            drawn = [noise.draw(scale * 3, 3) for _ in range(n)]
            # four deviations of the mean of n = 3000, whose root is above 54
            self.assertTrue(abs(sum(drawn)) * 10_000 < 4 * deviation * n // 54)
            sizes = sum([abs(x) for x in drawn])
            self.assertTrue(abs(sizes * 10_000 - size * n) < 4 * deviation * n // 54)
            noughts = len([1 for x in drawn if x == 0])
            self.assertTrue(abs(noughts * 10_000 - nought * n) < 4 * 5000 * n // 54)

    def test_a_large_scale_has_no_end(self):
        noise = Noise(bytes(32))
        for numerator, denominator in ((1 << 40, 1), ((1 << 70) + 1, 1 << 30)):
            drawn = [abs(noise.draw(numerator, denominator)) for _ in range(40)]
            scale = numerator // denominator
            self.assertTrue(scale // 3 < sum(drawn) // 40 < scale * 3)
            self.assertTrue(len(set(drawn)) == 40)


if __name__ == "__main__":
    unittest.main()
