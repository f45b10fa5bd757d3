# SPDX-License-Identifier: MIT
"""The EZO circuits of Atlas Scientific in I2C mode: commands in ASCII, processing delays, response
codes (datasheets EZO-pH 5.8, EZO-DO 5.3, EZO-EC 6.2).

A subclass says what it senses, its NAME, how long it reads, the OUTPUTS that it may put out, in
the order of its numbers, and how it writes the first. It senses when a reading is done; in a gap
it does not acknowledge. A command that comes while it is busy replaces the one before. Not there:
calibration, compensation (its readings are right as they are), sleep, its other protocol; commands
for them are a syntax error.

Faults: "chip id" (another circuit at that address); "pending" (it is never done); "syntax" (it
understands nothing); "short" (it lets go of the line within its answer); "range" (nothing at its
terminals). There is no checksum.
"""

from simulator.chips.part import Part

_NACK = 19
_DONE, _SYNTAX, _PENDING, _NO_DATA = 1, 2, 254, 255
_ASK_MS, _COMPENSATED_MS = 300, 900
_VERSION = b"2.10"
_SHORT_BYTES = 3


def decimal(thousandths: int, decimals: int) -> bytes:
    """A number with 0 to 3 decimals, cut off."""
    number = b"%d.%03d" % (thousandths // 1000, thousandths % 1000)
    return number[: len(number) - (3 - decimals if decimals else 4)]


class Ezo(Part):
    OUTPUTS = ()  # it has no choice

    def __init__(self, signals, address: int, temperature_mc=None):
        Part.__init__(self, signals)
        self.enabled = None  # of its OUTPUTS; None: the first, as it comes
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._command = None  # the one that is under way, and when it is done
        self._done_ms = 0

    def _level(self, now_ms: int) -> int:
        level = self._signals.level(self.SENSES[0], min(now_ms, self._signals.until_ms))
        if level is None or not self._powered:
            raise OSError(_NACK)
        return level

    def write(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms)
        self._level(now_ms)
        command = data[:-1] if data[-1:] == b"\0" else data
        self._command = command.upper().split(b",")
        delay_ms = _ASK_MS
        if self._command == [b"R"]:
            delay_ms = self.READ_MS
        elif self._command[0] == b"RT":
            delay_ms = _COMPENSATED_MS
        self._done_ms = now_ms + delay_ms

    def read(self, now_ms: int, n: int) -> bytes:
        self._level(now_ms)
        if self._command is None:
            answer = bytes((_NO_DATA,))
        elif now_ms < self._done_ms or self.fault == "pending":
            answer = bytes((_PENDING,))
        else:
            command, self._command = self._command, None
            text = None if self.fault == "syntax" else self._answer(command)
            answer = bytes((_SYNTAX,)) if text is None else bytes((_DONE,)) + text + b"\0"
        filler = b"\0"
        if self.fault == "short":
            answer, filler = answer[:_SHORT_BYTES], b"\xff"
        return (answer + filler * n)[:n]

    def _answer(self, command: list):
        """The text that answers a command; None: it is not understood."""
        if command == [b"I"]:
            return b"?i," + (b"ORP" if self.fault == "chip id" else self.NAME) + b"," + _VERSION
        if self.enabled is None:
            if command == [b"R"] or (command[0] == b"RT" and len(command) == 2):
                return self.number(self._level(self._done_ms))
            if command == [b"O", b"?"] and self.OUTPUTS:
                return self.LISTED + b"," + self.OUTPUTS[0]
        from simulator.chips import ezo_more  # a node's heap is small

        return ezo_more.answer(self, command)
