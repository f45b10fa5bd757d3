# SPDX-License-Identifier: MIT
"""The look-alike of `machine.I2S` on an ESP32, as a receiver of 32-bit words; see machine.py.

Words come at the sampling rate in simulated time, whether they are read or not. They wait in the
DMA memory, `ibuf` bytes of whole pieces of 256 frames; what does not fit is lost, the oldest
first. With a handler, readinto() returns at once, and the handler is called when the buffer is
full, while the board sleeps. The chip makes words only for what is read.
"""

from simulator.hal.bench import bench

_DMA_FRAMES, _FRAME_BYTES = 256, 8  # frames are stereo, whatever is asked for


class I2S:
    """buf: array of "i"."""

    RX, TX = 9, 5
    MONO, STEREO = 0, 1

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        if id not in (0, 1):
            raise ValueError("invalid id")
        if mode != self.RX or bits != 32 or format != self.MONO:
            raise ValueError("only mono words of 32 bits are received here")
        pieces = ibuf // (_DMA_FRAMES * _FRAME_BYTES)
        if pieces < 2:
            raise ValueError("invalid ibuf")
        self._chip = bench.wired.get(("i2s", id))
        self._rate = rate
        self._held = pieces * _DMA_FRAMES
        self._began_ms = bench.now_ms
        self._next = 0  # the frame that is read next
        self._handler = None
        self._asked = []  # (buffer, its handler): the one that is being filled, and one more

    def deinit(self):
        self._handler = bench.interrupts = None
        self._asked = []

    def irq(self, handler):
        self._handler = handler
        bench.interrupts = self._play

    def readinto(self, buf) -> int:
        if not self._asked:
            came = (bench.now_ms - self._began_ms) * self._rate // 1000
            self._next = max(self._next, came - self._held)
        if len(self._asked) < 2:  # a third one is forgotten
            self._asked.append((buf, self._handler))
        if self._handler is None:
            bench.sleep_ms(self._full_ms() - bench.now_ms)
            self._fill()
        return 4 * len(buf)

    def _full_ms(self) -> int:
        """When the buffer is full."""
        return self._began_ms - -1000 * (self._next + len(self._asked[0][0])) // self._rate

    def _fill(self):
        buf, handler = self._asked.pop(0)
        if self._chip is not None and self._chip.plugged:
            self._chip.fill(buf, self._next, bench.now_ms)
        else:  # the pin is pulled down
            for i in range(len(buf)):
                buf[i] = 0
        self._next += len(buf)
        return handler

    def _play(self, until_ms: int):
        """Calls the handler for each buffer that is full by then."""
        if bench.watchdog_ms is not None:
            until_ms = min(until_ms, bench.watchdog_bites_ms)
        while self._asked and self._full_ms() <= until_ms:
            bench.now_ms = max(bench.now_ms, self._full_ms())
            handler = self._fill()
            handler(self)
