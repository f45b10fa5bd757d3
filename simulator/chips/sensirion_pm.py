# SPDX-License-Identifier: MIT
"""What the models of Sensirion's particle sensors share (SEN55, SEN66, SPS30).

Idle after power-up; measuring, it has new values each second, the first 1.1 s after the start.
Reading takes the ready flag away, and gives the old values until there are new ones. What it
does not know it does not acknowledge, nor anything while it executes a command. Silent in a gap
of a level. `cleanings` counts how often its fan was cleaned.

Faults: "checksum"; "range" (a value it does not know); "frozen" (it measures no more); "fan"
(blocked: a bit of the status register, which stays until it is cleared).
"""

from simulator.chips.part import Part
from simulator.chips.sensirion import with_crc

_NACK = 19
_STOP, _READY, _CLEAN, _STATUS, _CLEAR, _RESET = 0x0104, 0x0202, 0x5607, 0xD206, 0xD210, 0xD304
_START_UP_MS, _FIRST_MS, _PERIOD_MS, _CLEANING_MS = 1000, 1100, 1000, 10_000
_FAN = 1 << 4


def nack():
    """What the bus gives when nobody answers."""
    raise OSError(_NACK)


class ParticlePart(Part):
    # Of the part:
    START = 0x0021
    FORMATS = ((),)  # the arguments that START may have
    READ = 0x0300
    UNKNOWN = ()  # the words where nothing was measured
    EXECUTES_MS = 20
    STOP_MS = 160
    STOPS_IDLE = True  # a stop is acknowledged while it is idle
    RESET_MS = 100
    CLEANS_IDLE = False
    TELLS_CLEARED = True  # clearing the status register answers with what it was

    def __init__(self, signals, **_):
        # Options are the driver's.
        Part.__init__(self, signals)
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
        self._cleaning_ms = None
        self._answer = None
        self._answer_ms = 0

    def measured(self, levels: list, now_ms: int) -> tuple:
        """The words of a measurement; levels: as in SENSES."""

    def other(self, command: int):
        """The words that answer to a command of this part alone; None: it has none such."""

    def _levels(self, now_ms: int) -> list:
        at = min(now_ms, self._signals.until_ms)
        levels = [self._signals.level(name, at) for name in self.SENSES]
        if None in levels:
            nack()
        return levels

    def write(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms - _START_UP_MS)
        self._levels(now_ms)
        words = [data[i] << 8 | data[i + 1] for i in range(2, len(data) - 2, 3)]
        if len(data) % 3 != 2 or with_crc(words) != data[2:] or now_ms < self._busy_until_ms:
            nack()
        self._answer = None
        if not self._change(now_ms, data[0] << 8 | data[1], words):
            self._answer_ms = now_ms + self.EXECUTES_MS
            self._ask(now_ms, data[0] << 8 | data[1], words)

    def _change(self, now_ms: int, command: int, words: list) -> bool:
        """Obeys a command that has no answer, if `command` is one."""
        takes_ms = self.EXECUTES_MS
        if command == self.START and tuple(words) in self.FORMATS:
            takes_ms = 50
            if self._started_ms is None:
                self._started_ms, self._taken = now_ms, 0
        elif words:
            return False
        elif command == _STOP and (self.STOPS_IDLE or self._started_ms is not None):
            takes_ms = self.STOP_MS
            self._started_ms = self._cleaning_ms = None
        elif command == _CLEAN:
            if (self._started_ms is None) == self.CLEANS_IDLE:
                self._cleaning_ms = now_ms
                self.cleanings += 1
        elif command == _CLEAR and not self.TELLS_CLEARED:
            self._status = 0
        elif command == _RESET:
            self.power_on(now_ms - _START_UP_MS)
            takes_ms = self.RESET_MS
        else:
            return False
        self._busy_until_ms = now_ms + takes_ms
        return True

    def _ask(self, now_ms: int, command: int, words: list):
        if words:
            nack()
        if command == _READY:
            answer = (1 if self._newest(now_ms) > self._taken else 0,)
        elif command == _STATUS or command == _CLEAR:
            if self.fault == "fan":
                self._status |= _FAN
            answer = (self._status >> 16, self._status & 0xFFFF)
            if command == _CLEAR:
                self._status = 0
        elif command == self.READ:
            answer = self._read(now_ms)
        else:
            answer = self.other(command)
            if answer is None:
                nack()
        self._answer = with_crc(answer)

    def read(self, now_ms: int, n: int) -> bytes:
        self._levels(now_ms)
        if self._answer is None or now_ms < self._answer_ms or not self._powered:
            nack()
        answer, self._answer = self._answer, None
        if self.fault == "checksum":
            answer = answer[:2] + bytes((answer[2] ^ 0x01,)) + answer[3:]
        return (answer + b"\xff" * n)[:n]

    def _newest(self, now_ms: int) -> int:
        """How many measurements were made since the start."""
        if self._started_ms is None or self.fault == "frozen":
            return 0
        cleaning_ms = self._cleaning_ms
        if cleaning_ms is not None and now_ms < cleaning_ms + _CLEANING_MS:
            now_ms = cleaning_ms  # none while its fan is cleaned
        return max(now_ms - self._started_ms - _FIRST_MS + _PERIOD_MS, 0) // _PERIOD_MS

    def _read(self, now_ms: int) -> tuple:
        newest = self._newest(now_ms)
        if newest > self._taken:
            self._taken = newest
            at_ms = self._started_ms + _FIRST_MS + (newest - 1) * _PERIOD_MS
            self._words = self.measured(self._levels(at_ms), now_ms - self._powered_ms)
        return self._words
