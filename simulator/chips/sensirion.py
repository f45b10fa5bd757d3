# SPDX-License-Identifier: MIT
"""The words of Sensirion's I2C parts: each followed by its CRC-8."""


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
