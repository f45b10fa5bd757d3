# SPDX-License-Identifier: MIT
"""The discrete Laplace as it should be, to 50 digits, and how well samples fit it."""

import math
from bisect import bisect_right
from collections import Counter
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise

_DIGITS = Context(prec=50)


class Laplace:
    """P(x) = (1 − q) / (1 + q) · q^|x| with q = exp(−1/scale), cut into bins: one about 0 and as
    many on each side, each with a probability of `least` or more (a fraction of 1)."""

    def __init__(self, scale: Fraction, least: float):
        rate = _DIGITS.divide(Decimal(scale.denominator), Decimal(scale.numerator))
        self._q = _DIGITS.exp(-rate)
        self._edges = []  # the first |x| of each bin beyond the one about 0
        edge = self._next(0, least)
        while self.beyond(edge) >= least:
            self._edges.append(edge)
            edge = self._next(edge, least)
        if not self._edges:
            raise ValueError("too few bins: least is too high for this scale")

    def beyond(self, size: int) -> float:
        """P(x ≥ size), for a size above 0."""
        q = self._q
        return float(_DIGITS.divide(_DIGITS.power(q, size), 1 + q))

    def _next(self, size: int, least: float) -> int:
        """The first edge above `size`, so that the bin in between is likely enough."""
        low, high = size, size + 1
        while self._between(size, high) < least and self.beyond(high) > least / 1000:
            low, high = high, 2 * high - size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._between(size, middle) >= least else (middle, high)
        return high

    def _between(self, size: int, upto: int) -> float:
        """P(size ≤ x < upto), of both signs when size is 0."""
        if size:
            return self.beyond(size) - self.beyond(upto)
        return 1 - 2 * self.beyond(upto)

    def probabilities(self) -> list:
        """Of the bins, from the lowest to the highest."""
        side = [self._between(a, b) for a, b in pairwise(self._edges)]
        side.append(self.beyond(self._edges[-1]))
        return [*reversed(side), self._between(0, self._edges[0]), *side]

    def counts(self, drawn: Counter) -> list:
        """How many of the samples, {value: how often}, fell into each bin."""
        middle = len(self._edges)
        counts = [0] * (2 * middle + 1)
        for value, often in drawn.items():
            at = bisect_right(self._edges, abs(value))
            counts[middle + (at if value > 0 else -at)] += often
        return counts

    def p_value(self, drawn: Counter) -> float:
        """Pearson's chi-square of samples against the exact probabilities."""
        n = drawn.total()
        pairs = zip(self.counts(drawn), self.probabilities(), strict=True)
        statistic = sum((count - n * p) ** 2 / (n * p) for count, p in pairs)
        return upper_tail(statistic, 2 * len(self._edges))

    def p_value_of_two(self, drawn: Counter, other: Counter) -> float:
        """The two-sample chi-square: whether both come from one distribution."""
        n, m = drawn.total(), other.total()
        pairs = zip(self.counts(drawn), self.counts(other), strict=True)
        statistic = sum((a * m - b * n) ** 2 / (a + b) / (n * m) for a, b in pairs if a + b)
        return upper_tail(statistic, 2 * len(self._edges))

    def deviations(self, drawn: Counter):
        """(of the mean, of the variance) from what they should be, each in its standard error."""
        n = drawn.total()
        mean = Fraction(sum(x * often for x, often in drawn.items()), n)
        square = Fraction(sum(x * x * often for x, often in drawn.items()), n)
        fourth = Fraction(sum(x**4 * often for x, often in drawn.items()), n)
        variance = float(2 * self._q / (1 - self._q) ** 2)
        error = math.sqrt(float(fourth - square * square) / n)
        return float(mean) / math.sqrt(variance / n), (float(square) - variance) / error


def upper_tail(statistic: float, freedom: int) -> float:
    """P(chi-square ≥ statistic). The degrees of freedom are even here, as the bins are odd: then
    it is a finite sum of a Poisson distribution."""
    half = statistic / 2
    if not half:
        return 1.0
    logs = [i * math.log(half) - half - math.lgamma(i + 1) for i in range(freedom // 2)]
    return min(1.0, math.fsum(map(math.exp, logs)))
