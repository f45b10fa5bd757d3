# SPDX-License-Identifier: MIT
"""Our simulated UART as pyserial's Serial, and a clock that moves when somebody waits."""


class Clock:
    """Stands in for the module `time` of a library."""

    def __init__(self, now_ms: int = 1_000_000):
        self.now_ms = now_ms

    def time(self) -> float:
        return self.now_ms / 1000

    monotonic = perf_counter = time

    def sleep(self, seconds: float):
        self.now_ms += max(1, round(seconds * 1000))


class SerialPort:
    """line: simulator.buses.uart.UartLine, whose time is that of `clock`."""

    port = name = "simulated"
    bytesize, parity, stopbits = 8, "N", 1
    is_open = True
    inter_byte_timeout = None

    def __init__(self, line, clock: Clock, baudrate: int, timeout: float = 1.0):
        self._line = line
        self._clock = clock
        self.baudrate = baudrate
        self.timeout = timeout

    def open(self):
        self.is_open = True

    def close(self):
        self.is_open = False

    @property
    def in_waiting(self) -> int:
        return self._line.any()

    def write(self, data) -> int:
        return self._line.write(bytes(data))  # a list of numbers is taken as well

    def read(self, size: int = 1) -> bytes:
        """Waits for `size` bytes, or until the timeout is over."""
        end_ms = self._clock.now_ms + round((self.timeout or 0) * 1000)
        while self._line.any() < size and self._clock.now_ms < end_ms:
            self._clock.now_ms += 1
        return self._line.read(size) or b""

    def readline(self) -> bytes:
        """Waits for the end of a line, or until the timeout is over."""
        line = b""
        while not line.endswith(b"\n") and (byte := self.read(1)):
            line += byte
        return line

    def flush(self):
        pass

    def reset_input_buffer(self):
        self._line.read()

    def reset_output_buffer(self):
        pass

    flushInput, flushOutput = reset_input_buffer, reset_output_buffer
