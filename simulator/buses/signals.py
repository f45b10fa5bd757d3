# SPDX-License-Identifier: MIT
"""What the city does at this node: the signals that the chips of one node sense.

The conductor computes them (simulator/world) and hands them over in pieces, each up to the moment
until which the node may run, so that both interpreters get the same numbers. All times are
milliseconds since the node's process started; all values are integers.

Three kinds, by what a chip can ask:

- a level (`temperature_mc`): points joined by straight lines; `None` marks a gap, in which the
  chip does not answer
- an integral of a level over time (what a meter counts)
- events (`vehicles`, `people`): tuples that start with their time
"""


class Signals:
    """Levels and events of one node, up to `until_ms`, until which it may run.

    They are known a little beyond, up to `known_ms`, because who walks by is seen before they
    cross. Beyond what is known, levels keep their last value.
    """

    def __init__(self):
        self.until_ms = self.known_ms = 0
        # Columns, not pairs, and times from a base: on MicroPython a pair takes 32 bytes, and a
        # number from 2^30 on, which is 12 days in ms, takes 16.
        self._levels = {}  # name: (base_ms, [time_ms - base_ms, ...] rising, [value or None, ...])
        self._events = {}  # name: [(time_ms, ...), ...], rising times

    def extend(self, until_ms: int, levels: dict, events: dict, known_ms=None):
        """Takes the next piece, from what was known to `known_ms`, and forgets what is past.

        levels: {name: [[time_ms, value or None], ...]}; events: {name: [[time_ms, ...], ...]}.
        One older point per level stays, and a minute of older events, because a chip may be asked
        late.
        """
        for name, points in levels.items():
            values = [point[1] for point in points]
            self.take_levels([point[0] for point in points], {name: values})
        self.take_events(until_ms, events, known_ms or until_ms)

    def take_levels(self, times: list, levels: dict, base_ms: int = 0):
        """Points of levels that have them at the same times, which are told from `base_ms` on;
        levels: {name: values}."""
        # A piece starts at or before the end of the piece before, with points of its own. The
        # levels share one list of times, as long as they had one before.
        merged = {}
        for name, values in levels.items():
            before_ms, known, had = self._levels.get(name, (base_ms, (), ()))
            shift_ms = before_ms - base_ms
            older = len([1 for time_ms in known if time_ms + shift_ms < times[0]])
            own = times
            if older:
                first = known[older - 1] + shift_ms
                if first not in merged:
                    merged[first] = [first] + times
                own, values = merged[first], [had[older - 1]] + values
            self._levels[name] = (base_ms, own, values)

    def take_events(self, until_ms: int, events: dict, known_ms: int):
        """Ends a piece."""
        keep_from = self.until_ms - 60_000
        for name in list(self._events) + [n for n in events if n not in self._events]:
            have = [e for e in self._events.get(name, []) if e[0] > keep_from]
            self._events[name] = have + events.get(name, [])
        self.until_ms, self.known_ms = until_ms, known_ms

    def level(self, name: str, now_ms: int, default=None):
        """The level's value at `now_ms`; `default` where the world has no such level.

        Returns None in a gap.
        """
        base_ms, times, values = self._levels.get(name, (0, (), ()))
        if not times:
            return default
        now_ms -= base_ms
        i = 0
        while i < len(times) and times[i] <= now_ms:
            i += 1
        if i == 0 or i == len(times):
            return values[0 if i == 0 else -1]
        before, after = values[i - 1], values[i]
        if before is None or after is None:
            return before
        return before + (after - before) * (now_ms - times[i - 1]) // (times[i] - times[i - 1])

    def integral(self, name: str, from_ms: int, to_ms: int, step_ms: int = 1000) -> int:
        """The level's integral over [from_ms, to_ms) in value × ms; a gap counts as zero."""
        total = 0
        while from_ms < to_ms:
            end = min(from_ms - from_ms % step_ms + step_ms, to_ms)
            value = self.level(name, from_ms)
            if value:
                total += value * (end - from_ms)
            from_ms = end
        return total

    def events(self, name: str, from_ms: int, to_ms: int) -> list:
        """The events with from_ms < time ≤ to_ms, in order."""
        return [e for e in self._events.get(name, ()) if from_ms < e[0] <= to_ms]
