# SPDX-License-Identifier: MIT
"""A 1-Wire bus with chips on it, in bits: who pulls the line low wins over all others.

A chip has `plugged`, `wire`, `reset(now_ms)` (whether it says that it is there),
`write_bit(now_ms, bit)` and `read_bit(now_ms)`. `wire`: "stuck" (it holds the line low),
"brown-out" (it loses its power for a moment after some bits that it sends).
"""

_BITS_UNTIL_BROWN_OUT = 36


class OneWireBus:
    """now_ms: function that tells the simulated time in ms."""

    def __init__(self, now_ms, chips):
        self._now_ms = now_ms
        self._chips = chips
        self._read = 0

    def _talking(self) -> list:
        return [chip for chip in self._chips if chip.plugged]

    def _stuck(self) -> bool:
        return bool([chip for chip in self._talking() if chip.wire == "stuck"])

    def reset(self) -> bool:
        """Whether the line is low when those who are there say so."""
        self._read = 0
        present = [chip.reset(self._now_ms()) for chip in self._talking()]
        return self._stuck() or True in present

    def write_bit(self, bit: int):
        if self._stuck():
            bit = 0
        for chip in self._talking():
            chip.write_bit(self._now_ms(), 1 if bit else 0)

    def read_bit(self) -> int:
        self._read += 1
        line = 0 if self._stuck() else 1
        for chip in self._talking():
            if chip.wire == "brown-out" and self._read == _BITS_UNTIL_BROWN_OUT:
                chip.plugged = False
                chip.plugged = True
            line &= chip.read_bit(self._now_ms())
        return line

    def write_byte(self, value: int):
        for i in range(8):
            self.write_bit(value >> i & 1)

    def read_byte(self) -> int:
        value = 0
        for i in range(8):
            value |= self.read_bit() << i
        return value
