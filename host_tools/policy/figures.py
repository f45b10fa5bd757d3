# SPDX-License-Identifier: MIT
"""Numbers of a policy, as people read them: amounts with their unit, times, fractions."""

from fractions import Fraction

from node.pipeline.quantities import QUANTITIES

_ONE = {"vehicles": "vehicle", "people": "person"}
STATISTICS = {
    "count": "the number of samples", "sum": "the sum", "mean": "the mean",
    "min": "the lowest", "max": "the highest", "last": "the last value",
    "sum_squares": "the sum of squares", "histogram": "the histogram",
}  # fmt: skip
_UNITS_S = ((86_400, "day", "days"), (3600, "hour", "hours"), (60, "min", "min"), (1, "s", "s"))


def amount(quantity: str, value: int) -> str:
    """`value`, in the quantity's scale, as a number with its unit: 0.1 µg/m³."""
    unit = QUANTITIES[quantity][0]
    unit = _ONE.get(unit, unit) if value == 1 else unit
    return f"{number(quantity, value)} {unit}".rstrip()


def number(quantity: str, value: int) -> str:
    """`value`, in the quantity's scale, without its unit."""
    scale = QUANTITIES[quantity][1]
    text = f"{abs(value) // scale:,}"
    rest = f"{abs(value) % scale:0{len(str(scale)) - 1}d}".rstrip("0") if scale > 1 else ""
    return ("-" if value < 0 else "") + text + (f".{rest}" if rest else "")


def rough(value: int) -> int:
    """To three digits, and not below it: for what is said to be at most."""
    unit = 10 ** max(0, len(str(value)) - 3)
    return -(-value // unit) * unit


def between(quantity: str, low: int, high: int) -> str:
    """From one amount to another: 0 to 500 µg/m³."""
    return f"{number(quantity, low)} to {amount(quantity, high)}"


def duration(seconds: int) -> str:
    """15 min, 1 hour, 1 day."""
    for length, one, many in _UNITS_S:
        if seconds % length == 0:
            count = seconds // length
            return f"{count} {one if count == 1 else many}"
    raise ValueError("a duration is a whole number of seconds")


def each(seconds: int) -> str:
    """each 15 min, each hour, each day."""
    one = duration(seconds).removeprefix("1 ")
    return "each " + {"min": "minute", "s": "second"}.get(one, one)


def decimal(fraction: Fraction) -> str:
    """A fraction for the eye: 1, 0.5, or 1/24 (0.042)."""
    if fraction.denominator == 1:
        return f"{fraction.numerator:,}"
    short = f"{float(fraction):.3g}"
    return short if Fraction(short) == fraction else f"{fraction} ({short})"


def count(number: int, noun: str, nouns: str = "") -> str:
    """1 release, 96 releases; nouns: of a noun that takes no s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def joined(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if words[1:] else words[0]


def streams(numbers: list[int]) -> str:
    """stream 3; streams 1 to 3 and 240: the numbers rise."""
    spans = []
    for one in numbers:
        if spans and one == spans[-1][1] + 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    words = []
    for first, last in spans:
        words += [f"{first} to {last}"] if last > first + 1 else map(str, sorted({first, last}))
    return ("streams " if numbers[1:] else "stream ") + joined(words)


def what_leaves(quantity: str, statistics) -> str:
    """the sum and the mean of energy_mwh leave"""
    words = [STATISTICS[statistic] for statistic in statistics]
    return f"{joined(words)} of {quantity} {'leave' if words[1:] else 'leaves'}"
