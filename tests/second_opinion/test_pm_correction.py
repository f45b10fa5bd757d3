# SPDX-License-Identifier: MIT
"""node/drivers/pm_correction.py against the formula in fractions, which are exact."""

import random
from decimal import Decimal
from fractions import Fraction

from node.drivers.pm_correction import correct


def epa_2021(pm_ngm3, humidity_mpct):
    """The formula as it is written, in µg/m³ and percent."""
    p, rh = Fraction(pm_ngm3, 1000), Fraction(humidity_mpct, 1000)
    number = lambda text: Fraction(Decimal(text))  # noqa: E731
    damp = number("5.75") - number("0.0862") * rh
    low = number("0.524") * p + damp
    middle = number("0.786") * p + damp
    high = number("2.966") + number("0.69") * p + number("8.84e-4") * p * p
    if p < 30:
        return low
    if p < 50:
        w = p / 20 - Fraction(3, 2)
        return (1 - w) * low + w * middle
    if p < 210:
        return middle
    if p < 260:
        w = p / 50 - number("4.2")
        return (1 - w) * middle + w * high
    return high


def rounded(value):
    """µg/m³ to whole ng/m³, half up, at least 0."""
    return max(0, (2 * value * 1000 + 1) // 2)


def test_every_step_of_a_microgram():
    for pm in range(0, 1_001_000, 1000):
        for humidity in (0, 1, 33_333, 50_000, 99_999, 100_000):
            assert correct(pm, humidity) == rounded(epa_2021(pm, humidity))


def test_around_the_borders_and_by_chance():
    chance = random.Random(1)
    places = [border + d for border in (0, 30_000, 50_000, 210_000, 260_000) for d in range(-9, 9)]
    places += [chance.randrange(1_000_000) for _ in range(20_000)]
    for pm in places:
        humidity = chance.randrange(100_001)
        if pm >= 0:
            assert correct(pm, humidity) == rounded(epa_2021(pm, humidity)), (pm, humidity)
