# SPDX-License-Identifier: MIT
"""A 1-Wire bus with chips on it, in bits: the transfers of MicroPython's onewire.OneWire. Who
pulls the line low wins over all others.

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

    def _talking(self) -> tuple:
        """Who is plugged in, and what the line is before they talk."""
        talking = [chip for chip in self._chips if chip.plugged]
        return talking, 0 if "stuck" in [chip.wire for chip in talking] else 1

    def reset(self) -> bool:
        """Whether the line is low when those who are there say so."""
        self._read = 0
        talking, line = self._talking()
        return True in [chip.reset(self._now_ms()) for chip in talking] or not line

    def writebit(self, value: int):
        talking, line = self._talking()
        for chip in talking:
            chip.write_bit(self._now_ms(), line if value else 0)

    def readbit(self) -> int:
        self._read += 1
        talking, line = self._talking()
        for chip in talking:
            if chip.wire == "brown-out" and self._read == _BITS_UNTIL_BROWN_OUT:
                chip.plugged = False
                chip.plugged = True
            line &= chip.read_bit(self._now_ms())
        return line

    def writebyte(self, value: int):
        for i in range(8):
            self.writebit(value >> i & 1)

    def readbyte(self) -> int:
        value = 0
        for i in range(8):
            value |= self.readbit() << i
        return value

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def write(self, buf):
        for value in buf:
            self.writebyte(value)
