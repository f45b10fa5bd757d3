# SPDX-License-Identifier: MIT
"""Texas Instruments INA226: registers, conversions and arithmetic of datasheet SBOS547.

Signals: ina2xx.py. Not modelled: triggered conversion, alerts.

Faults: "chip_id"; "frozen" (it converts no more); "range" (a shunt voltage beyond its range, and
an overflow of the arithmetic).
"""

from simulator.chips.ina2xx import MANUFACTURER, Monitor, clip, rounded

_CONFIG, _SHUNT, _BUS, _POWER, _CURRENT, _CALIBRATION, _MASK, _LIMIT = range(8)
_MANUFACTURER, _DIE = 0xFE, 0xFF
_DIE_ID = 0x2260
_OVERFLOW, _READY = 0x0004, 0x0008
_SAMPLES = (1, 4, 16, 64, 128, 256, 512, 1024)  # table 7-3
_TIME_US = (140, 204, 332, 588, 1100, 2116, 4156, 8244)  # tables 7-4 and 7-5


class INA226(Monitor):
    RESET = {_CONFIG: 0x4127, _SHUNT: 0, _BUS: 0, _POWER: 0, _CURRENT: 0, _CALIBRATION: 0,
             _MASK: 0, _LIMIT: 0, _MANUFACTURER: MANUFACTURER, _DIE: _DIE_ID}  # fmt: skip
    WRITABLE = {_CONFIG: 0x0FFF, _CALIBRATION: 0x7FFF, _MASK: 0xFC03, _LIMIT: 0xFFFF}

    def __init__(self, signals, address: int = 0x40, shunt_uohm: int = 10_000,
                 max_current_ma: int = 8000):  # fmt: skip
        Monitor.__init__(self, signals, shunt_uohm)

    def _period_us(self) -> int:
        config = self._registers[_CONFIG]
        if config & 7 != 7:
            return 0
        one_us = _TIME_US[config >> 6 & 7] + _TIME_US[config >> 3 & 7]
        return one_us * _SAMPLES[config >> 9 & 7]

    def _set(self, now_ms: int, register: int, value: int):
        if register == _CONFIG and value & 0x8000:
            self.power_on(now_ms)
            return
        Monitor._set(self, now_ms, register, value)
        if register == _CONFIG:
            self._begin(now_ms)

    def _size(self, register: int) -> int:
        return 2

    def _value(self, register: int) -> int:
        if register == _DIE and self.fault == "chip_id":
            return 0x2270
        value = self._registers.get(register, 0xFFFF)
        if register == _MASK:
            value |= _READY if self._ready else 0
            self._ready = False
        return value

    def _convert(self, voltage_mv: int, current_ma: int):
        registers = self._registers
        shunt = rounded(current_ma * self._shunt_uohm, 2500)  # nV, in steps of 2.5 µV
        if self.fault == "range":
            shunt = 0x7FFF
        shunt = min(max(shunt, -0x8000), 0x7FFF)
        bus = min(max(rounded(voltage_mv * 4, 5), 0), 0x7FFF)  # 1.25 mV
        # 7.1.5 and 7.1.4
        current = shunt * registers[_CALIBRATION]
        current = -(-current // 2048) if current < 0 else current // 2048
        power = abs(current) * bus // 20_000
        over = self.fault == "range" or not -0x8000 <= current <= 0x7FFF or power > 0xFFFF
        registers[_SHUNT], registers[_BUS] = clip(shunt, 16), bus
        registers[_CURRENT], registers[_POWER] = clip(current, 16), min(power, 0xFFFF)
        registers[_MASK] = registers[_MASK] & ~_OVERFLOW | (_OVERFLOW if over else 0)
