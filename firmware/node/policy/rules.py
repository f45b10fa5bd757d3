# SPDX-License-Identifier: MIT
"""What a policy can say, as node and host read it from its compiled form.

Compiled policy = deterministic CBOR of

    ["lp1 policy", id, version, kit, [stream, ...]]
    stream = [number, quantity, window_s, [statistic, ...], resolution, low, high, why]

Its digest is SHA-256 of these bytes. The policy is the schema of the records: a record is
`[number, slot, value, ...]` with one value per statistic, in steps of the stream's resolution.
"""

import hashlib

from node import cbor
from node.errors import FormatError, PolicyError

STATISTICS = ("count", "sum", "mean", "min", "max", "last")
DAY_S = 86_400
COUNT_MAX = 65_535  # of the statistic "count"

# An array head, `log` (4 bytes), `number` and `floor` (up to 32 bits), the records' array head.
_PREFIX_MAX = 1 + 5 + 5 + 5 + 3


class Stream:
    """One line of the policy. `low` and `high` clamp each value, in the quantity's scale."""

    def __init__(self, fields):
        number, quantity, window_s, statistics, resolution, low, high, _why = fields
        for value in (number, window_s, resolution, low, high):
            if isinstance(value, bool) or not isinstance(value, int):
                raise PolicyError("a number in the policy is none")
        if not (0 < number < 256 and resolution > 0 and low <= high):
            raise PolicyError("a stream's number, resolution or range cannot be used")
        if window_s <= 0 or DAY_S % window_s:
            raise PolicyError("a window does not divide the day")
        if not statistics or [s for s in statistics if s not in STATISTICS]:
            raise PolicyError("a statistic is not known")
        self.number = number
        self.quantity = quantity
        self.window_s = window_s
        self.statistics = tuple(statistics)
        self.resolution = resolution
        self.low = low
        self.high = high

    def steps(self, statistic: str, total: int, count: int = 1) -> int:
        """total / count, clamped to the range and rounded half up to steps of the resolution.

        "count" is the number of samples, clamped to COUNT_MAX, in steps of one.
        """
        if statistic == "count":
            return min(total, COUNT_MAX)
        if total < self.low * count:
            total, count = self.low, 1
        elif total > self.high * count:
            total, count = self.high, 1
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
    """A compiled policy, checked. PolicyError says which rule it breaks."""

    def __init__(self, compiled: bytes):
        try:
            label, self.id, self.version, self.kit, streams = cbor.decode(compiled)
            if label != "lp1 policy":
                raise PolicyError("not a compiled policy")
            self.streams = [Stream(fields) for fields in streams]
        except (FormatError, ValueError, TypeError):
            raise PolicyError("the compiled policy cannot be read")
        numbers = [stream.number for stream in self.streams]
        if not numbers or [1 for a, b in zip(numbers, numbers[1:]) if a >= b]:
            raise PolicyError("stream numbers do not rise")
        self.digest = hashlib.sha256(compiled).digest()
        self.windows_s = sorted(set([stream.window_s for stream in self.streams]))

    def closing(self, instant_s: int) -> list:
        """The streams whose windows end at `instant_s` (Unix time), by rising number."""
        return [stream for stream in self.streams if instant_s % stream.window_s == 0]

    def next_instant(self, after_s: int) -> int:
        """The first moment after `after_s` (Unix time) at which a window ends."""
        return min([after_s - after_s % w + w for w in self.windows_s])

    def padded_length(self, instant_s) -> int:
        """Bytes of every plaintext that leaves at `instant_s`; None: one without records."""
        streams = [] if instant_s is None else self.closing(instant_s)
        return _PREFIX_MAX + sum([stream.longest_record() for stream in streams])
