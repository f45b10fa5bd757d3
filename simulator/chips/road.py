# SPDX-License-Identifier: MIT
"""Vehicles as a radar at the roadside sees them: those of `vehicles` with direction 1 come nearer,
from 60 m, and pass at their time; the others are seen from then on, as they go away. Each keeps
its speed. Who passes nearer than 4 m is beside the radar, out of its view.

A vehicle of which the world tells late turns into the road 30 m before it passes, so that nobody
passes unseen.
"""

_NEAR_MM = 4000
_FAR_MM = 60_000
_TURN_MM = 30_000


class Road:
    def __init__(self, signals):
        self._signals = signals
        self._coming = []  # out of view: (begin ms, end ms, ms at 4 m, direction, mm/s)
        self._in_view = []
        self._known_ms = 0  # what happens until then is known

    def _learn(self):
        """Takes the vehicles of which the world has told since."""
        known_ms = self._known_ms
        if self._signals.known_ms <= known_ms:
            return
        self._known_ms = self._signals.known_ms
        for time_ms, direction, speed_mmps in self._signals.events(
            "vehicles", known_ms, self._known_ms
        ):
            way_ms = (_FAR_MM - _NEAR_MM) * 1000 // speed_mmps
            begin_ms = end_ms = time_ms
            if direction > 0:
                begin_ms = max(time_ms - way_ms, known_ms)
                time_ms = end_ms = max(time_ms, begin_ms + _TURN_MM * 1000 // speed_mmps)
            else:
                end_ms = time_ms + way_ms
            self._coming.append((begin_ms, end_ms, time_ms, direction, speed_mmps))
        self._coming.sort()

    def watch(self, first_ms: int, count: int, period_ms: int) -> list:
        """[(index, [(mm, direction, mm/s), … the nearest first]), …] of those of `count` moments,
        a period apart, in which somebody is seen."""
        self._learn()
        coming, in_view, seen = self._coming, self._in_view, []
        index = 0
        while index < count:
            time_ms = first_ms + index * period_ms
            while coming and coming[0][0] <= time_ms:
                in_view.append(coming.pop(0))
            in_view[:] = [vehicle for vehicle in in_view if vehicle[1] >= time_ms]
            if in_view:
                seen.append((index, sorted([self._place(v, time_ms) for v in in_view])))
                index += 1
            elif coming:
                index = -(-(coming[0][0] - first_ms) // period_ms)
            else:
                break
        return seen

    def _place(self, vehicle: tuple, time_ms: int) -> tuple:
        _, _, near_ms, direction, speed_mmps = vehicle
        return _NEAR_MM + speed_mmps * abs(time_ms - near_ms) // 1000, direction, speed_mmps
