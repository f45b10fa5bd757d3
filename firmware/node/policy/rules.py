# SPDX-License-Identifier: MIT
"""What a policy can say, as node and host read it from its compiled form. README.md here has the
layout, and what is for the host alone.

The policy is the schema of the records: a record is `[number, slot, value, ...]` with one value
per statistic, in steps of the stream's resolution.
"""

import hashlib

from node import cbor
from node.errors import BAD_FORM, FormatError, PolicyError

STATISTICS = ("count", "sum", "mean", "min", "max", "last")
DAY_S = 86_400
COUNT_MAX = 65_535  # of the statistic "count"

# An array head, `log` (4 bytes), `number` and `floor` (up to 32 bits), the records' array head.
_PREFIX_MAX = 1 + 5 + 5 + 5 + 3


def _check(holds):
    if not holds:
        raise PolicyError(BAD_FORM, "a rule of the policy's form is broken")


def _are_numbers(values) -> bool:
    return not [1 for v in values if isinstance(v, bool) or not isinstance(v, int)]


class Stream:
    """One line of the policy. `low` and `high` clamp each value, in the quantity's scale; k: the
    sum below which a record is withheld, or 0; noise: (sensitivity, epsilon's numerator, its
    denominator), or None."""

    def __init__(self, fields):
        number, quantity, window_s, statistics, resolution, low, high, k, noise = fields
        numbers = (number, window_s, resolution, low, high, k)
        _check(_are_numbers(numbers + tuple(noise or ())))
        _check(0 < number < 256 and resolution > 0 and low <= high and k >= 0)
        _check(window_s > 0 and DAY_S % window_s == 0)
        _check(statistics and not [s for s in statistics if s not in STATISTICS])
        _check(not k or "sum" in statistics)  # k is compared with it
        _check(noise is None or (len(noise) == 3 and min(noise) > 0))
        self.number = number
        self.quantity = quantity
        self.window_s = window_s
        self.statistics = tuple(statistics)
        self.resolution = resolution
        self.low = low
        self.high = high
        self.k = k
        self.noise = None if noise is None else tuple(noise)

    def clamp(self, total: int, count: int = 1):
        """The fraction total / count within the range."""
        if total < self.low * count:
            return self.low, 1
        if total > self.high * count:
            return self.high, 1
        return total, count

    def steps(self, statistic: str, total: int, count: int = 1) -> int:
        """total / count, clamped to the range and rounded half up to steps of the resolution.

        "count" is the number of samples, clamped to COUNT_MAX, in steps of one.
        """
        if statistic == "count":
            return min(total, COUNT_MAX)
        total, count = self.clamp(total, count)
        unit = count * self.resolution
        return (2 * total + unit) // (2 * unit)

    def limits(self, statistic: str):
        """(lowest, highest) step that a value of this statistic can have."""
        if statistic == "count":
            return 0, COUNT_MAX
        return self.steps(statistic, self.low), self.steps(statistic, self.high)

    def longest_record(self) -> int:
        """Bytes of the longest encoding of a record of this stream."""
        length = 1 + len(cbor.encode(self.number)) + 5  # array head, number, slot < 2^32
        for statistic in self.statistics:
            length += max([len(cbor.encode(step)) for step in self.limits(statistic)])
        return length


class Policy:
    """Compiled rules, checked. PolicyError when they break a rule of their form.

    from_s, until_s: what ends after the first and not after the second may leave (Unix time).
    """

    def __init__(self, rules: bytes):
        try:
            label, self.id, self.version, self.kit, first, last, streams, terms = (
                cbor.decode(rules)
            )
            _check(label == "lp1 policy" and _are_numbers((self.version, first, last)))
            _check(0 < self.version < 1 << 31 and 0 <= first <= last)
            _check(isinstance(terms, bytes) and len(terms) == 32)
            self.streams = [Stream(fields) for fields in streams]
        except (FormatError, ValueError, TypeError):
            _check(False)
        numbers = [stream.number for stream in self.streams]
        _check(numbers and not [1 for a, b in zip(numbers, numbers[1:]) if a >= b])
        self.terms_digest = terms
        self.from_s = first * DAY_S
        self.until_s = (last + 1) * DAY_S
        self.digest = hashlib.sha256(rules).digest()
        self.windows_s = sorted(set([stream.window_s for stream in self.streams]))

    def closing(self, instant_s: int) -> list:
        """The streams whose windows end at `instant_s` (Unix time), by rising number."""
        return [stream for stream in self.streams if instant_s % stream.window_s == 0]

    def next_instant(self, after_s: int) -> int:
        """The first moment after `after_s` (Unix time) at which a window ends."""
        return min([after_s - after_s % w + w for w in self.windows_s])

    def permits(self, instant_s: int) -> bool:
        """Whether windows that end then (Unix time) may be released."""
        return self.from_s < instant_s <= self.until_s

    def padded_length(self, instant_s) -> int:
        """Bytes of every plaintext that leaves at `instant_s`; None: one without records."""
        streams = [] if instant_s is None else self.closing(instant_s)
        return _PREFIX_MAX + sum([stream.longest_record() for stream in streams])


class NoPolicy(Policy):
    """In the place of one that is not there: names nothing, so that nothing leaves. A day is its
    only window, since the policy to come begins with one."""

    def __init__(self):
        self.version = self.from_s = self.until_s = 0
        self.streams, self.windows_s = [], [DAY_S]
        self.digest = None
