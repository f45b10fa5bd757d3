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
