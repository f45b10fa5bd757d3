# SPDX-License-Identifier: MIT
"""First stage: asks each fitted sensor at its times and gives readings, or counts a fault.

Sampling times are multiples of the sensor's interval in UTC, so that they do not depend on when
the board was started. A sensor that fails is reported and skipped; the others go on. Its driver is
made anew at the next sampling time, which finds a part that was pulled out and put back.
"""

from node.device.log import say
from node.errors import RANGE, SensorFault


class Sensor:
    """entry: one of the kit's sensors; make_driver: makes its driver, or raises as the driver;
    what of its readings is used is in its "ranges", {quantity: [lowest, highest]}."""

    def __init__(self, entry: dict, make_driver):
        self.part = entry["part"]
        self.interval_s = entry["interval_s"]
        self._ranges = entry["ranges"]
        self.samples = 0
        self.faults = 0
        self._make_driver = make_driver
        self._driver = None
        self._settled_ms = 0
        self._due_ms = None  # the next sampling time
        self._read_ms = None  # when the measurement under way can be read

    def next_ms(self) -> int:
        """When step() has something to do, in the time that it is told."""
        return self._due_ms if self._read_ms is None else self._read_ms

    def shift(self, by_ms: int):
        """The time that step() is told has made a step."""
        self._due_ms = None
        self._settled_ms += by_ms
        if self._read_ms is not None:
            self._read_ms += by_ms

    def step(self, now_ms: int) -> list:
        """The readings that are there at `now_ms`: [(quantity, value), …]. now_ms: Unix time, or
        the uptime as long as that is not known; its steps are told to shift()."""
        interval_ms = self.interval_s * 1000
        if self._due_ms is None:
            self._due_ms = now_ms + -now_ms % interval_ms
        try:
            if self._read_ms is None:
                if now_ms < self._due_ms:
                    return []
                self._due_ms = now_ms - now_ms % interval_ms + interval_ms
                self._read_ms = now_ms + self._start(now_ms)
            if now_ms < self._read_ms:
                return []
            self._read_ms = None
            return self._take(now_ms)
        except Exception as err:
            self._fail(err)
            return []

    def _fail(self, err: Exception):
        self.faults += 1
        self._driver = self._read_ms = None
        # SensorFault carries one of the reasons in errors.py, OSError a number: no reading.
        say(self.part, err.args[0] if isinstance(err, (SensorFault, OSError)) else type(err))

    def _start(self, now_ms: int) -> int:
        if self._driver is None:
            self._driver = self._make_driver()
            self._settled_ms = now_ms + self._driver.SETTLE_MS
        return self._driver.start()

    def _take(self, now_ms: int) -> list:
        values = self._driver.read()
        if isinstance(values, int):  # it needs so many ms more
            self._read_ms = now_ms + values
            return []
        if values is None or now_ms < self._settled_ms:
            return []
        readings = []
        for quantity, value in zip(self._driver.QUANTITIES, values):
            if quantity in self._ranges and value is not None:
                low, high = self._ranges[quantity]
                if not low <= value <= high:
                    raise SensorFault(RANGE)
                readings.append((quantity, value))
        if not self.samples:
            say(self.part, "found")  # for who has just wired it
        self.samples += 1
        return readings
