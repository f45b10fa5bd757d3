# SPDX-License-Identifier: MIT
"""host_tools/policy/figures.py: numbers as check, show and diff tell them."""

from fractions import Fraction

import pytest

from host_tools.policy import figures


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        ("temperature_mc", 100, "0.1 °C"),
        ("temperature_mc", -40_000, "-40 °C"),
        ("temperature_mc", -50, "-0.05 °C"),
        ("pressure_pa", 110_000, "1,100 hPa"),
        ("vehicles", 1, "1 vehicle"),
        ("people_leftward", 1, "1 person"),
        ("people_leftward", 0, "0 people"),
        ("old_seals", 99, "99"),
        ("power_factor_permille", 10, "0.01"),
    ],
)
def test_amounts(quantity, value, text):
    assert figures.amount(quantity, value) == text


def test_times_fractions_and_lists():
    times = [figures.each(size) for size in (1, 90, 60, 900, 3600, 7200, 86_400)]
    assert times == [
        "each second", "each 90 s", "each minute", "each 15 min", "each hour",
        "each 2 hours", "each day",
    ]  # fmt: skip
    assert [figures.decimal(Fraction(text)) for text in ("3", "1/2", "1/96")] == [
        "3", "0.5", "1/96 (0.0104)",
    ]  # fmt: skip
    assert [figures.joined(list(words)) for words in ("a", "ab", "abc")] == [
        "a", "a and b", "a, b and c",
    ]  # fmt: skip
    assert figures.streams([3]) == "stream 3"
    assert figures.streams([1, 2, 3, 7, 240, 241]) == "streams 1 to 3, 7, 240 and 241"
