# SPDX-License-Identifier: MIT
"""Readings taken before the time is known: kept in RAM with the uptime of each, and given
to their windows once it is. At most LIMIT, about half an hour of the air kit; the oldest go first.
"""

from array import array

LIMIT = 500


class Early:
    """A queue of (uptime in ms, quantity, value). quantities: all that may come, 256 at most."""

    def __init__(self, quantities: list):
        self.quantities = quantities
        self._times_s = array("I")
        self._names = array("B")
        self._values = array("q")
        self._oldest = 0  # once it is full, the places are used again in turn

    def add(self, uptime_ms: int, quantity: str, value: int):
        """uptime_ms: when it was read. Whole seconds are kept."""
        place = (uptime_ms // 1000, self.quantities.index(quantity), value)
        kept = (self._times_s, self._names, self._values)
        if len(self._names) < LIMIT:
            for column, item in zip(kept, place):
                column.append(item)
            return
        for column, item in zip(kept, place):
            column[self._oldest] = item
        self._oldest = (self._oldest + 1) % LIMIT

    def readings(self):
        """Yields (uptime in ms, quantity, value), oldest first, and overwrites each."""
        count = len(self._names)
        for i in range(count):
            at = (self._oldest + i) % count
            yield self._times_s[at] * 1000, self.quantities[self._names[at]], self._values[at]
            self._values[at] = 0  # a reading stays no longer than it is needed
