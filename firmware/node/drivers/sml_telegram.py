# SPDX-License-Identifier: MIT
"""SML (Smart Message Language): telegrams of electricity meters, read byte by byte.

Nothing is buffered, so a telegram may be of any length; lists may be nested 12 deep. Of all that a
telegram says only the energy registers and the power are kept: the meter's id, its status words
and signatures are passed over as they come. Nothing counts before the checksum is right:
CRC-16/X.25, or CRC-16/KERMIT with its bytes swapped, as a few meters have it.
Source: BSI TR-03109-1, annex IV-b: SML 1.04, chapters 6 (encoding) and 8 (transport protocol 1).
"""

from micropython import const

_ESCAPE = const(0x1B)
_DEPTH = const(12)
_RUN_MAX = const(255)
_HUNT, _DATA, _END, _START = const(0), const(1), const(2), const(3)
# CRC-16 with the polynomial 0x8408, four bits a time; what it is after the start sequence
_CRC = (
    0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
    0x8408, 0x9489, 0xA50A, 0xB58B, 0xC60C, 0xD68D, 0xE70E, 0xF78F,
)  # fmt: skip
_CRC_STARTED = const(0x91DC)
_STARTED_BYTES = const(8)
_OCTETS, _SIGNED, _UNSIGNED, _LIST = const(0), const(5), const(6), const(7)
_CODE, _NUMBER = const(1), const(2)  # what an element is wanted for
# SML_ListEntry: objName, status, valTime, unit, scaler, value, valueSignature
_ENTRY_FIELDS = const(6)  # at least
_UNIT, _SCALER, _VALUE = const(3), const(4), const(5)
_WH, _W = const(30), const(27)  # DLMS units
_OBIS = b"\x01\x00\x00\x00\x00\xff"  # 1-0:C.D.E*255
_POWER = const(0x100700)  # C.D.E; energy is 1.8.E and 2.8.E, E = 0 or the tariff
_ENERGY, _TARIFFS = const(8), const(8)
_EXPONENT_MAX = const(12)


def _step(crc: int, byte: int) -> int:
    crc ^= byte
    crc = crc >> 4 ^ _CRC[crc & 15]
    return crc >> 4 ^ _CRC[crc & 15]


class Telegrams:
    """told: [import mWh, export mWh, net power mW] of the last good telegram, None where it does
    not tell; crc: its checksum. Where a meter tells no total, it is the sum of its tariffs.
    bad_sums: how many telegrams were damaged. power_unsigned: positive power of 2 bytes is sent as
    if it were signed (old DZG meters)."""

    def __init__(self, power_unsigned: bool = False):
        self._power_unsigned = power_unsigned
        self._size = [0] * (_DEPTH + 1)  # of the lists that are open
        self._at = [0] * (_DEPTH + 1)  # which of their elements comes next
        self.restart()

    def restart(self):
        """Forgets what has come so far."""
        self._state = _HUNT
        self._run = self._ones = 0
        self.bad_sums = 0
        self.told = None
        self.crc = None

    def feed(self, data, size: int) -> int:
        """Takes `size` bytes; returns how many good telegrams that tell something ended."""
        good = 0
        for i in range(size):
            byte = data[i]
            state = self._state
            if state == _HUNT:
                self._hunt(byte)
            elif state == _START:
                self._ones += 1
                if byte != 1:
                    self._lose(byte)
                elif self._ones == 4:
                    self._begin()
            elif state == _END:
                good += self._end(byte)
            else:
                self._crc = _step(self._crc, byte)
                self._count += 1
                if byte == _ESCAPE:
                    self._run += 1
                    if self._run > _RUN_MAX:
                        self._lose(byte)
                elif self._run:
                    self._after_run(byte)
                else:
                    self._take(byte)
        return good

    # transport

    def _hunt(self, byte: int):
        if byte == _ESCAPE:
            self._run = 1 if self._ones else min(self._run + 1, 4)
            self._ones = 0
        elif byte == 1 and self._run == 4:
            self._ones += 1
            if self._ones == 4:
                self._begin()
        else:
            self._run = self._ones = 0

    def _lose(self, byte: int):
        self._state = _HUNT
        self._ones = 0
        self._run = 1 if byte == _ESCAPE else 0

    def _begin(self):
        self._state = _DATA
        self._crc, self._count = _CRC_STARTED, _STARTED_BYTES
        self._run = self._ones = 0
        self._depth = self._entry = self._left = self._heads = 0
        self._broken = False
        self._found = [None, None, None]
        self._tariffs = [None, None]

    def _after_run(self, byte: int):
        """Escape bytes have come, and now another: eight of them are four of the data; four more
        announce something; and the data may end, or begin, with up to three."""
        run, self._run = self._run, 0
        special = run & 4
        for _ in range((run >> 3) * 4 + (run & 3)):
            self._take(_ESCAPE)
        if not special:
            self._take(byte)
        elif byte == 0x1A:
            self._state, self._ones = _END, 0
        elif byte == 1:
            self._state, self._ones = _START, 1
        else:
            self._lose(byte)

    def _end(self, byte: int) -> int:
        """The fill count and the two bytes of the checksum."""
        self._ones += 1
        if self._ones == 1:
            self._crc = _step(self._crc, byte)
            self._count += 1
            return 0
        if self._ones == 2:
            self._low = byte
            return 0
        self._lose(0)
        if self._crc ^ 0xFFFF != self._low | byte << 8:
            # The other kind starts at 0: what that changes depends on the length alone.
            change = 0xFFFF
            for _ in range(self._count):
                change = _step(change, 0)
            if self._crc ^ change != self._low << 8 | byte:
                self.bad_sums += 1
                return 0
        for i in range(2):
            if self._found[i] is None:
                self._found[i] = self._tariffs[i]
        if self._found == [None, None, None]:
            return 0
        self.told, self.crc = self._found, self._crc
        return 1

    # the tree of lists and values

    def _take(self, byte: int):
        if self._broken:
            return
        if self._left:
            self._left -= 1
            if self._want == _NUMBER:
                self._number = self._number << 8 | byte
            elif self._want == _CODE:
                at = 5 - self._left
                if 2 <= at <= 4:
                    self._number = self._number << 8 | byte
                elif byte != _OBIS[at]:
                    self._want = 0
            if self._want and self._signed:  # the first byte has the sign
                self._signed = False
                self._number -= (byte & 0x80) << 1
            if not self._left:
                self._done()
            return
        if not self._heads:
            self._type, self._length = byte >> 4 & 7, 0
        self._heads += 1
        self._length = self._length << 4 | byte & 15
        if byte & 0x80:  # the length goes on
            self._broken = self._heads >= 6
            return
        heads, self._heads = self._heads, 0
        if self._type == _LIST:
            self._open()
        else:
            self._element(max(0, self._length - heads))

    def _open(self):
        if not self._length:
            self._want = 0
            self._done()
            return
        depth = self._depth + 1
        if depth > _DEPTH:
            self._broken = True
            return
        self._depth = depth
        self._size[depth], self._at[depth] = self._length, 0
        if self._entry >= depth:
            self._entry = 0

    def _element(self, length: int):
        """The next `length` bytes are a value: what is it wanted for?"""
        depth, kind = self._depth, self._type
        at = self._at[depth]
        self._want, self._signed, self._number = 0, False, 0
        self._left = self._bytes = length
        if not depth:
            pass
        elif at == 0 and kind == _OCTETS and length == 6 and self._size[depth] >= _ENTRY_FIELDS:
            self._want = _CODE
        elif depth == self._entry and _UNIT <= at <= _VALUE and kind in (_SIGNED, _UNSIGNED):
            self._want = _NUMBER if 1 <= length <= 8 else 0
            self._signed = kind == _SIGNED
        if not length:
            self._done()

    def _done(self):
        """An element is complete, and with it perhaps lists."""
        depth, want = self._depth, self._want
        at = self._at[depth]
        if want == _CODE:
            self._entry, self._code = depth, self._number
            self._unit, self._scaler = None, 0
        elif want == _NUMBER:
            if at == _UNIT:
                self._unit = self._number
            elif at == _SCALER:
                self._scaler = self._number
            else:
                self._keep(self._number)
        while depth:
            self._at[depth] += 1
            if self._at[depth] < self._size[depth]:
                break
            depth -= 1
        self._depth = depth
        self._want = 0

    def _keep(self, value: int):
        code, self._entry = self._code, 0
        exponent = self._scaler + 3  # to thousandths
        if not -_EXPONENT_MAX <= exponent <= _EXPONENT_MAX:
            return
        power = code == _POWER
        if self._unit is not None and self._unit != (_W if power else _WH):
            return
        if power and self._power_unsigned and self._bytes == 2:
            value &= 0xFFFF
        value = value * 10**exponent if exponent >= 0 else value // 10**-exponent
        direction = (code >> 16) - 1
        if power:
            self._found[2] = value
        elif not 0 <= direction <= 1 or code >> 8 & 0xFF != _ENERGY:
            pass  # something else in Wh
        elif code & 0xFF == 0:
            self._found[direction] = value
        elif code & 0xFF <= _TARIFFS:
            self._tariffs[direction] = value + (self._tariffs[direction] or 0)
