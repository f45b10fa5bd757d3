# SPDX-License-Identifier: MIT
"""What the models of parts with a pulse output have."""

from simulator.chips.part import Part


class PulsePart(Part):
    """A part with a pulse output. A subclass counts the pulses of a time in _pulses()."""

    def __init__(self, signals):
        Part.__init__(self, signals)
        self._edges = 0
        self._counted_ms = 0

    def power_on(self, now_ms: int):
        self._edges = 0
        self._counted_ms = now_ms
        self._powered = True

    def edges(self, now_ms: int) -> int:
        """Rising edges from power-up to `now_ms`."""
        if not self._powered:
            self.power_on(now_ms)
        now_ms = min(now_ms, self._signals.until_ms)
        if now_ms > self._counted_ms:
            self._edges += self._pulses(self._counted_ms, now_ms)
            self._counted_ms = now_ms
        return self._edges
