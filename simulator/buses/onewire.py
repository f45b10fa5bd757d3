# SPDX-License-Identifier: MIT
"""A 1-Wire bus with chips on it, in time slots: the transfers of MicroPython's onewire.OneWire.

A chip has `plugged`, `wire`, `reset(now_ms)` (whether it says that it is there) and
`slot(now_ms, bit)`: the master pulls the line low for long (0) or for a moment (1, which is a read
as well); the chip hears that, or answers with a bit of its own. Who pulls the line low wins over
all others. What a chip may do to the line itself is in wire_faults.py.
"""


class OneWireBus:
    """now_ms: function that tells the simulated time in ms."""

    def __init__(self, now_ms, chips):
        self._now_ms = now_ms
        self._chips = chips
        self.slots = 0  # since the last reset

    def _ask(self, question, *what) -> list:
        """What those who are plugged in answer."""
        answers = []
        for chip in self._chips:
            if chip.plugged:
                answer = getattr(chip, question)(self._now_ms(), *what)
                if chip.wire:
                    from simulator.buses import wire_faults

                    answer = wire_faults.pull(self, chip, answer)
                answers.append(answer)
        return answers

    def reset(self) -> bool:
        """Whether somebody says that they are there."""
        self.slots = 0
        return True in self._ask("reset")

    def writebit(self, value: int) -> int:
        """Returns the line."""
        self.slots += 1
        return 0 if 0 in self._ask("slot", 1 if value else 0) else 1

    def readbit(self) -> int:
        return self.writebit(1)

    def writebyte(self, value: int) -> int:
        """Returns the line, bit by bit."""
        line = 0
        for i in range(8):
            line |= self.writebit(value >> i & 1) << i
        return line

    def readbyte(self) -> int:
        return self.writebyte(0xFF)

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def write(self, buf):
        for value in buf:
            self.writebyte(value)
