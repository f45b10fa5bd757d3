# SPDX-License-Identifier: MIT
"""Second stage: readings go in, and only what the policy names comes out, once per window.

Windows are aligned to UTC and hold the readings with start < time ≤ end, so that a counter read at
the end of a window belongs to it. A reading lives as a running aggregate until its window closes;
nothing else keeps it. A quantity that no stream names is dropped here.

A value is null when its window was not watched whole: the node started within it, or the sensor
gave too few of the samples it should have. A mean is fair with three quarters of them (the data
capture that the air quality directive asks of hourly means); a sum needs nearly all.

The policy is enforced in Window.record, in one order: clamp, aggregate, add noise, withhold,
round. What is withheld is null as well, so nobody can tell it from what was not measured. Noise is
drawn once for a window, with its first reading: drawing takes a time that depends on what is
drawn, and the time at which a window is released must tell nothing.
"""

_BREAK_S = 3600  # windows that ended longer ago than this are not made up for
_SPANS, _RESERVED = 24, 4


class Window:
    """The running aggregate of one stream's open window. draw(numerator, denominator): integer
    noise of that scale."""

    def __init__(self, stream, draw):
        self.stream = stream
        self._draw = draw
        self.clear()

    def clear(self):
        self.count = self.total = 0
        self.low = self.high = self.last = None
        self._noise = None  # one number for each statistic, drawn ahead
        self.parts_lost = False  # a shorter window within this one tells nothing, for no k
        self.parts_withheld = self.withheld = 0  # shorter ones below k: how many, and their sum

    def add(self, value: int):
        if self._noise is None and self.stream.noise:
            self._noise = self._draw_noise()
        self.count += 1
        self.total += value
        self.last = value
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    def _enough(self, statistic: str, expected: int) -> bool:
        if statistic == "sum":
            return self.count * 20 >= expected * 19
        return self.count > 0 and self.count * 4 >= expected * 3

    def record(self, instant_s: int, expected: int, whole: bool, longer: list) -> list:
        """[number, slot, value, …] of the window that ends at `instant_s` (Unix time). longer:
        those of this quantity that hold it, and are told when this one is withheld."""
        stream = self.stream
        record = [stream.number, instant_s // stream.window_s - 1]
        total = None  # what k is compared with
        for statistic in stream.statistics:
            value, count = None, 1
            if whole and (statistic == "count" or self._enough(statistic, expected)):
                value, count = self._value(statistic)
                if stream.noise and statistic != "count":
                    value, count = stream.clamp(value, count)
                    value = (2 * value + count) // (2 * count) + self._noise[len(record) - 2]
                    count = 1
                if statistic == "sum":
                    total = value
                value = stream.steps(statistic, value, count)
            record.append(value)
        if stream.k and (total is None or total < stream.k or not self._hides_parts(stream.k)):
            record[2:] = [None] * len(stream.statistics)
            for window in longer:
                window.parts_lost = window.parts_lost or total is None or total >= stream.k
                window.parts_withheld += 1
                window.withheld += self.total
        return record

    def _value(self, statistic: str):
        """The aggregate, as a fraction."""
        if statistic == "mean":
            return self.total, self.count
        if statistic == "count":
            return self.count, 1
        if statistic == "sum":
            return self.total, 1
        if statistic == "min":
            return self.low, 1
        return (self.high if statistic == "max" else self.last), 1

    def _draw_noise(self) -> list:
        sensitivity, numerator, denominator = self.stream.noise
        return [
            0 if statistic == "count" else self._draw(sensitivity * denominator, numerator)
            for statistic in self.stream.statistics
        ]

    def _hides_parts(self, k: int) -> bool:
        """Whether each part that was withheld could still have been anything below k, for who
        sees this total and the parts that were not. With noise there is nothing to hide."""
        parts = self.parts_withheld
        if not parts or self.stream.noise:
            return True
        return not self.parts_lost and k <= self.withheld <= (parts - 1) * (k - 1)


class Released:
    """The instants whose windows were released, as spans [first, last] of Unix time: no slot is
    released twice. A clock that was set forward by a forged answer leaves a span in the future,
    which must not keep back what comes before it once the clock is right again.

    keep(data): makes the spans durable when one begins. It begins with the one that grows, whose
    end is not kept: after a power cut `last_s`, the newest instant in the outbox, tells it. When
    the outbox may soon tell it no more, the end is made durable as well: settle()."""

    def __init__(self, kept: bytes = b"", last_s=None, keep=None):
        self._keep = keep
        self._is_kept = True
        spans = []
        for at in range(0, len(kept) - 9, 10):
            numbers = [int.from_bytes(kept[i : i + 5], "big") for i in (at, at + 5)]
            spans.append(numbers)
        others = [1 for first, last in spans[1:] if first <= (last_s or 0) <= last]
        if spans and last_s is not None and not others:
            self._is_kept = last_s <= spans[0][1]
            spans[0][1] = max(spans[0][1], last_s)
        self._spans = sorted(spans)  # the one that grows may be any of them
        self._growing = None

    def __contains__(self, instant_s: int) -> bool:
        return bool([1 for first, last in self._spans if first <= instant_s <= last])

    def begin(self):
        """The clock was set, or stood still: the next instant begins a new span."""
        self.settle()
        self._growing = None

    def add(self, instant_s: int, floor_s: int = 0, is_held: bool = True) -> bool:
        """Notes an instant; False when there is no place, so that nothing may be released then.

        What ended before `floor_s`, which is on flash, cannot come again, and is forgotten. Some
        places are kept for a clock that a receipt holds: forged answers cannot take them all.
        """
        if self._growing is not None:
            self._growing[1] = max(self._growing[1], instant_s)
            self._is_kept = False
            return True
        spans = [span for span in self._spans if span[1] >= floor_s]
        if is_held and len(spans) >= _SPANS:
            self._join(spans, instant_s)
        if len(spans) >= (_SPANS if is_held else _SPANS - _RESERVED):
            return False
        self._growing = [instant_s, instant_s]
        self._spans = sorted(spans + [self._growing])
        self.keep()
        return True

    def _join(self, spans: list, instant_s: int):
        """Makes one of the two past spans that are nearest: what lies between is past as well."""
        gaps = [
            (spans[i + 1][0] - spans[i][1], i)
            for i in range(len(spans) - 1) if spans[i + 1][1] <= instant_s
        ]  # fmt: skip
        if gaps:
            at = min(gaps)[1]
            spans[at][1] = max(spans[at][1], spans[at + 1][1])
            del spans[at + 1]

    def settle(self):
        """Call it before an envelope without records is sealed: behind a row of them the newest
        instant in the outbox is not found after a power cut."""
        if not self._is_kept:
            self.keep()

    def keep(self):
        """Makes the spans durable as they are."""
        self._is_kept = True
        if self._keep is not None:
            first = [self._growing] if self._growing is not None else []
            data = b""
            for span in first + [other for other in self._spans if other is not self._growing]:
                data += span[0].to_bytes(5, "big") + span[1].to_bytes(5, "big")
            self._keep(data)


class Minimiser:
    """policy: what may leave; intervals_s: {quantity: sampling interval} of what is fitted;
    released: what this node released before; seed: 32 random bytes that noise is made from, which
    were drawn while the radio was on."""

    def __init__(self, policy, intervals_s: dict, released=None, seed=None):
        self._intervals_s = intervals_s
        self._seed = seed
        self._draw = None
        self._clock_steps = None
        self._released = released or Released()
        self._since_s = None  # watched without a break since then
        self.use(policy, 0)

    def use(self, policy, now_s: int):
        """Goes on under this policy: call it when no window has readings, as at 00:00 UTC."""
        self._policy = policy
        self.next_instant_s = policy.next_instant(now_s)
        if self._draw is None and [1 for stream in policy.streams if stream.noise]:
            from node.policy.noise import Noise

            self._draw = Noise(self._seed).draw
        self._windows = [Window(stream, self._draw) for stream in policy.streams]

    def follow(self, now_s: int, clock_steps: int) -> bool:
        """Tells the time (Unix s), before anything else in a step; whether all begins anew.

        All windows begin anew when the clock was set (`clock_steps` is how often) or stood still:
        what was measured across that would be a wrong sum.
        """
        if clock_steps == self._clock_steps and now_s - self.next_instant_s <= _BREAK_S:
            return False
        self._clock_steps = clock_steps
        for window in self._windows:
            window.clear()
        self._released.begin()
        self._since_s = now_s + 1  # a reading at the very start belongs to the window before
        self.next_instant_s = self._policy.next_instant(now_s)
        return True

    def add(self, quantity: str, value: int):
        """Takes a reading into the open windows of its streams."""
        for window in self._windows:
            if window.stream.quantity == quantity:
                window.add(value)

    def keep_released(self):
        """The outbox, which tells the newest instant after a power cut, is about to go."""
        self._released.keep()

    def close(self, floor_s: int = 0, is_held: bool = True):
        """Closes the windows that end at `next_instant_s`, and opens the ones after.

        Returns their records, one for every stream that closes, or None when none of the windows
        was watched from its start (a partial first window is discarded), or the policy does not
        permit that time. The list is empty when records of this instant were released before, by
        a clock that was wrong, or that cannot be noted: the store shall hear from the node all the
        same. floor_s, is_held: the clock's.
        """
        instant_s = self.next_instant_s
        self.next_instant_s = self._policy.next_instant(instant_s)
        closing = [window for window in self._windows if instant_s % window.stream.window_s == 0]
        records = []
        any_whole = False
        for window in sorted(closing, key=_window_s):  # parts before their total
            stream = window.stream
            whole = instant_s - stream.window_s >= self._since_s
            interval_s = self._intervals_s.get(stream.quantity)
            expected = stream.window_s // interval_s if interval_s else 1
            records.append(window.record(instant_s, expected, whole, self._longer(stream)))
            window.clear()
            any_whole = any_whole or whole
        if not any_whole or not self._policy.permits(instant_s):
            return None
        if instant_s in self._released or not self._released.add(instant_s, floor_s, is_held):
            self._released.settle()
            return []
        return sorted(records, key=_number)

    def _longer(self, stream) -> list:
        """The windows of the same quantity that are longer."""
        return [
            window for window in self._windows
            if window.stream.quantity == stream.quantity
            and window.stream.window_s > stream.window_s
        ]  # fmt: skip


def _window_s(window) -> int:
    return window.stream.window_s


def _number(record: list) -> int:
    return record[0]
