# SPDX-License-Identifier: MIT
"""A leak detector with a contact, closed while it is wet. Senses `leaks` events [ms, for how long
in ms]. It trembles while it gets wet and while it dries: for two seconds after each change it
opens and closes. After a restart of the node it is dry until the next event.
"""

from simulator.chips.part import Part

_TREMBLES_MS = 2000


class Leak(Part):
    SENSES = ("leaks",)

    def __init__(self, signals, leak_level: int = 0):
        Part.__init__(self, signals)
        self._leak_level = leak_level
        self._asked_ms = -1
        self._wet = (-_TREMBLES_MS, -_TREMBLES_MS)  # from and until, of the latest leak

    def power_on(self, now_ms: int):
        self._powered = True

    def level(self, now_ms: int) -> int:
        self._powered = True
        now_ms = min(now_ms, self._signals.until_ms)
        for since_ms, for_ms in self._signals.events("leaks", self._asked_ms, now_ms):
            if since_ms > self._wet[1]:
                self._wet = (since_ms, since_ms + for_ms)
            else:
                self._wet = (self._wet[0], max(self._wet[1], since_ms + for_ms))
        self._asked_ms = max(self._asked_ms, now_ms)
        since_ms, until_ms = self._wet
        wet = since_ms <= now_ms < until_ms
        change_ms = until_ms if now_ms >= until_ms else since_ms
        if 0 <= now_ms - change_ms < _TREMBLES_MS and now_ms // 700 % 2:
            wet = not wet
        return self._leak_level if wet else 1 - self._leak_level
