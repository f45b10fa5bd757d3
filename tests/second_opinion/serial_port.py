# SPDX-License-Identifier: MIT
"""A serial port as pyserial's, with a chip at its other end: for libraries that are not ours.

Simulated time runs while a library waits: a byte that has not come yet takes a millisecond.
"""

from simulator.buses.uart import UartLine


class SerialPort:
    """chip: a chip model; now: [simulated ms], shared with whatever else looks at the chip."""

    def __init__(self, chip, now: list, baudrate: int = 9600, timeout: float | None = 1.0):
        self._now = now
        self._line = UartLine(lambda: now[0], chip, baudrate, 4096)
        self.baudrate, self.timeout = baudrate, timeout
        self.is_open = True

    @property
    def in_waiting(self) -> int:
        return self._line.any()

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, or what has come until `timeout` (None: 60 s)."""
        data = b""
        wait_ms = int(1000 * (60 if self.timeout is None else self.timeout))
        while True:
            data += self._line.read(size - len(data)) or b""
            if len(data) >= size or wait_ms <= 0:
                return data
            self._now[0] += 1
            wait_ms -= 1

    def read_all(self) -> bytes:
        return self._line.read() or b""

    def readline(self) -> bytes:
        data = b""
        while not data.endswith(b"\n"):
            one = self.read(1)
            if not one:
                break
            data += one
        return data

    def write(self, data: bytes) -> int:
        return self._line.write(data)

    def reset_input_buffer(self):
        self._line.read()

    flushInput = reset_input_buffer

    def reset_output_buffer(self):
        pass

    flushOutput = flush = reset_output_buffer

    def open(self):
        self.is_open = True

    def close(self):
        self.is_open = False
