# SPDX-License-Identifier: MIT
"""What Sensirion's I2C parts share: 16-bit commands, and words that are each followed by a CRC-8.

Source: SCD4x datasheet 1.3, sections 3.2 (words) and 3.11 (checksum: 0xBEEF gives 0x92).
"""

from node.errors import CHECKSUM, SensorFault


def crc8(data, start: int, end: int) -> int:
    """CRC-8 of data[start:end]: polynomial 0x31, begins with 0xFF, nothing reflected."""
    crc = 0xFF
    for i in range(start, end):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def send(i2c, address: int, command: int, *arguments):
    """Sends a command and its words; an answer can be read after its execution time."""
    sent = bytearray((command >> 8, command & 0xFF))
    for word in arguments:
        sent.extend(bytes((word >> 8, word & 0xFF)))
        sent.append(crc8(sent, len(sent) - 2, len(sent)))
    i2c.writeto(address, sent)


def words(answer) -> list:
    """The words of an answer (3 bytes each); SensorFault when one does not match its CRC."""
    found = []
    for i in range(0, len(answer), 3):
        if crc8(answer, i, i + 2) != answer[i + 2]:
            raise SensorFault(CHECKSUM)
        found.append(answer[i] << 8 | answer[i + 1])
    return found


def take(i2c, address: int, answer) -> list:
    """The words of the answer that fills `answer`."""
    i2c.readfrom_into(address, answer)
    return words(answer)
