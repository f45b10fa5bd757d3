# SPDX-License-Identifier: MIT
"""Sensirion SPS30 on I2C: see sensirion_pm.py. Reads in floats (0x0300) and integers (0x0500); the
counts of particles are made up from the masses. `version`: of its firmware; before 2.2 there is no
status register. Not modelled: sleep, its own weekly cleaning.

Fault "range": a float that is not a number.
"""

from simulator.chips.sensirion_pm import ParticlePart

_FLOATS, _INTEGERS = (0x0300,), (0x0500,)
_NAN = 0x7FC00000


def float32(value: int, scale: int) -> int:
    """The bits of the float32 nearest to value / scale, of those not above it; value ≥ 0."""
    if value <= 0:
        return 0
    exponent = 0
    while value < scale << 23:
        value <<= 1
        exponent -= 1
    while value >= scale << 24:
        scale <<= 1
        exponent += 1
    return (exponent + 150) << 23 | (value // scale & 0x7FFFFF)


class SPS30(ParticlePart):
    SENSES = ("pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3")
    ADDRESS = 0x69
    START = 0x0010
    FORMATS = (_FLOATS, _INTEGERS)
    UNKNOWN = (0,) * 20
    EXECUTES_MS = 0
    STOP_MS = 20
    STOPS_IDLE = False
    TELLS_CLEARED = False

    version = 0x0203

    def _change(self, now_ms: int, command: int, words: list) -> bool:
        if command == self.START:
            if self._started_ms is not None:
                return False  # only while it is idle
            self._format = tuple(words)
        return ParticlePart._change(self, now_ms, command, words)

    def other(self, command: int):
        if command == 0xD002:
            return (0x3030, 0x3038, 0x3030, 0x3030)
        if command == 0xD033:
            return (0x3031, 0x3233) + (0,) * 14  # of no real part
        if command == 0xD100:
            return (self.version,)

    def _ask(self, now_ms: int, command: int, words: list):
        if command == 0xD206 and self.version < 0x0202:
            command = 0  # unknown to it
        ParticlePart._ask(self, now_ms, command, words)

    def measured(self, levels: list, powered_ms: int) -> tuple:
        masses = [max(level, 0) for level in levels]
        counts = [mass * 5 for mass in [masses[0]] + masses]
        size_nm = 700
        if self._format == _INTEGERS:
            return tuple([(value + 500) // 1000 for value in masses + counts] + [size_nm])
        words = []
        for value in masses + counts + [size_nm]:
            bits = float32(value, 1000)
            words.append(bits >> 16)
            words.append(bits & 0xFFFF)
        if self.fault == "range":
            words[2], words[3] = _NAN >> 16, _NAN & 0xFFFF
        return tuple(words)
