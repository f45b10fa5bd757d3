# SPDX-License-Identifier: MIT
"""Second stage: readings go in, and only what the policy names comes out, once per window.

Windows are aligned to UTC and hold the readings with start < time ≤ end, so that a counter read at
the end of a window belongs to it. A reading lives as a running aggregate until its window closes;
nothing else keeps it. A quantity that no stream names is dropped here.

A value is null when its window was not watched whole: the node started within it, or the sensor
gave too few of the samples it should have. A mean is fair with three quarters of them (the data
capture that the air quality directive asks of hourly means); a sum needs nearly all.

The policy is enforced when a window closes, in one order: clamp, aggregate, add noise, withhold,
round. Noise and withholding are in protect.py, for the streams that have them; those of a masked
stream are for who opens its sums, and its windows are in masked_window.py.
"""

_BREAK_S = 3600  # windows that ended longer ago than this are not made up for
_SPANS, _RESERVED = 24, 4


class Window:
    """The running aggregate of one stream's open window."""

    def __init__(self, stream):
        self.stream = stream
        self.clear()

    def clear(self):
        self.count = self.total = 0
        self.low = self.high = self.last = None

    def add(self, value: int):
        self.count += 1
        self.total += value
        self.last = value
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    def head(self, instant_s: int) -> list:
        """[number, slot] of the window that ends at `instant_s` (Unix time)."""
        return [self.stream.number, instant_s // self.stream.window_s - 1]

    def record(self, instant_s: int, expected: int, whole: bool, windows: list) -> list:
        """[number, slot, value, …] of the window that ends at `instant_s` (Unix time). windows:
        all of the policy; protect.py needs them."""
        record = self.head(instant_s)
        for statistic in self.stream.statistics:
            fraction = self.aggregate(statistic, expected) if whole else None
            step = None if fraction is None else self.stream.steps(statistic, *fraction)
            record.append(step)
        return record

    def aggregate(self, statistic: str, expected: int):
        """The value as a fraction (numerator, denominator); None of too few samples."""
        count = self.count
        if statistic == "count":
            return count, 1
        if statistic == "sum":
            return (self.total, 1) if count * 20 >= expected * 19 else None
        if not count or count * 4 < expected * 3:
            return None
        if statistic == "mean":
            return self.total, count
        if statistic == "min":
            return self.low, 1
        return (self.high if statistic == "max" else self.last), 1


class Released:
    """The instants whose windows were released, as spans [first, last] of Unix time: no slot is
    released twice. A clock that was set forward by a forged answer leaves a span in the future,
    which must not keep back what comes before it once the clock is right again.

    keep(data): makes the spans durable when one begins; False if it cannot. They begin with the
    one that grows, or grew last, whose end is not kept: after a power cut `last_s`, the newest
    instant in the outbox, tells it. When the outbox may soon tell it no more, the end is made
    durable as well: settle().
    """

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
        self._newest = spans[0] if spans else None
        self._spans = sorted(spans)
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
        self._growing = self._newest = [instant_s, instant_s]
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
        if self._keep is not None:
            first = [span for span in self._spans if span is self._newest]
            data = b""
            for span in first + [other for other in self._spans if other is not self._newest]:
                data += span[0].to_bytes(5, "big") + span[1].to_bytes(5, "big")
            self._is_kept = self._keep(data) is not False


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
        """Goes on under this policy. What the windows have is dropped; at 00:00 UTC, when all have
        closed, that is nothing."""
        self._policy = policy
        self.next_instant_s = policy.next_instant(now_s)
        if self._since_s is not None:
            self._since_s = max(self._since_s, now_s)
        # Parts come before their total.
        streams = sorted(policy.streams, key=lambda stream: stream.window_s << 8 | stream.number)
        self._windows = [self._window(stream) for stream in streams]

    def _window(self, stream):
        if stream.bins is not None:
            from node.pipeline.masked_window import MaskedWindow

            return MaskedWindow(stream)
        if not stream.k and not stream.noise:
            only_one = self._intervals_s.get(stream.quantity) == stream.window_s
            if stream.quantity[-4:] == "_mdb" and not only_one:
                from node.pipeline.levels import LevelWindow

                return LevelWindow(stream)
            return Window(stream)
        from node.pipeline.protect import ProtectedWindow

        if self._draw is None and stream.noise:
            from node.policy.noise import Noise

            self._draw = Noise(self._seed).draw
        return ProtectedWindow(stream, self._draw)

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

    def draw_ahead(self):
        """Draws the noise that open windows will need: to draw takes a time that depends on what
        is drawn, so call it when nothing is released."""
        if self._draw is not None:
            for window in self._windows:
                if window.stream.noise:
                    window.draw_ahead()

    def add(self, quantity: str, value: int):
        """Takes a reading into the open windows of its streams."""
        for window in self._windows:
            if window.stream.quantity == quantity:
                window.add(value)

    def keep_released(self):
        """The outbox may soon not tell the newest instant any more, as a power cut needs it."""
        self._released.settle()

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
        records = []
        any_whole = False
        for window in self._windows:
            stream = window.stream
            if instant_s % stream.window_s:
                continue
            whole = instant_s - stream.window_s >= self._since_s
            interval_s = self._intervals_s.get(stream.quantity)
            expected = stream.window_s // interval_s if interval_s else 1
            records.append(window.record(instant_s, expected, whole, self._windows))
            window.clear()
            any_whole = any_whole or whole
        if not any_whole or not self._policy.permits(instant_s):
            return None
        if instant_s in self._released or not self._released.add(instant_s, floor_s, is_held):
            self._released.settle()
            return []
        return sorted(records)  # by number
