# SPDX-License-Identifier: MIT
"""What a part says on its UART, piece by piece, and each as fast as its baud rate allows."""


class Sending:
    def __init__(self, baud: int):
        self._baud = baud
        self.clear()

    def clear(self):
        self._pieces = []  # (when its first bit leaves, bytes)
        self._given = 0  # bytes of the first one that have left

    def free_ms(self, at_ms: int) -> int:
        """When a piece that is there at `at_ms` can begin: not before those ahead of it end."""
        if not self._pieces:
            return at_ms
        begun_ms, before = self._pieces[-1]
        return max(at_ms, begun_ms + -(-len(before) * 10_000 // self._baud))

    def add(self, at_ms: int, data: bytes):
        self._pieces.append((at_ms, data))

    def sent(self, now_ms: int) -> bytes:
        """What has left until now and was not asked for yet."""
        sent = b""
        while self._pieces:
            begun_ms, data = self._pieces[0]
            done = max(0, (now_ms - begun_ms) * self._baud // 10_000)  # 10 bits per byte
            sent += data[self._given : done]
            if done < len(data):
                self._given = max(self._given, done)
                break
            self._pieces.pop(0)
            self._given = 0
        return sent
