# SPDX-License-Identifier: MIT
"""An induction loop detector: a pulse for each event of `vehicles`."""

from simulator.chips.pulse_part import PulsePart


class LoopDetector(PulsePart):
    SENSES = ("vehicles",)

    def _pulses(self, from_ms: int, to_ms: int) -> int:
        return len(self._signals.events("vehicles", from_ms, to_ms))
