# SPDX-License-Identifier: MIT
"""What every chip model has: signals to sense, a plug to be pulled, a fault to be played."""


class Part:
    """A subclass says what it SENSES, and has power_on(now_ms). fault: None, or what to play;
    wire: None, or what it does to its bus (buses/wire_faults.py)."""

    wire = None

    def __init__(self, signals):
        self._signals = signals
        self._plugged = self._powered = True
        self.fault = None

    @property
    def plugged(self) -> bool:
        return self._plugged

    @plugged.setter
    def plugged(self, plugged: bool):
        """Put back, it starts at power_on(), or else when it is next looked at."""
        self._powered = self._powered and plugged
        self._plugged = plugged


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
