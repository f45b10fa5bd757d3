# SPDX-License-Identifier: MIT
"""Pulses since the last look at a hardware counter, which counts 0..32766 and starts again.

A counter is never written to: setting it to zero would lose the pulse that comes in between.
Between two looks there may be up to 32,766 pulses.
"""

from micropython import const

_PERIOD = const(32_767)  # esp32.PCNT resets to zero when it reaches its max


class PulseCount:
    def __init__(self, counter):
        self._counter = counter
        self._last = counter.value()

    def take(self) -> int:
        """Pulses since the last take(), or since construction."""
        value = self._counter.value()
        pulses = (value - self._last) % _PERIOD
        self._last = value
        return pulses
