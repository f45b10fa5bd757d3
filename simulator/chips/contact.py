# SPDX-License-Identifier: MIT
"""A switch at a door, closed while the door is shut. Senses `door` events [ms, direction, how long
it stays open in ms]; doors that are open at once are one door. After each change it bounces for
some milliseconds: open and closed in turns. After a restart of the node it is shut until the next
event.
"""

from simulator.chips.part import Part

_BOUNCE_MS = 12


class Contact(Part):
    SENSES = ("door",)

    def __init__(self, signals, closed_level: int = 0):
        Part.__init__(self, signals)
        self._closed_level = closed_level
        self._asked_ms = -1
        self._opened = []  # (from, until), the latest last

    def power_on(self, now_ms: int):
        self._powered = True

    def level(self, now_ms: int) -> int:
        self._powered = True
        now_ms = min(now_ms, self._signals.until_ms)
        for event in self._signals.events("door", self._asked_ms, now_ms):
            self._open(event[0], event[0] + event[2])
        self._asked_ms = max(self._asked_ms, now_ms)
        closed = True
        for since_ms, until_ms in self._opened:
            if since_ms <= now_ms < until_ms:
                closed = now_ms - since_ms < _BOUNCE_MS and now_ms % 2 == 1
            elif 0 <= now_ms - until_ms < _BOUNCE_MS:
                closed = now_ms % 2 == 1
        return self._closed_level if closed else 1 - self._closed_level

    def _open(self, since_ms: int, until_ms: int):
        if self._opened and since_ms <= self._opened[-1][1]:
            since_ms = self._opened[-1][0]
            until_ms = max(until_ms, self._opened[-1][1])
            self._opened.pop()
        self._opened = self._opened[-1:] + [(since_ms, until_ms)]
