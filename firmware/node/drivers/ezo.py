# SPDX-License-Identifier: MIT
"""What the EZO circuits of Atlas Scientific share on I2C: a command in ASCII, a wait, an answer of
one byte for how it went and text that ends with a zero.

Who it is, and what it puts out, is asked once. Salinity, pressure and calibration are the
circuit's own affair. The answer has no checksum: it is the form of its text, and the range of the
number, that tell a damaged one. An answer belongs to the command before it, so none is taken
twice; a probe that hangs cannot be told from water that stands still. Source: datasheets EZO-pH
5.8, EZO-DO 5.3, EZO-EC 6.2, chapters "I2C mode": response codes (pH p. 46), taking reading (pH
p. 51), device information, temperature compensation (an old firmware does not know `RT`, and
answers 2, which is FRAME), enable/disable parameters.
"""

from micropython import const

from node.errors import CHIP_ID, FRAME, MISFIT, RANGE, SILENT, SensorFault

_DONE = const(1)
_PENDING = const(254)  # 255: there is nothing
_ASK_MS = const(302)  # 300 ms; a clock of ms may be short by one, at either end
_COMPENSATED_MS = const(902)
_AGAIN_MS = const(100)
_AGAIN_MOST = const(10)
_ANSWER_BYTES = const(40)  # "500000,270000,42.00,1.300" and what is around it


def thousandths(text) -> int:
    """A decimal number in ASCII, in thousandths; what is beyond them is cut off."""
    whole, _, decimals = bytes(text).partition(b".")
    negative = whole[:1] == b"-"
    digits = whole[1 if negative else 0 :]
    if not digits.isdigit() or len(digits) > 6 or len(decimals) > 6:
        raise SensorFault(FRAME)
    if (decimals or b"." in text) and not decimals.isdigit():
        raise SensorFault(FRAME)
    value = int(digits + (decimals + b"000")[:3])
    return -value if negative else value


class Ezo:
    """A subclass says NAMES, how it may call itself; OUTPUT, what it must put out, None if it has
    no choice; READ_MS, how long a reading takes; BETWEEN, its lowest and highest reading: beyond
    them is no probe. temperature_mc: of the water, if it is to compensate for that, or None."""

    _answer = bytearray(_ANSWER_BYTES)  # read and taken apart at once: one for all

    def __init__(self, i2c, address: int, temperature_mc):
        self._i2c = i2c
        self._address = address
        self._asks = [b"i", b"O,?"] if self.OUTPUT else [b"i"]  # before its first reading
        self._numbers = 1  # that it puts out
        self._command = b"R"
        self._read_ms = self.READ_MS + 2
        if temperature_mc is not None:
            if not 0 <= temperature_mc <= 50_000:
                raise ValueError("temperature")
            self._command = b"RT,%d.%02d" % (temperature_mc // 1000, temperature_mc % 1000 // 10)
            self._read_ms = _COMPENSATED_MS
        self._again = 0

    def start(self) -> int:
        self._again = 0
        self._i2c.writeto(self._address, self._asks[0] if self._asks else self._command)
        return _ASK_MS if self._asks else self._read_ms

    def read(self):
        answer = self._answer
        self._i2c.readfrom_into(self._address, answer)
        if answer[0] == _PENDING and self._again < _AGAIN_MOST:
            self._again += 1
            return _AGAIN_MS
        if answer[0] >= _PENDING:  # or it forgot the command: it has started anew
            raise SensorFault(SILENT)
        end = bytes(answer).find(b"\0")
        if answer[0] != _DONE or end < 0:
            raise SensorFault(FRAME)
        fields = bytes(answer[1:end]).split(b",")
        if self._asks:
            self._meet(fields)
            return self.start()
        if len(fields) != self._numbers:
            raise SensorFault(FRAME)
        values = [thousandths(field) for field in fields]
        if not self.BETWEEN[0] <= values[0] <= self.BETWEEN[1]:
            raise SensorFault(RANGE)
        return (values[0],)

    def _meet(self, fields):
        """Checks who it is, ?i,pH,1.98; then what it puts out, ?,O,%,mg or ?O,EC (firmware
        differs). Ours is the first of the numbers, if it is on at all."""
        if self._asks.pop(0) == b"i":
            if len(fields) != 3 or fields[0].lower() != b"?i":
                raise SensorFault(FRAME)
            if fields[1] not in self.NAMES:
                raise SensorFault(CHIP_ID)
            return
        if fields[0] == b"?":
            fields = fields[1:] or fields
        if fields[0] not in (b"O", b"?O", b"no output"):
            raise SensorFault(FRAME)
        if self.OUTPUT not in fields:
            raise SensorFault(MISFIT)
        self._numbers = len(fields) - 1
