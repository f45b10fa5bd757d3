# SPDX-License-Identifier: MIT
"""OBIS in ASCII, as utility meters write it: `1-0:1.8.1(001581.123*kWh)`. No bus of its own.

A stream goes in one byte at a time, and out come registers as integers. What is not one of them
(the meter's and the equipment's numbers, names, text messages, histories) is dropped byte by byte.

Ids: IEC 62056-61; lines: IEC 62056-21 section 6 and DSMR P1 companion standard 5.0.2 section 6.
`A-B:` may be missing; a group F other than 255 marks a value of an earlier billing period. A value
of DSMR 2.2 follows its id in the next line, and has the unit of the brackets before.
"""

from micropython import const

from node.errors import FRAME, RANGE, SensorFault

# Where a line is: at its beginning, in its id, in brackets, in brackets after the number.
_NEW, _ID, _VALUE, _UNIT = const(0), const(1), const(2), const(3)
# Places in `values`: sums of tariffs stand one behind their total.
_IMPORT, _EXPORT, _INSTANT, _CURRENT = const(0), const(2), const(4), const(10)
_GAS, _TIME, _TYPE, _COUNT = const(13), const(14), const(15), const(14)
_GAS_METER = const(3)  # device type of the M-Bus, EN 13757-3
_DIGITS = const(15)  # no register has more
_PIECES = const(32)  # of 64 bytes: the receive buffer
# C of C.7.0: power in, out, net; voltage and current of each phase
_INSTANT_C = b"\x01\x02\x10\x20\x34\x48\x1f\x33\x47"
_WH, _M3 = const(0x5768), const(0x6D33)
_INSTANT_BASES = b"WWWVVVAAA"
_PREFIXES = {0: 3, 0x6B: 6, 0x4D: 9, 0x6D: 0, 0x64: 0}  # powers of ten: -, k, M, m; dm3


def scaled(number: int, decimals: int, unit: int, base: int):
    """A number with so many digits behind its point, in thousandths of `base`; None when its unit
    is no multiple of that. Units are the bytes of their names, as a number."""
    bits = 16 if base > 0xFF else 8
    exponent = _PREFIXES.get(unit >> bits)
    if exponent is None or unit & (1 << bits) - 1 != base:
        return None
    while exponent < decimals:
        number //= 10
        decimals -= 1
    while exponent > decimals:
        number *= 10
        exponent -= 1
    return number


def drain(uart, piece):
    """Drops what has come, at most a full receive buffer, and what is left of it in the buffer for
    pieces."""
    for _ in range(_PIECES):
        if not uart.readinto(piece):
            break
    for i in range(len(piece)):
        piece[i] = 0


class Registers:
    """The registers of one telegram after the other. After clear() and take() of each byte:
    `values`; `time`, the last six digits of the meter's clock, or None; `torn`: lines are not as
    they must be. Then reading()."""

    def __init__(self):
        self.values = [None] * _COUNT
        self._before = (None, None, None)
        self.clear()

    def clear(self):
        for place in range(_COUNT):
            self.values[place] = None
        self.time = None
        self.torn = False
        self._gas_channel = self._number = -1
        self._groups = 0
        self._place = None
        self._state = _NEW

    def take(self, byte: int):
        state = self._state
        if byte in (10, 13):
            if state != _NEW:
                self.torn = True
            self._state = _NEW
        elif state >= _VALUE:
            self._take_value(byte)
        else:
            if state == _NEW and byte != 0x28:
                self._state = _ID
                self._media = self._channel = self._number = -1
                self._code = self._groups = self._unit = 0
                self._place = None
            self._take_id(byte)

    def _take_id(self, byte: int):
        number = self._number
        if 0x30 <= byte <= 0x39:
            self._number = min(max(number, 0) * 10 + byte - 0x30, 256)
            return
        if byte == 0x28:
            self._state = _VALUE
            self._value = self._digits = 0
            self._decimals = -1
            self._sign = 1
            if number < 0 and self._groups == 0:  # a further value of the id before
                return
        self._number = -1
        if number < 0 or number > 255:
            self._groups = 9
        elif byte == 0x2D and not self._groups:  # -
            self._media = number
        elif byte == 0x3A and not self._groups:  # :
            self._channel = number
        elif byte in (0x2E, 0x2A, 0x28):  # . * (
            if self._groups < 3:
                self._code = self._code << 8 | number
            elif number != 255:
                self._groups = 9
            self._groups += 1
        else:
            self._groups = 9
        if byte == 0x28:
            if self._groups in (3, 4) and (self._media < 0) == (self._channel < 0):
                self._place = self._find()
            else:
                self.torn = True
            self._groups = 0

    def _find(self):
        """The place of the register with this id, None for all that is dropped."""
        c, d, e = self._code >> 16, self._code >> 8 & 0xFF, self._code & 0xFF
        if self._media == 0:
            if c == 24 and (d, e) in ((2, 1), (2, 3), (3, 0)):  # 24.2.3: Belgium
                return _GAS if self._channel == self._gas_channel else None
            if c == 24 and d == 1:
                return _TYPE
            return _TIME if (c, d, e) == (1, 0, 0) else None
        if self._media > 1:
            return None
        if d == 8 and e <= 9 and c in (1, 2):
            return 2 * c - 2 + (e > 0)
        if d == 7 and e in (0, 255) and c in _INSTANT_C:
            return _INSTANT + _INSTANT_C.index(bytes((c,)))
        return None

    def _take_value(self, byte: int):
        if byte == 0x29:
            self._state = _NEW
            if self._place is not None:
                self._keep(self._place)
        elif self._place is None:
            pass
        elif self._state == _UNIT:
            self._unit = self._unit << 8 & 0xFFFFFF | byte
        elif 0x30 <= byte <= 0x39:
            self._value = self._value * 10 + byte - 0x30
            self._digits += 1
            if self._decimals >= 0:
                self._decimals += 1
            if self._digits > _DIGITS:
                self._place = None
        elif byte == 0x2E and self._decimals < 0:
            self._decimals = 0
        elif byte == 0x2D and not self._digits:
            self._sign = -1
        elif byte != 0x2B:  # a unit, or what is no number
            self._state = _UNIT
            self._unit = 0 if byte == 0x2A else byte

    def _keep(self, place: int):
        if not self._digits:
            return
        value = self._value
        if place == _TIME:
            self.time = value % 1_000_000
        elif place == _TYPE:
            if value == _GAS_METER:
                self._gas_channel = self._channel
        else:
            base = _M3 if place == _GAS else _WH
            if _INSTANT <= place < _GAS:
                base = _INSTANT_BASES[place - _INSTANT]
            value = scaled(value, max(0, self._decimals), self._unit, base)
            if value is None:
                return
            if place in (_IMPORT + 1, _EXPORT + 1):
                value += self.values[place] or 0
            self.values[place] = value * self._sign

    def total(self, place: int = _IMPORT):
        """The energy register at `place`, or the sum of its tariffs; None: neither was told."""
        value = self.values[place]
        return self.values[place + 1] if value is None else value

    def reading(self) -> tuple:
        """Totals of energy in and out, and both since the reading before; net power; voltage and
        current of the phases; gas since the reading before. None for what is not told. Raises
        SensorFault: FRAME without a register of energy, RANGE when one went back."""
        values = self.values
        totals = self.total(), self.total(_EXPORT), values[_GAS]
        if totals[0] is None:
            raise SensorFault(FRAME)
        since = []
        for now, before in zip(totals, self._before):
            passed = None if now is None or before is None else now - before
            if passed and passed < 0:
                raise SensorFault(RANGE)
            since.append(passed)
        self._before = totals
        power_in, power_out, net = values[_INSTANT : _INSTANT + 3]
        if net is None and power_in is not None:
            net = power_in - (power_out or 0)
        # A phase of 0 V is one that is not connected.
        volts = [volt or None for volt in values[_INSTANT + 3 : _CURRENT]]
        amps = values[_CURRENT:_GAS]
        return tuple(list(totals[:2]) + since[:2] + [net] + volts + amps + since[2:])
