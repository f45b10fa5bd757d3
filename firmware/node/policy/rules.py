# SPDX-License-Identifier: MIT
"""What a policy can say, as node and host read it from its compiled form. README.md here has the
layout, and what is for the host alone.

The policy is the schema of the records: a record is `[number, slot, value, ...]` with one value
per statistic, in steps of the stream's resolution.
"""

import hashlib

from node import cbor

DAY_S = 86_400
COUNT_MAX = 65_535  # of the statistic "count"

# An array head, `log` (4 bytes), `number` and `floor` (up to 32 bits), the records' array head.
_PREFIX_MAX = 1 + 5 + 5 + 5 + 3


class Stream:
    """One line of the policy. `low` and `high` clamp each value, in the quantity's scale; k: the
    sum below which a record is withheld, or 0; noise: (sensitivity, epsilon's numerator, its
    denominator), or None.

    bins: None; of a masked stream the rising edges of its histogram, in the quantity's scale, or
    (). Its k and noise are for the controller, who opens sums: host_tools/controller."""

    # What most streams say needs no place in each of them.
    statistics, resolution, low, k, noise, bins = ("last",), 1, 0, 0, None, None

    def __init__(self, fields):
        self.number, self.quantity, self.window_s, statistics = fields[:4]
        resolution, low, self.high, k, noise = fields[4:9]
        if tuple(statistics) != self.statistics:
            self.statistics = tuple(statistics)
        if resolution != 1:
            self.resolution = resolution
        if low:
            self.low = low
        if len(fields) > 9:
            self.bins = tuple(fields[9])
        if k:
            self.k = k
        if noise is not None:
            self.noise = tuple(noise)

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

    def elements(self) -> int:
        """How many numbers a record of a masked stream has: one per statistic, and of a histogram
        one per bin."""
        return len(self.statistics) + len(self.bins)

    def longest_record(self) -> int:
        """Bytes of the longest encoding of a record of this stream."""
        length = 1 + len(cbor.encode(self.number)) + 5  # array head, number, slot < 2^32
        if self.bins is not None:
            return length + 5 + len(cbor.encode(bytes(8 * self.elements())))
        for statistic in self.statistics:
            length += max([len(cbor.encode(step)) for step in self.limits(statistic)])
        return length


class Policy:
    """Compiled rules, checked. PolicyError when they break a rule of their form.

    from_s, until_s: what ends after the first and not after the second may leave (Unix time).
    """

    def __init__(self, rules: bytes):
        from node.policy.form import read  # see form.py

        self.id, self.version, self.kit, first, last, streams, self.terms_digest = read(rules)
        self.streams = [Stream(fields) for fields in streams]
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
