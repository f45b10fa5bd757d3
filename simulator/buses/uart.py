# SPDX-License-Identifier: MIT
"""One UART with a chip at its other end: the transfers of machine.UART, with a bounded buffer.

A chip has `plugged`, `wire`, `BAUD`, `receive(now_ms, data)` and `transmit(now_ms) -> bytes`. What
it sends collects in a receive buffer of `rxbuf` bytes; when it is full, the newest bytes are lost,
as on an ESP32. At another baud rate than the chip's, or with frames of another form (its `FORM`,
if it has one, as `form` below), bytes arrive garbled: uart_form.py. What a chip may do to the line
itself is in wire_faults.py.
"""


class UartLine:
    """now_ms: function that tells the simulated time in ms; chip may be None (nothing wired)."""

    INV_TX, INV_RX = 32, 4  # of machine.UART
    form = None  # (data bits, parity, inverted lines) where it is not 8N1 and upright

    def __init__(self, now_ms, chip, baudrate: int = 9600, rxbuf: int = 256):
        self._now_ms = now_ms
        self._chip = chip
        self._baudrate = baudrate
        self._limit = rxbuf
        self._rx = b""
        self.lost_bytes = 0

    def _talks(self) -> bool:
        return self._chip is not None and self._chip.plugged

    def _garbled(self, data: bytes, is_sent: bool = False) -> bytes:
        chip = self._chip
        if self._baudrate == chip.BAUD and self.form == getattr(chip, "FORM", None):
            return data
        from simulator.buses import uart_form

        return uart_form.garbled(self, chip, data, is_sent)

    def _fill(self):
        if not self._talks():
            return
        sent = self._chip.transmit(self._now_ms())
        if sent and self._chip.wire:
            from simulator.buses import wire_faults

            sent = wire_faults.damage(self._chip, sent)
        if sent:
            room = self._limit - len(self._rx)
            self.lost_bytes += max(0, len(sent) - room)
            self._rx += self._garbled(sent[:room])

    def any(self) -> int:
        """The number of bytes that can be read now."""
        self._fill()
        return len(self._rx)

    def read(self, nbytes=None):
        """Up to nbytes, or all there is; None when there is nothing."""
        self._fill()
        if not self._rx:
            return None
        if nbytes is None:
            nbytes = len(self._rx)
        data = self._rx[:nbytes]
        self._rx = self._rx[nbytes:]
        return data

    def readinto(self, buf, nbytes=None):
        """Fills buf from its start; returns the count, None when there is nothing."""
        data = self.read(len(buf) if nbytes is None else min(nbytes, len(buf)))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def readline(self):
        self._fill()
        end = self._rx.find(b"\n")
        return self.read(None if end < 0 else end + 1)

    def write(self, buf) -> int:
        data = bytes(buf)
        if self._talks():
            self._fill()
            self._chip.receive(self._now_ms(), self._garbled(data, True))
        return len(data)

    def init(self, baudrate=0, bits=0, parity=-1, stop=0, **options):
        """Changes what is given, as on an ESP32; what was received before is dropped."""
        from simulator.buses import uart_form

        uart_form.init(self, baudrate, bits, parity, options)
