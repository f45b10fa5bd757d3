# SPDX-License-Identifier: MIT
"""Modbus RTU, slave side: takes requests off the line, sends answers a byte at a time."""


def with_crc(data: bytes) -> bytes:
    """`data` and its CRC-16/MODBUS, low byte first."""
    remainder = 0xFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            carry = remainder & 1
            remainder >>= 1
            if carry:
                remainder ^= 0xA001
    return data + bytes((remainder & 0xFF, remainder >> 8))


class Slave:
    """One slave's end of the line. answer(address, function, data) -> bytes of its answer without
    the CRC, or None when it stays silent; delay_ms: from the end of a request to the answer."""

    def __init__(self, baud: int, delay_ms: int, answer):
        self._baud = baud
        self._delay_ms = delay_ms
        self._answer = answer
        self._silence_ms = -(-35_000 // baud)  # 3.5 characters of 10 bits end a frame
        self.clear()

    def clear(self):
        self._heard = b""
        self._heard_ms = 0
        self._sending = b""
        self._sending_ms = 0

    def receive(self, now_ms: int, data: bytes, damage=None):
        """damage: function from the whole answer to what goes onto the line instead."""
        if now_ms - self._heard_ms > self._silence_ms:
            self._heard = b""
        self._heard_ms = now_ms
        heard = self._heard = self._heard + data
        if len(heard) < 4 or with_crc(heard[:-2]) != heard:
            return
        self._heard = b""
        answer = self._answer(now_ms, heard[0], heard[1], heard[2:-2])
        if answer is None:
            return
        answer = with_crc(answer)
        self._sending = damage(answer) if damage else answer
        self._sending_ms = now_ms + self._duration_ms(len(heard)) + self._delay_ms

    def _duration_ms(self, size: int) -> int:
        return size * 10_000 // self._baud  # start, 8 data bits, stop

    def transmit(self, now_ms: int) -> bytes:
        """What was sent up to `now_ms`."""
        if not self._sending or now_ms < self._sending_ms:
            return b""
        size = (now_ms - self._sending_ms) * self._baud // 10_000
        sent = self._sending[:size]
        self._sending = self._sending[size:]
        self._sending_ms += self._duration_ms(len(sent))
        return sent
