# SPDX-License-Identifier: MIT
"""Modbus RTU over a UART, master side: reads input registers (function 0x04). No bus of its own.

Frame: address, function, data, CRC-16 with its low byte first. CRC-16/MODBUS: polynomial 0x8005
reflected (0xA001), start value 0xFFFF. Source: Modbus over serial line V1.02, sections 2.5.1 and
6.2.2; Modbus application protocol V1.1b3, section 6.4.

A slave that refuses answers with function | 0x80 and one byte: that is no reading, a FRAME fault.
"""

from micropython import const

from node.errors import CHECKSUM, FRAME, SILENT, SensorFault

_READ_INPUT = const(0x04)


def crc16(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class InputRegisters:
    """`count` input registers from `first` of the slave at `address`, as one block."""

    def __init__(self, uart, address: int, first: int, count: int):
        self._uart = uart
        request = bytearray((address, _READ_INPUT, first >> 8, first & 0xFF, count >> 8, count))
        self._request = request + crc16(request).to_bytes(2, "little")
        self._answer = bytearray(5 + 2 * count + 1)  # one more byte shows an answer too long

    def line_ms(self, baud: int) -> int:
        """How long the request and its answer are on the line, 10 bits a byte."""
        return (len(self._request) + len(self._answer)) * 10_000 // baud + 1

    def request(self):
        """Sends the request; what is still in the receive buffer belongs to an older one."""
        if self._uart.any():
            self._uart.read(self._uart.any())
        self._uart.write(self._request)

    def answer(self) -> bytearray:
        """The answer, whose register i is at 3 + 2·i, high byte first.

        Raises SensorFault: SILENT without an answer, FRAME for another one, CHECKSUM.
        """
        frame = self._answer
        size = self._uart.readinto(frame)
        if not size:
            raise SensorFault(SILENT)
        if size != len(frame) - 1:  # cut, too long, or a refusal
            raise SensorFault(FRAME)
        if crc16(memoryview(frame)[: size - 2]) != frame[size - 2] | frame[size - 1] << 8:
            raise SensorFault(CHECKSUM)
        if frame[:2] != self._request[:2] or frame[2] != size - 5:  # another slave or function
            raise SensorFault(FRAME)
        return frame
