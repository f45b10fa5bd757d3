# SPDX-License-Identifier: MIT
"""Sensirion SCD41: commands, states and timing of the SCD4x datasheet 1.3.

Senses co2_ppm, temperature_mc and humidity_mpct at the end of each interval; silent in a gap of
any of them. What it does not know, or may not do in its state, it does not acknowledge. Not
modelled: single shots, settings, self-calibration (its readings are right as they are).

Faults: "checksum"; "range" (a CO2 word of 0xFFFF).
"""

from simulator.chips.part import Part
from simulator.chips.sensirion import with_crc

_NACK = 19
_START, _START_LOW_POWER, _STOP = 0x21B1, 0x21AC, 0x3F86
_READ, _DATA_READY, _SERIAL, _REINIT = 0xEC05, 0xE4B8, 0x3682, 0x3646
_INTERVAL_MS = {_START: 5000, _START_LOW_POWER: 30_000}
_WHILE_MEASURING = (_STOP, _READ, _DATA_READY)
_START_UP_MS, _STOP_MS, _REINIT_MS, _ANSWER_MS = 1000, 500, 20, 1
_SERIAL_WORDS = (0x5112, 0x4C4D, 0x5054)  # of no real part


def _word(value: int) -> int:
    return min(max(value, 0), 0xFFFF)


class SCD41(Part):
    SENSES = ("co2_ppm", "temperature_mc", "humidity_mpct")
    ADDRESS = 0x62

    def __init__(self, signals, address: int = ADDRESS):
        Part.__init__(self, signals)
        self.power_on(-_START_UP_MS)

    def power_on(self, now_ms: int):
        self._powered = True
        self._busy_until_ms = now_ms + _START_UP_MS
        self._interval_ms = 0  # 0: idle
        self._started_ms = 0
        self._taken = 0  # the number of the measurement that was read last
        self._answer = None
        self._answer_ms = 0

    def _levels(self, now_ms: int) -> list:
        """CO2, temperature, humidity. Raises what the bus gives when nobody answers."""
        level, at = self._signals.level, min(now_ms, self._signals.until_ms)
        levels = [level(name, at) for name in ("co2_ppm", "temperature_mc", "humidity_mpct")]
        if None in levels:
            raise OSError(_NACK)
        return levels

    def write(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms - _START_UP_MS)
        self._levels(now_ms)
        command = data[0] << 8 | data[1] if len(data) == 2 else -1
        if now_ms < self._busy_until_ms or (self._interval_ms and command not in _WHILE_MEASURING):
            raise OSError(_NACK)
        self._answer = None
        self._answer_ms = now_ms + _ANSWER_MS
        if command in _INTERVAL_MS:
            self._interval_ms = _INTERVAL_MS[command]
            self._started_ms, self._taken = now_ms, 0
        elif command in (_STOP, _REINIT):
            self._interval_ms = 0
            self._busy_until_ms = now_ms + (_STOP_MS if command == _STOP else _REINIT_MS)
        elif command == _DATA_READY:
            self._answer = with_crc((0x8006 if self._newest(now_ms) > self._taken else 0x8000,))
        elif command == _READ:
            self._answer = self._measurement(now_ms)
        elif command == _SERIAL:
            self._answer = with_crc(_SERIAL_WORDS)
        else:
            raise OSError(_NACK)

    def read(self, now_ms: int, n: int) -> bytes:
        self._levels(now_ms)
        if self._answer is None or now_ms < self._answer_ms or not self._powered:
            raise OSError(_NACK)
        answer, self._answer = self._answer, None
        if self.fault == "checksum":
            answer = answer[:-1] + bytes((answer[-1] ^ 0x01,))
        return (answer + b"\xff" * n)[:n]

    def _newest(self, now_ms: int) -> int:
        """How many measurements were made since the start."""
        return (now_ms - self._started_ms) // self._interval_ms if self._interval_ms else 0

    def _measurement(self, now_ms: int):
        """The newest measurement, once; None when it was read already."""
        newest = self._newest(now_ms)
        if newest <= self._taken:
            return None
        self._taken = newest
        co2, temperature, humidity = self._levels(self._started_ms + newest * self._interval_ms)
        return with_crc((
            0xFFFF if self.fault == "range" else _word(co2),
            _word(((temperature + 45_000) * 65_535 + 87_500) // 175_000),
            _word((humidity * 65_535 + 50_000) // 100_000),
        ))  # fmt: skip
