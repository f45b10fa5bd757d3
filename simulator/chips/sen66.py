# SPDX-License-Identifier: MIT
"""Sensirion SEN66: see sensirion_pm.py and sensirion_air.py. It cleans its fan only while it is
idle, and never by itself. A read command of another SEN6x it answers, with checksums that do not
match. `has_name`: whether it tells its name; some do not.
"""

from simulator.chips.sensirion_air import ParticleNodePart

_READ_BY = (0x0300, 0x04A3, 0x0471, 0x0446, 0x0467, 0x04B5)  # of this and of others


class SEN66(ParticleNodePart):
    SENSES = (
        "pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3", "humidity_mpct", "temperature_mc",
        "voc_index_tenths", "nox_index_tenths", "co2_ppm",
    )  # fmt: skip
    ADDRESS = 0x6B
    UNKNOWN = (0xFFFF,) * 4 + (0x7FFF,) * 4 + (0xFFFF,)
    STOP_MS = 1400
    CLEANS_IDLE = True
    NAME = b"SEN66"
    SIBLING = b"SEN63C"

    has_name = True

    def other(self, command: int):
        if command == 0xD014 and not self.has_name:
            return (0,) * 16
        return ParticleNodePart.other(self, command)

    def write(self, now_ms: int, data: bytes):
        ParticleNodePart.write(self, now_ms, data)
        command = data[0] << 8 | data[1]
        if command in _READ_BY and command != self._read_by():
            self._answer = self._answer[:2] + bytes((self._answer[2] ^ 0xFF,)) + self._answer[3:]

    def _read_by(self) -> int:
        return 0x0471 if self.fault == "chip id" else self.READ

    def _told(self, now_ms: int, command: int) -> tuple:
        if command in _READ_BY and command != self._read_by():
            return self.UNKNOWN
        return ParticleNodePart._told(self, now_ms, command)
