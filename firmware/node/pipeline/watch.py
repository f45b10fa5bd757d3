# SPDX-License-Identifier: MIT
"""A sensor that must be looked at all the time, not at its sampling times alone: its driver has
poll(), which looks and returns the ms until it wants to look again. Loaded when a kit has one."""

from node.pipeline.sample import Sensor


class WatchingSensor(Sensor):
    """As Sensor; poll() is called between its samples, too."""

    def __init__(self, entry: dict, make_driver):
        Sensor.__init__(self, entry, make_driver)
        self._poll_ms = None
        self._polled = None  # the driver that is being polled

    def next_ms(self) -> int:
        next_ms = Sensor.next_ms(self)
        return next_ms if self._poll_ms is None else min(next_ms, self._poll_ms)

    def shift(self, by_ms: int):
        Sensor.shift(self, by_ms)
        if self._poll_ms is not None:
            self._poll_ms += by_ms

    def step(self, now_ms: int) -> list:
        if self._poll_ms is not None and now_ms >= self._poll_ms:
            self._poll(now_ms)
        readings = Sensor.step(self, now_ms)
        if self._driver is not self._polled:  # a new one, or none after a fault
            self._polled, self._poll_ms = self._driver, None
            if self._driver is not None:
                self._poll(now_ms)
        return readings

    def _poll(self, now_ms: int):
        try:
            self._poll_ms = now_ms + self._driver.poll()
        except Exception as err:
            self._poll_ms = self._polled = None
            self._fail(err)
