# SPDX-License-Identifier: MIT
"""What a node may tell under a policy, from firmware/node/policy/README.md: a second opinion that
shares no line with the firmware. It keeps every reading and computes each window anew at its end,
where the firmware keeps running aggregates; and it does what an attacker would do with a total.

A stream here is the nine fields of the rules.
"""

DAY_S = 86_400
BREAK_S = 3600
SAMPLES = ("min", "max", "last")  # statistics that are one reading
TOLD, BELOW_K, LOST = "told", "below k", "lost"
NUMBER, QUANTITY, WINDOW_S, STATISTICS, RESOLUTION, LOW, HIGH, K, NOISE = range(9)


class Finding(Exception):
    """Something left that must not, or did not leave that must."""


def half_up(total: int, count: int) -> int:
    """total / count to the nearest integer, a half upwards."""
    whole, rest = divmod(total, count)
    return whole + 1 if rest + rest >= count else whole


def clamped(stream, value: int) -> int:
    return sorted((stream[LOW], value, stream[HIGH]))[1]


def to_steps(stream, total: int, count: int) -> int:
    """A fraction as it leaves: clamped, in steps."""
    if total <= stream[LOW] * count:
        total, count = stream[LOW], 1
    elif total >= stream[HIGH] * count:
        total, count = stream[HIGH], 1
    return half_up(total, count * stream[RESOLUTION])


class Model:
    """streams, days: of the rules. intervals_s: {quantity: sampling interval}."""

    def __init__(self, intervals_s: dict):
        self._intervals_s = intervals_s
        self._spans = []  # [first, last] instants released
        self._readings = []  # (time, quantity, value), of all that was watched without a break
        self._began_s = None
        self.begin_span = True
        self.withheld = self.released = self.totals = self.told_totals = self.hiding = 0

    def use(self, streams, days, now_s: int):
        self.streams, self._days = streams, days
        self._noise = {}  # number: what was drawn for its open window
        self.next_s = self._next(now_s)

    def _next(self, now_s: int) -> int:
        return min([(now_s // s[WINDOW_S] + 1) * s[WINDOW_S] for s in self.streams])

    def begin(self, now_s: int):
        """All windows begin anew."""
        self._began_s, self._readings, self._noise = now_s, [], {}
        self.begin_span = True
        self.next_s = self._next(now_s)

    def add(self, at_s: int, quantity: str, value: int):
        self._readings.append((at_s, quantity, value))

    def undrawn(self) -> list:
        """The streams whose open windows have no noise yet, by the length of the window: in that
        order it is drawn."""
        streams = [s for s in self.streams if s[NOISE] and s[NUMBER] not in self._noise]
        return sorted(streams, key=lambda stream: (stream[WINDOW_S], stream[NUMBER]))

    def note_noise(self, stream, draws: list):
        """draws: one for each statistic, 0 for "count"."""
        self._noise[stream[NUMBER]] = draws

    def values_in(self, stream, end_s: int) -> list:
        """The readings with start < time ≤ end."""
        found, start_s = [], end_s - stream[WINDOW_S]
        for at_s, quantity, value in reversed(self._readings):
            if at_s <= start_s:
                break
            if at_s <= end_s and quantity == stream[QUANTITY]:
                found.append(value)
        found.reverse()
        return found

    def close(self):
        """What close() of the firmware gives for the instant that is next."""
        end_s = self.next_s
        closing = [s for s in self.streams if end_s % s[WINDOW_S] == 0]
        whole = [s for s in closing if end_s - s[WINDOW_S] > self._began_s]
        records = [self._record(s, end_s, s in whole) for s in closing]
        for stream in closing:
            self._noise.pop(stream[NUMBER], None)
        self.next_s = self._next(end_s)
        first, last = self._days
        if not whole or not first * DAY_S < end_s <= (last + 1) * DAY_S:
            return None
        if [1 for a, b in self._spans if a <= end_s <= b] and (
            self.begin_span or end_s > self._spans[-1][1]
        ):
            return []
        if self.begin_span:
            self._spans.append([end_s, end_s])
            self.begin_span = False
        self._spans[-1][1] = max(self._spans[-1][1], end_s)
        return records

    def _enough(self, stream, statistic: str, count: int) -> bool:
        interval_s = self._intervals_s.get(stream[QUANTITY])
        wanted = stream[WINDOW_S] // interval_s if interval_s else 1
        if statistic == "sum":
            return 100 * count >= 95 * wanted
        return statistic == "count" or (count > 0 and 100 * count >= 75 * wanted)

    def _aggregate(self, stream, statistic: str, values: list, draw: int):
        """The value as k sees it, as a fraction."""
        if statistic == "count":
            return min(len(values), 65_535), 1
        total, count = {
            "sum": (sum(values), 1), "mean": (sum(values), len(values)),
            "min": (min(values + [1 << 60]), 1), "max": (max(values + [-1 << 60]), 1),
            "last": ((values or [0])[-1], 1),
        }[statistic]  # fmt: skip
        if not stream[NOISE]:
            return total, count
        return clamped(stream, half_up(total, count)) + draw, 1

    def _record(self, stream, end_s: int, is_whole: bool) -> list:
        values = self.values_in(stream, end_s)
        record = [stream[NUMBER], end_s // stream[WINDOW_S] - 1]
        draws = self._noise.get(stream[NUMBER], [0] * len(stream[STATISTICS]))
        for statistic, draw in zip(stream[STATISTICS], draws):
            value = None
            if is_whole and self._enough(stream, statistic, len(values)):
                value, count = self._aggregate(stream, statistic, values, draw)
                if statistic != "count":
                    value = to_steps(stream, value, count)
            record.append(value)
        if not is_whole or not stream[K]:
            return record
        state = self._state(stream, end_s)[0]
        if state != TOLD or not self.may_be_anything(stream, end_s):
            self.withheld += 1
            self.hiding += state == TOLD
            record[2:] = [None] * len(stream[STATISTICS])
        else:
            self.released += 1
        return record

    def _state(self, stream, end_s: int):
        """(whether the window's sum is told, withheld for k or lost; its true sum)."""
        values = self.values_in(stream, end_s)
        if not self._enough(stream, "sum", len(values)):
            return LOST, sum(values)
        draws = self._noise.get(stream[NUMBER])
        seen = sum(values)
        if stream[NOISE]:
            at = stream[STATISTICS].index("sum")
            seen = clamped(stream, seen) + (draws[at] if draws else 0)
        return (TOLD if seen >= stream[K] else BELOW_K), sum(values)

    def parts(self, stream, end_s: int) -> list:
        """(state, true sum) of each shorter window with k within this one."""
        found = []
        for other in self.streams:
            if other[QUANTITY] == stream[QUANTITY] and other[WINDOW_S] < stream[WINDOW_S]:
                at_s = end_s - stream[WINDOW_S]
                while at_s < end_s:  # MicroPython's range ends at 31 bits, and says nothing
                    at_s += other[WINDOW_S]
                    found.append(self._state(other, at_s))
        return found

    def may_be_anything(self, stream, end_s: int) -> bool:
        """Whether this total leaves each part that is not told anything below k. With noise the
        parts are hidden by it."""
        if stream[NOISE]:
            return True
        parts = self.parts(stream, end_s)
        hidden = [true for state, true in parts if state == BELOW_K]
        if [1 for state, _ in parts if state == LOST]:
            return False
        if hidden:
            self.totals += 1
        if hidden and [s for s in stream[STATISTICS] if s in SAMPLES]:
            return False
        if hidden and not (attack(hidden, stream[K]) and sum(hidden) >= stream[K]):
            return False
        self.told_totals += len(hidden) > 0
        return True


def attack(hidden: list, k: int) -> bool:
    """Knowing the sum of the hidden parts, and that each is below k: whether each could still be
    each number from 0 to k − 1, as it takes the others to make up the rest."""
    rest_most = (len(hidden) - 1) * (k - 1)
    return not [v for v in range(k) if not 0 <= sum(hidden) - v <= rest_most]
