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
        self._levels = {}  # name: [(time_ms, value or None), ...], rising times
        self._events = {}  # name: [(time_ms, ...), ...], rising times

    def extend(self, until_ms: int, levels: dict, events: dict, known_ms=None):
        """Takes the next piece, from what was known to `known_ms`, and forgets what is past.

        levels: {name: [[time_ms, value or None], ...]}; events: {name: [[time_ms, ...], ...]}.
        One older point per level stays, and a minute of older events, because a chip may be asked
        late.
        """
        for name, points in levels.items():
            # A piece starts at or before the end of the piece before, with points of its own.
            have = [p for p in self._levels.get(name, ()) if p[0] < points[0][0]]
            self._levels[name] = have[-1:] + points
        keep_from = self.until_ms - 60_000
        for name in list(self._events) + [n for n in events if n not in self._events]:
            have = [e for e in self._events.get(name, []) if e[0] > keep_from]
            self._events[name] = have + events.get(name, [])
        self.until_ms, self.known_ms = until_ms, known_ms or until_ms

    def level(self, name: str, now_ms: int, default=None):
        """The level's value at `now_ms`; `default` where the world has no such level.

        Returns None in a gap.
        """
        points = self._levels.get(name)
        if not points:
            return default
        before = None
        for point in points:
            if point[0] > now_ms:
                if before is None or before[1] is None or point[1] is None:
                    return before[1] if before else point[1]
                span = point[0] - before[0]
                return before[1] + (point[1] - before[1]) * (now_ms - before[0]) // span
            before = point
        return before[1]

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
