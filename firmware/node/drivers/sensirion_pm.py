# SPDX-License-Identifier: MIT
"""What Sensirion's particle sensors share (SEN55, SEN66, SPS30): how one is started, asked and
cleaned. One sample takes several steps, so read() often gives the ms until the next one.

A measurement is made every second. That it goes on is told by the data-ready flag: two samples in
a row without it are a SILENT fault (the part has lost its power, or hangs). One may be missed,
because nothing is measured while a fan is cleaned. What a part says of its own fan, laser and
sensors (the status register) is a FRAME fault; it is cleared, so that a passing one passes.
"""

from micropython import const

from node.drivers.sensirion import send, words
from node.errors import CHIP_ID, FRAME, SILENT, SensorFault

_STOP = const(0x0104)
_READY = const(0x0202)
_CLEAN = const(0x5607)
_NAME = const(0xD014)
_STATUS = const(0xD206)
_CLEAR_STATUS = const(0xD210)

_CLEANING_MS = const(16_000)  # 10 s, and until the air in it is that of outside
_FIRST_MS = const(1200)  # from the start of measuring to the first measurement; about 1.1 s
_HOURS_A_WEEK = const(168)


class ParticleSensor:
    """Options: clean_each_samples: after so many samples the fan is cleaned, 0: never. The first
    time it is after a 168th of that (one hour where it is a week), since nobody knows when it was
    cleaned before: its own timer, where it has one, starts anew with each power-up, too."""

    # Of the part:
    NAME = None  # what it begins its name with; None: it has none
    START = (0x0021,)  # with arguments
    READ = 0x0300
    SIZE = 0  # of the answer, in bytes
    ERRORS = 0  # bits of the status register that are faults
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
        self._is_known = self._is_measuring = self._has_missed = False
        self._first_ms = _FIRST_MS
        self._step = self._stopped
        try:
            send(i2c, address, _STOP)
        except OSError:
            # It may refuse what it need not do. This it never refuses: so it is not there.
            send(i2c, address, _READY)

    def start(self) -> int:
        """After construction: waits for the stop. Then: asks for what was measured last."""
        if self._is_measuring:
            return self._ask(_READY, self._ready)
        if self._is_known:
            return self._measure()
        self._step = self._stopped
        return self.STOP_MS

    def read(self):
        """A reading, None when there is nothing new, or the ms that it needs more."""
        return self._step()

    def _ask(self, command: int, step) -> int:
        send(self._i2c, self._address, command)
        self._step = step
        return self.ANSWER_MS

    def _take(self, size: int) -> list:
        answer = self._answer[:size]
        self._i2c.readfrom_into(self._address, answer)
        return words(answer)

    def _stopped(self):
        return self._measure() if self.NAME is None else self._ask(_NAME, self._named)

    def _named(self):
        found = bytearray()
        for word in self._take(9):
            found.extend(bytes((word >> 8, word & 0xFF)))
        # Some tell no name. Only the first letters are read, and no serial number ever.
        if found[0] and bytes(found[:5]) != self.NAME:
            raise SensorFault(CHIP_ID)
        return self._measure()

    def _measure(self):
        send(self._i2c, self._address, *self.START)
        self._is_known = self._is_measuring = True
        self._step = self._started
        return self._first_ms

    def _started(self):
        return self._ask(_READY, self._ready)

    def _ready(self):
        if not self._take(3)[0] & 1:
            if self._has_missed:
                raise SensorFault(SILENT)
            self._has_missed = True
            return None
        self._has_missed = False
        return self._check()

    def _check(self):
        return self._ask(_STATUS, self._healthy)

    def _healthy(self):
        if self._take(6)[1] & self.ERRORS:
            send(self._i2c, self._address, _CLEAR_STATUS)
            raise SensorFault(FRAME)
        return self._dirty()

    def _dirty(self):
        kind = type(self)
        if self._clean_each:
            if kind.until_clean is None:
                kind.until_clean = self._clean_each // _HOURS_A_WEEK
            kind.until_clean -= 1
            if kind.until_clean < 0:
                kind.until_clean = self._clean_each
                return self._clean()
        return self._ask(self.READ, self._values)

    def _clean(self):
        """While it measures; then it is asked anew."""
        send(self._i2c, self._address, _CLEAN)
        self._step = self._started
        return _CLEANING_MS
