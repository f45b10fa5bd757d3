# SPDX-License-Identifier: MIT
"""A pulse counter with a chip at its pin: esp32.PCNT as a driver uses it.

A chip has `plugged` and `edges(now_ms)`, the rising edges since it was powered. The counter resets
to zero when it reaches `max`, as the ESP32's does.
"""


class PulseCounter:
    """now_ms: function that tells the simulated time in ms; chip may be None (nothing wired)."""

    def __init__(self, now_ms, chip, max: int = 32767):
        self._now_ms = now_ms
        self._chip = chip
        self._max = max
        self._edges = 0
        self._count = 0

    def value(self, value=None) -> int:
        """The count now; with a value, the count goes on from there."""
        if self._chip is not None and self._chip.plugged:
            edges = self._chip.edges(self._now_ms())
            # A chip that was powered anew starts from zero.
            self._count += edges - self._edges if edges >= self._edges else edges
            self._edges = edges
        count = self._count % self._max
        if value is not None:
            self._count = value
        return count
