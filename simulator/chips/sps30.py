# SPDX-License-Identifier: MIT
"""Sensirion SPS30 on I2C: see sensirion_pm.py. Not modelled: integers instead of floats, counts
and sizes of particles (zeros), sleep, its own weekly cleaning.

Fault "range": a float that is not a number.
"""

from simulator.chips.sensirion import nack
from simulator.chips.sensirion_pm import ParticlePart


def float32(value: int, scale: int) -> int:
    """The bits of the float32 nearest to value / scale, of those not above it; from 2^−17 on."""
    if value <= 0:
        return 0
    size, exponent = (value << 40) // scale, 110
    while size >> 24:
        size >>= 1
        exponent += 1
    return exponent << 23 | size & 0x7FFFFF


class SPS30(ParticlePart):
    SENSES = ("pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3")
    ADDRESS = 0x69
    START = [0x0010, 0x0300]
    UNKNOWN = (0,) * 20
    EXECUTES_MS = 0
    STOP_MS = 20

    def write(self, now_ms: int, data: bytes):
        # Only while it is idle, and only while it is not.
        if data[:2] == (b"\x01\x04" if self._started_ms is None else b"\x00\x10"):
            nack()
        ParticlePart.write(self, now_ms, data)

    def other(self, command: int):
        return (0x0203,) if command == 0xD100 else None  # the version of its firmware

    def measured(self, levels: list, powered_ms: int) -> tuple:
        words = []
        for level in levels:
            bits = 0x7FC00000 if self.fault == "range" else float32(level, 1000)
            words.append(bits >> 16)
            words.append(bits & 0xFFFF)
        return tuple(words) + (0,) * 12
