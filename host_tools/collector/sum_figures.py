# SPDX-License-Identifier: MIT
"""What an opened sum says, in the unit of its quantity."""

import dataclasses
import itertools
import math
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from host_tools.collector.read_store import shown
from node.pipeline.quantities import QUANTITIES
from node.policy.rules import Stream

PERCENTS = (10, 50, 85)  # the last: below which 85 of 100 drive, as road engineers count
_SURE = 0.95
_WIDE = Context(prec=99)  # sums of squares have more than the usual 28 digits


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number. value: in its unit, or "" where there is none; noise: in 19 of 20 cases the
    noise is not larger, "" without; low, high: of a bin or a percentile the limits, or ""."""

    statistic: str
    unit: str
    value: str = ""
    noise: str = ""
    low: str = ""
    high: str = ""


def figures(stream: Stream, elements, scales) -> list[Figure]:
    """elements: as open_sums() gives them; scales: of their noise, as the token has them."""
    bounds = [None if scale is None else noise_bound(*scale) for scale in scales]
    by_name, at = {}, 0
    for statistic in stream.statistics:
        length = len(stream.bins) + 1 if statistic == "histogram" else 1
        by_name[statistic] = elements[at : at + length], bounds[at : at + length]
        at += length
    found = [_added(stream, name, by_name[name]) for name in _SIMPLE if name in by_name]
    found += _moments(stream, by_name)
    if "histogram" in by_name:
        found += _percentiles(stream, *by_name["histogram"])
        found += _bins(stream, *by_name["histogram"])
    return found


def noise_bound(numerator: int, denominator: int) -> int:
    """The smallest t for which discrete Laplace noise of scale numerator / denominator is within
    ±t in 19 of 20 cases: P(|noise| > t) = 2 q^(t+1) / (1 + q), q = exp(-denominator/numerator)."""
    rate = denominator / numerator
    outside = (1 - _SURE) * (1 + math.exp(-rate)) / 2
    return max(0, math.ceil(-math.log(outside) / rate) - 1)


def by_noise(value: str, noise: str) -> tuple[str, str]:
    """Both as far as the noise lets them mean something: to its second digit, the noise rounded up
    (JCGM 100:2008, 7.2.6). 124521.462 and 3025.690 are 124500 and 3100."""
    bound = Decimal(noise)
    place = max(bound.adjusted() - 1, bound.as_tuple().exponent)
    step = Decimal(1).scaleb(place)
    near = Decimal(value).quantize(step, context=_WIDE)
    bound = bound.quantize(step, ROUND_CEILING, context=_WIDE)
    return f"{_WIDE.add(near, 0):f}", f"{bound:f}"  # + 0: zero has no sign


_SIMPLE = ("count", "sum", "sum_squares")


def _step(stream: Stream, statistic: str) -> tuple[str, int, int]:
    """(unit, scale, resolution) of one element: its value is element · resolution / scale."""
    unit, scale, _, _ = QUANTITIES[stream.quantity]
    if statistic == "sum":
        return unit, scale, stream.resolution
    if statistic == "sum_squares":
        return _squared(unit), scale**2, stream.resolution**2
    return "samples", 1, 1


def _squared(unit: str) -> str:
    return f"({unit})²" if unit else ""


def _added(stream: Stream, statistic: str, found: tuple) -> Figure:
    (element,), (bound,) = found
    unit, scale, resolution = _step(stream, statistic)
    noise = "" if bound is None else shown(bound * resolution, scale, resolution)
    return Figure(statistic, unit, shown(element * resolution, scale, resolution), noise)


def _moments(stream: Stream, by_name: dict) -> list[Figure]:
    """Mean and variance, where the elements for them are there; "" where noise has made them
    impossible, or nothing was measured."""
    if "sum" not in by_name:
        return []
    unit, scale, resolution = _step(stream, "sum")
    (count,), (count_bound,) = by_name["count"]
    (total,), (bound,) = by_name["sum"]
    step = Fraction(resolution, scale)
    mean = Fraction(total, count) if count > 0 else None
    noise = ""
    if mean is not None and bound is not None and count_bound is None:
        noise = _decimal(Fraction(bound, count) * step)
    found = [Figure("mean", unit, "" if mean is None else _decimal(mean * step), noise)]
    if "sum_squares" in by_name:
        (squares,), _ = by_name["sum_squares"]
        variance = None if mean is None else Fraction(squares, count) - mean**2
        is_real = variance is not None and variance >= 0
        value = _decimal(variance * step**2) if is_real else ""
        found.append(Figure("variance", _squared(unit), value))
    return found


def _decimal(value: Fraction) -> str:
    return f"{float(value):.3f}"


def _limits(stream: Stream) -> list[tuple[str, str]]:
    """Of each bin, in the unit; the last goes to the end of the range."""
    _, scale, _, _ = QUANTITIES[stream.quantity]
    edges = [shown(edge, scale, 1) for edge in (stream.low, *stream.bins, stream.high)]
    return list(itertools.pairwise(edges))


def _percentiles(stream: Stream, counts, _bounds) -> list[Figure]:
    """Between which limits they lie; noise may have made a bin negative, which counts as empty."""
    unit, _, _ = _step(stream, "sum")
    counts = [max(0, count) for count in counts]
    total, limits, found = sum(counts), _limits(stream), []
    for percent in PERCENTS:
        low = high = ""
        below = 0
        for count, (bin_low, bin_high) in zip(counts, limits, strict=True):
            below += count
            if count and below * 100 >= percent * total:
                low, high = bin_low, bin_high
                break
        found.append(Figure(f"p{percent}", unit, low=low, high=high))
    return found


def _bins(stream: Stream, counts, bounds) -> list[Figure]:
    limits = _limits(stream)
    return [
        Figure(f"bin_{index}", "samples", str(count), "" if bound is None else str(bound), *limit)
        for index, (count, bound, limit) in enumerate(zip(counts, bounds, limits, strict=True))
    ]
