# SPDX-License-Identifier: MIT
"""What Sensirion's particle sensors share (SEN55, SEN66, SPS30): how one is started, asked and
cleaned. One sample takes several steps, so read() often gives the ms until the next one.

A measurement is made every second. That it goes on is told by the data-ready flag: two samples in
a row without it are a SILENT fault (the part has lost its power, or hangs). One may be missed,
because nothing is measured while a fan is cleaned. What a part says of its own fan, laser and
sensors (the status register) is a FRAME fault; it is cleared, so that a passing one passes.
"""

from micropython import const

from node.drivers.sensirion import send, take
from node.errors import FRAME, SILENT, SensorFault

_STOP = const(0x0104)
_READY = const(0x0202)
_CLEAN = const(0x5607)
_STATUS = const(0xD206)
_CLEAR_STATUS = const(0xD210)

# What the next read() is for.
_STOPPED = const(0)
_KIND_TOLD = const(1)
_STARTED = const(2)
_READY_TOLD = const(3)
_STATUS_TOLD = const(4)
_VALUES_TOLD = const(5)

_CLEANING_MS = const(16_000)  # 10 s, and until the air in it is that of outside
_FIRST_MS = const(1200)  # from the start of measuring to the first measurement; about 1.1 s
_HOURS_A_WEEK = const(168)


class ParticleSensor:
    """Options: clean_each_samples: after so many samples the fan is cleaned, 0: never. The first
    time it is after a 168th of that (one hour where it is a week), since nobody knows when it was
    cleaned before: its own timer, where it has one, starts anew with each power-up, too."""

    # Of the part:
    KIND = (0xD014, 9)  # what is asked to learn what it is, and the answer's size
    START = (0x0021,)  # with arguments
    READ = 0x0300
    SIZE = 0  # of the answer, in bytes
    ERRORS = 0  # bits of the status register that are faults; 0: it has none
    STOP_MS = 200
    ANSWER_MS = 20

    # Samples until the fan is cleaned. Of the class, since a driver is thrown away after a fault.
    until_clean = None

    def __init__(self, i2c, address: int, clean_each_samples: int = 0):
        """Stops a measurement that an earlier run may have left behind."""
        self._i2c = i2c
        self._address = address
        self._clean_each = clean_each_samples
        self._answer = memoryview(bytearray(self.SIZE))
        self._has_missed = False
        self._first_ms = _FIRST_MS
        self._step = _STOPPED
        try:
            send(i2c, address, _STOP)
        except OSError:
            # It may refuse what it need not do. This it never refuses: so it is not there.
            send(i2c, address, _READY)

    def start(self) -> int:
        """After construction: waits for the stop. Then: asks for what was measured last."""
        return self._ask(_READY, _READY_TOLD) if self._step else self.STOP_MS

    def read(self):
        """A reading, None when there is nothing new, or the ms that it needs more."""
        step = self._step
        if step == _STOPPED:
            return self._ask(self.KIND[0], _KIND_TOLD)
        if step == _KIND_TOLD:
            self._check(self._take(self.KIND[1]))
            return self._measure()
        if step == _STARTED:
            return self._ask(_READY, _READY_TOLD)
        if step == _VALUES_TOLD:
            return self._values(self._take(self.SIZE))
        if step == _READY_TOLD:
            if not self._take(3)[0] & 1:
                if self._has_missed:
                    raise SensorFault(SILENT)
                self._has_missed = True
                return None
            self._has_missed = False
            if self.ERRORS:
                return self._ask(_STATUS, _STATUS_TOLD)
        elif self._take(6)[1] & self.ERRORS:
            send(self._i2c, self._address, _CLEAR_STATUS)
            raise SensorFault(FRAME)
        return self._clean() if self._is_dirty() else self._ask(self.READ, _VALUES_TOLD)

    def _ask(self, command: int, step: int) -> int:
        send(self._i2c, self._address, command)
        self._step = step
        return self.ANSWER_MS

    def _take(self, size: int) -> list:
        return take(self._i2c, self._address, self._answer[:size])

    def _measure(self) -> int:
        send(self._i2c, self._address, *self.START)
        self._step = _STARTED
        return self._first_ms

    def _is_dirty(self) -> bool:
        kind = type(self)
        if not self._clean_each:
            return False
        if kind.until_clean is None:
            kind.until_clean = self._clean_each // _HOURS_A_WEEK
        kind.until_clean -= 1
        if kind.until_clean >= 0:
            return False
        kind.until_clean = self._clean_each
        return True

    def _clean(self) -> int:
        """While it measures; then it is asked anew."""
        self._ask(_CLEAN, _STARTED)
        return _CLEANING_MS
