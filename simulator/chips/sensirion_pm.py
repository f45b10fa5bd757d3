# SPDX-License-Identifier: MIT
"""What the models of Sensirion's particle sensors share (SEN55, SEN66, SPS30).

Idle after power-up; measuring, it has new values each second, the first 1.1 s after the start.
Reading takes the ready flag away, and gives the old values until there are new ones. What it
does not know it does not acknowledge, nor anything while it executes a command. Silent in a gap
of a level. `cleanings` counts how often its fan was cleaned. Not modelled: reset, serial number,
settings, what a node has no use for.

Faults: "checksum"; "range" (a value it does not know); "frozen" (it measures no more); "fan"
(blocked: a bit of the status register, which stays until it is cleared).
"""

from simulator.chips.sensirion import SensirionPart, nack, with_crc

_START_UP_MS = _PERIOD_MS = 1000
_FIRST_MS = 1100
_CLEANING_MS = 10_000


class ParticlePart(SensirionPart):
    """A subclass has measured(levels, powered_ms) → the words of a measurement, of levels as in
    SENSES; and other(command) → the words that answer to a command of its own, or None."""

    START = [0x0021]  # with arguments
    READ = 0x0300
    UNKNOWN = ()  # the words where nothing was measured
    EXECUTES_MS = 20
    STOP_MS = 160
    CLEANS_IDLE = False

    def __init__(self, signals, **_):
        # Options are the driver's.
        SensirionPart.__init__(self, signals)
        self.cleanings = 0
        self.power_on(-_START_UP_MS)

    def power_on(self, now_ms: int):
        self._powered = True
        self._powered_ms = now_ms
        self._busy_until_ms = now_ms + _START_UP_MS
        self._started_ms = None  # None: idle
        self._status = 0
        self._taken = 0  # the number of the measurement that was read last
        self._words = self.UNKNOWN
        self._cleaning_ms = -_CLEANING_MS
        self._answer = None

    def write(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms - _START_UP_MS)
        self._levels(now_ms)
        words = [data[i] << 8 | data[i + 1] for i in range(2, len(data) - 2, 3)]
        if len(data) % 3 != 2 or with_crc(words) != data[2:] or now_ms < self._busy_until_ms:
            nack()
        command = data[0] << 8 | data[1]
        self._answer = None
        self._answer_ms = now_ms + self.EXECUTES_MS
        if [command] + words == self.START:
            self._busy_until_ms = now_ms + 50
            if self._started_ms is None:
                self._started_ms, self._taken = now_ms, 0
        elif words:
            nack()
        elif command == 0x0104:
            self._busy_until_ms = now_ms + self.STOP_MS
            self._started_ms = None
        elif command == 0x5607:
            if (self._started_ms is None) == self.CLEANS_IDLE:
                self._cleaning_ms = now_ms
                self.cleanings += 1
        else:
            self._answer = with_crc(self._told(now_ms, command))

    def _told(self, now_ms: int, command: int) -> tuple:
        if command == 0x0202:
            return (1 if self._newest(now_ms) > self._taken else 0,)
        if command == 0xD206 or command == 0xD210:
            status = self._status | (0x10 if self.fault == "fan" else 0)
            self._status = status if command == 0xD206 else 0
            return status >> 16, status & 0xFFFF
        if command == self.READ:
            newest = self._newest(now_ms)
            if newest > self._taken:
                self._taken = newest
                at_ms = self._started_ms + _FIRST_MS + (newest - 1) * _PERIOD_MS
                self._words = self.measured(self._levels(at_ms), now_ms - self._powered_ms)
            return self._words
        return self.other(command) or nack()

    def _newest(self, now_ms: int) -> int:
        """How many measurements were made since the start."""
        if self._started_ms is None or self.fault == "frozen":
            return 0
        if now_ms < self._cleaning_ms + _CLEANING_MS:
            now_ms = self._cleaning_ms  # none while its fan is cleaned
        return max(now_ms - self._started_ms - _FIRST_MS + _PERIOD_MS, 0) // _PERIOD_MS
