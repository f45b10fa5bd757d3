# SPDX-License-Identifier: MIT
"""DYP-A02YYUW: an ultrasonic distance sensor above water, after DFRobot's wiki page SEN0311.

Senses water_level_mm when a frame begins: it hangs mount_mm above the level's zero (2500 mm where
the kit does not tell), and the echo takes a millimetre more or less. Sends a frame each 200 ms,
the smoothed value; 0 where no echo comes back, because the water is out of its range. Silent in a
gap. Not modelled: the real-time mode (RX low).

Faults: "checksum"; "short" (frames end after 3 bytes); "range" (no echo).
"""

from simulator.chips.part import Part

_PERIOD_MS = 200
_BOOT_MS = 500
_MOST_FRAMES = 80  # more than any receive buffer holds
_MOUNT_MM = 2500
_NEAREST_MM, _FARTHEST_MM = 30, 4500


class A02YYUW(Part):
    SENSES = ("water_level_mm",)
    BAUD = 9600

    def __init__(self, signals, mount_mm: int = 0):
        Part.__init__(self, signals)
        self._mount_mm = mount_mm or _MOUNT_MM
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._next_ms = now_ms + _BOOT_MS

    def receive(self, now_ms: int, data: bytes):
        pass

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        if now_ms < self._next_ms:
            return b""
        count = (now_ms - self._next_ms) // _PERIOD_MS + 1
        first_ms = self._next_ms
        self._next_ms += count * _PERIOD_MS
        frames = range(min(count, _MOST_FRAMES))
        return b"".join([self._frame(first_ms + i * _PERIOD_MS) for i in frames])

    def _frame(self, at_ms: int) -> bytes:
        level_mm = self._signals.level("water_level_mm", min(at_ms, self._signals.until_ms))
        if level_mm is None:
            return b""
        noise_mm = (at_ms // _PERIOD_MS * 40_503 >> 4) % 3 - 1
        distance_mm = self._mount_mm - level_mm + noise_mm
        if not _NEAREST_MM <= distance_mm <= _FARTHEST_MM or self.fault == "range":
            distance_mm = 0
        data = bytes((0xFF, distance_mm >> 8, distance_mm & 0xFF))
        total = sum(data) & 0xFF
        if self.fault == "checksum":
            total ^= 0x01
        return data if self.fault == "short" else data + bytes((total,))
