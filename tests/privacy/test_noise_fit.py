# SPDX-License-Identifier: MIT
"""The node's noise against the exact distribution: 200,000 samples. `python -m tests.soak noise`
takes ten million, and holds them against another sampler as well."""

from collections import Counter
from fractions import Fraction
from functools import cache

import pytest

from node.policy.noise import Noise
from tests.privacy.laplace import Laplace, upper_tail

SCALES = [Fraction(scale) for scale in ("1", "10", "24", "100/7", "9600", "1/3")]
EACH = 34_000
LEAST = 1 / 200  # of a bin's probability


@cache
def samples(scale, seed=b"\x2a" * 32):
    draw = Noise(seed).draw
    return Counter(draw(scale.numerator, scale.denominator) for _ in range(EACH))


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_chi_square(scale):
    drawn, exact = samples(scale), Laplace(scale, LEAST)
    assert sum(exact.probabilities()) == pytest.approx(1, abs=1e-12)
    assert exact.p_value(drawn) > 0.001
    mean, variance = exact.deviations(drawn)
    assert abs(mean) < 4
    assert abs(variance) < 4


def test_chi_square_finds_what_is_wrong():
    drawn = samples(Fraction(10))
    assert Laplace(Fraction(105, 10), LEAST).p_value(drawn) < 1e-6  # a scale 5 % too low
    even = Counter()
    for x, often in drawn.items():
        even[x - x % 2] += often
    for name, wrong in {
        "−0 is counted": drawn + Counter({0: drawn[0]}),
        "never 0": Counter({x: n for x, n in drawn.items() if x}),
        "one sign is likelier": Counter({x: n + n // 10 * (x > 0) for x, n in drawn.items()}),
        "even numbers alone, as a float's steps may be": even,
    }.items():
        assert Laplace(Fraction(10), LEAST).p_value(wrong) < 1e-6, name
    assert Laplace(Fraction(10), LEAST).p_value_of_two(drawn, even) < 1e-6


def test_two_samples_of_one_distribution():
    exact = Laplace(Fraction(24), LEAST)
    other = samples(Fraction(24), b"\x2b" * 32)
    assert exact.p_value_of_two(samples(Fraction(24)), other) > 0.001


def test_the_probabilities_are_the_definition():
    """Of scale 1 in bins of one value: by a sum over all x, as P(x) ∝ exp(−|x|)."""
    exact = Laplace(Fraction(1), 0.01)
    powers = [2.718281828459045**-x for x in range(60)]
    whole = 2 * sum(powers) - 1
    middle = len(exact.probabilities()) // 2
    assert exact.probabilities()[middle] == pytest.approx(1 / whole, abs=1e-12)
    assert exact.probabilities()[middle + 1] == pytest.approx(powers[1] / whole, abs=1e-12)
    assert exact.probabilities()[middle - 2] == pytest.approx(powers[2] / whole, abs=1e-12)


def test_theupper_tail():
    """Against the table of NIST/SEMATECH, e-Handbook of Statistical Methods, §1.3.6.7.4."""
    for freedom, statistic, p in ((2, 5.991, 0.05), (10, 29.588, 0.001), (100, 149.449, 0.001)):
        assert upper_tail(statistic, freedom) == pytest.approx(p, rel=2e-3)
