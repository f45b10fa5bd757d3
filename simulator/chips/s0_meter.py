# SPDX-License-Identifier: MIT
"""An electricity meter with an S0 output (IEC 62053-31): a pulse each time the energy of one
pulse has passed. Senses power_mw; a gap gives no pulses. What has passed of the next pulse is kept
when the cable is pulled: the meter itself goes on.
"""

_MWMS_PER_KWH = 3_600_000_000_000  # mW·ms


class S0Meter:
    SENSES = ("power_mw",)

    def __init__(self, signals, pulses_per_kwh: int = 1000):
        self._signals = signals
        self._pulses_per_kwh = pulses_per_kwh
        self._rest = 0  # mW·ms · pulses per kWh, less than one pulse
        self._edges = 0
        self._counted_ms = 0
        self._plugged = self._powered = True
        self.fault = None

    @property
    def plugged(self) -> bool:
        return self._plugged

    @plugged.setter
    def plugged(self, plugged: bool):
        """Put back, it starts at power_on(), or else when it is next looked at."""
        self._powered = self._powered and plugged
        self._plugged = plugged

    def power_on(self, now_ms: int):
        self._edges = 0
        self._counted_ms = now_ms
        self._powered = True

    def edges(self, now_ms: int) -> int:
        """Rising edges from power-up to `now_ms`."""
        if not self._powered:
            self.power_on(now_ms)
        now_ms = min(now_ms, self._signals.until_ms)
        if now_ms > self._counted_ms:
            energy_mwms = self._signals.integral("power_mw", self._counted_ms, now_ms)
            self._counted_ms = now_ms
            passed = energy_mwms * self._pulses_per_kwh + self._rest
            self._rest = passed % _MWMS_PER_KWH
            self._edges += passed // _MWMS_PER_KWH
        return self._edges
