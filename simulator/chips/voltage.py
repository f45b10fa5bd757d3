# SPDX-License-Identifier: MIT
"""A voltage at the divider of an analogue input, which board.json describes: `board_bus`.

A gap of its level, and a wire that is pulled, are 0 V. The ADC's noise is a part of it: some
millivolts, and now and then a dip, as when the radio begins to send.

Fault: "range" (more than the ADC can tell).
"""

from simulator.chips.part import Part

_NOISE_UV = 2000
_SPIKE_UV = 200_000
_TOO_HIGH_UV = 3_300_000


class Voltage(Part):
    board_bus = {"divider": (1, 1)}

    def __init__(self, signals):
        Part.__init__(self, signals)
        self._noise = 1

    def power_on(self, now_ms: int):
        self._powered = True

    def pin_uv(self, now_ms: int) -> int:
        if self.fault == "range":
            return _TOO_HIGH_UV
        level = self._signals.level(self.SENSES[0], min(now_ms, self._signals.until_ms))
        if not level:
            return 0
        numerator, denominator = self.board_bus["divider"]
        self._noise = (self._noise * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        draw = self._noise >> 12
        at_pin_uv = level * 1000 * denominator // numerator + draw % (2 * _NOISE_UV) - _NOISE_UV
        return max(0, at_pin_uv - (_SPIKE_UV if draw % 61 == 0 else 0))
