# SPDX-License-Identifier: MIT
"""What one unit of privacy can change in the sums of a masked stream: what the controller's noise
is drawn from, and what `policy check` tells of it. All of it exact, in steps of the stream.

A unit adds at most `contribution` to a sum, spread over as many readings as it likes: how long it
lasts the rules do not say. Each reading is clamped and rounded to steps by itself, on the node.
"""

from fractions import Fraction

from node.policy.rules import Stream

BEYOND = 64  # scales: noise is further out once in 10^27 draws


def sensitivities(stream: Stream) -> list[int | None]:
    """Of each element of a masked stream with noise, rounded up: how far a unit moves it, and of a
    histogram how far it moves all bins together (L1), at each of its bins. None: a count of
    readings gets no noise, since it is a schedule and tells of no unit.

    A reading that a unit raises by d > 0, in the quantity's scale, moves by at most ceil(d /
    resolution) steps, and that is at most d: however coarse the steps, and however many readings
    share the contribution, a sum moves by no more than `contribution` steps. With steps of 1 that
    is what it adds; with coarser ones each touched reading may be rounded up by nearly a step, and
    nothing bounds how many are touched.
    """
    moved = stream.noise[0]
    found = []
    for statistic in stream.statistics:
        if statistic == "histogram":  # each reading that is touched leaves one bin for another
            found += [2 * moved] * (len(stream.bins) + 1)
        elif statistic == "sum_squares":  # |s² − t²| = |s − t| · |s + t|
            found.append(2 * moved * largest_step(stream))
        else:
            found.append(moved if statistic == "sum" else None)
    return found


def scales(stream: Stream) -> list[Fraction | None]:
    """Of each element: the scale of its discrete Laplace, in steps; None without noise."""
    if not stream.noise:
        return [None] * stream.elements()
    _, numerator, denominator = stream.noise
    return [
        None if one is None else Fraction(one * denominator, numerator)
        for one in sensitivities(stream)
    ]


def token_epsilon(stream: Stream) -> Fraction:
    """What one opened range costs on each day that it has a part in: each statistic but the count
    costs its epsilon, a histogram once for all bins."""
    if not stream.noise:
        return Fraction(0)
    noisy = sum(statistic != "count" for statistic in stream.statistics)
    return noisy * Fraction(*stream.noise[1:])


def largest_step(stream: Stream) -> int:
    """The largest size of one reading, in steps."""
    return max(abs(step) for step in stream.limits("sum"))


def first_elements(stream: Stream) -> dict[str, int]:
    """{statistic: its place among the elements}, of a histogram that of its lowest bin."""
    found, at = {}, 0
    for statistic in stream.statistics:
        found[statistic] = at
        at += len(stream.bins) + 1 if statistic == "histogram" else 1
    return found
