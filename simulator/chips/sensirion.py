# SPDX-License-Identifier: MIT
"""Sensirion's I2C parts: words, each followed by its CRC-8, and how an answer is read."""

from simulator.chips.part import Part


def _crc_table() -> bytes:
    table = bytearray(256)
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = crc << 1 ^ (0x131 if crc & 0x80 else 0)
        table[value] = crc
    return bytes(table)


_TABLE = _crc_table()


def with_crc(words) -> bytes:
    """The words as they go over the wire: high byte, low byte, checksum."""
    wire = bytearray()
    for word in words:
        high, low = word >> 8, word & 0xFF
        wire.extend(bytes((high, low, _TABLE[_TABLE[0xFF ^ high] ^ low])))
    return bytes(wire)


def nack():
    """What the bus gives when nobody answers."""
    raise OSError(19)


class SensirionPart(Part):
    """Silent in a gap of a level. An answer can be read once, from `_answer_ms` on.

    Fault: "checksum".
    """

    _answer = None
    _answer_ms = 0

    def _levels(self, now_ms: int) -> list:
        at = min(now_ms, self._signals.until_ms)
        levels = [self._signals.level(name, at) for name in self.SENSES]
        if None in levels:
            nack()
        return levels

    def read(self, now_ms: int, n: int) -> bytes:
        self._levels(now_ms)
        if self._answer is None or now_ms < self._answer_ms or not self._powered:
            nack()
        answer, self._answer = self._answer, None
        if self.fault == "checksum":
            answer = answer[:2] + bytes((answer[2] ^ 0x01,)) + answer[3:]
        return (answer + b"\xff" * n)[:n]
