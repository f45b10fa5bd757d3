# SPDX-License-Identifier: MIT
"""What a kit may ask of a particle sensor: PM2.5 by the slope and intercept of that unit, then
corrected for humidity; its laser on for the last seconds of each sample. Loaded when a kit asks.

The options are the kit's: slope_permille, intercept_ngm3, correction (1: pm_correction.py), duty
(seconds: pm_duty.py). Humidity is what another sensor of the kit told last; while there is none,
there is no PM2.5, as one value must not mean two things.
"""

from node.pipeline.sample import Sensor

_CORRECTED = "pm2_5_ngm3"
_HUMIDITY = "humidity_mpct"


def make(entry: dict, make_driver, humidity: list):
    """The sensor of `entry`; humidity: [the newest, or None], shared by the sensors of a kit."""
    if "particles" in entry:
        return ParticleSensor(entry, make_driver, humidity)
    return HumiditySensor(entry, make_driver, humidity)


class HumiditySensor(Sensor):
    """As Sensor; shares its humidity, for two of its intervals."""

    def __init__(self, entry: dict, make_driver, humidity: list):
        Sensor.__init__(self, entry, make_driver)
        self._humidity = humidity
        self._old_ms = 0  # when what is shared is too old

    def shift(self, by_ms: int):
        Sensor.shift(self, by_ms)
        self._old_ms += by_ms

    def step(self, now_ms: int) -> list:
        readings = Sensor.step(self, now_ms)
        for quantity, value in readings:
            if quantity == _HUMIDITY:
                self._humidity[0] = value
                self._old_ms = now_ms + 2 * self.interval_s * 1000
        if now_ms >= self._old_ms:
            self._humidity[0] = None
        return readings


class ParticleSensor(Sensor):
    """As Sensor; entry["particles"]: the options above."""

    def __init__(self, entry: dict, make_driver, humidity: list):
        options = entry["particles"]
        self._slope_permille = options.get("slope_permille", 1000)
        self._intercept_ngm3 = options.get("intercept_ngm3", 0)
        self._humidity = humidity
        self._correct = None
        if options.get("correction"):
            from node.drivers.pm_correction import correct

            self._correct = correct
        on_s = options.get("duty")
        if on_s:
            from node.drivers.pm_duty import OnDuty

            Sensor.__init__(self, entry, lambda: OnDuty(make_driver(), self.part, on_s))
        else:
            Sensor.__init__(self, entry, make_driver)

    def _take(self, now_ms: int) -> list:
        readings = []
        for quantity, value in Sensor._take(self, now_ms):
            if quantity == _CORRECTED:
                value = self._refine(value)
            if value is not None:
                readings.append((quantity, value))
        return readings

    def _refine(self, value: int):
        value = max(0, (value * self._slope_permille + 500) // 1000 + self._intercept_ngm3)
        if self._correct is not None:
            humidity = self._humidity[0]
            if humidity is None:
                return None
            value = self._correct(value, humidity)
        return min(value, self._ranges[_CORRECTED][1])
