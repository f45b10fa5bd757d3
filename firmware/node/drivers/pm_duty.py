# SPDX-License-Identifier: MIT
"""A particle sensor whose laser is on for the last seconds of each sample alone: a laser lasts
about 8000 h, a year. Between its samples the sensor sleeps."""

_MS = 1000
# part: (what wakes it, what sends it to sleep)
COMMANDS = {
    # Data manual V2.3, appendix II
    "pms5003": (b"\x42\x4d\xe4\x00\x01\x01\x74", b"\x42\x4d\xe4\x00\x00\x01\x73"),
    # Control protocol V1.3, section 3.4
    "sds011": (
        b"\xaa\xb4\x06\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x06\xab",
        b"\xaa\xb4\x06\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x05\xab",
    ),
}


class OnDuty:
    """A driver as `driver`, which has `uart`, and `passive`: whether it has set its mode, which
    may be lost in sleep. on_s: for how long the laser is on; readings settle in 30 s."""

    def __init__(self, driver, part: str, on_s: int):
        self._driver = driver
        self._wake, self._sleep = COMMANDS[part]
        self._on_ms = on_s * _MS
        self._asked = False
        self.QUANTITIES = driver.QUANTITIES
        self.SETTLE_MS = 0  # each sample waits for it

    def start(self) -> int:
        self._driver.uart.write(self._wake)
        self._asked = False
        return self._on_ms

    def read(self):
        driver = self._driver
        if not self._asked:
            self._asked, driver.passive = True, False
            return driver.start()
        try:
            values = driver.read()
        except Exception:
            driver.uart.write(self._sleep)
            raise
        if values is None:  # it has set its mode
            return driver.start()
        if not isinstance(values, int):
            driver.uart.write(self._sleep)
        return values
