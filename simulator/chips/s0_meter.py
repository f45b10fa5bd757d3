# SPDX-License-Identifier: MIT
"""An electricity meter with an S0 output (IEC 62053-31): a pulse each time the energy of one
pulse has passed. Senses power_mw; a gap gives no pulses. What has passed of the next pulse is kept
when the cable is pulled: the meter itself goes on.
"""

from simulator.chips.pulse_part import PulsePart

_MWMS_PER_KWH = 3_600_000_000_000  # mW·ms


class S0Meter(PulsePart):
    SENSES = ("power_mw",)

    def __init__(self, signals, pulses_per_kwh: int = 1000):
        PulsePart.__init__(self, signals)
        self._pulses_per_kwh = pulses_per_kwh
        self._rest = 0  # mW·ms · pulses per kWh, less than one pulse

    def _pulses(self, from_ms: int, to_ms: int) -> int:
        energy_mwms = self._signals.integral("power_mw", from_ms, to_ms)
        passed = energy_mwms * self._pulses_per_kwh + self._rest
        self._rest = passed % _MWMS_PER_KWH
        return passed // _MWMS_PER_KWH
