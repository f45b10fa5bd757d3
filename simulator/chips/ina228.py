# SPDX-License-Identifier: MIT
"""Texas Instruments INA228: registers, conversions and arithmetic of datasheet SLYS021.

Signals: ina2xx.py. Energy and charge count from second to second. The die is at 25 °C. Not
modelled: triggered conversion, alerts, compensation of the shunt's temperature.

Faults: "chip_id"; "frozen" (it converts no more); "range" (a bus voltage of 102.4 V); "overflow"
(of the arithmetic); "checksum" (of its own memory).
"""

from simulator.chips.ina2xx import MANUFACTURER, Monitor, clip, rounded

_CONFIG, _ADC_CONFIG, _SHUNT_CAL, _TEMPCO, _VSHUNT, _VBUS, _TEMP, _CURRENT, _POWER = range(9)
_ENERGY, _CHARGE, _DIAG_ALRT = 0x09, 0x0A, 0x0B
_MANUFACTURER, _DEVICE = 0x3E, 0x3F
_DEVICE_ID = 0x2281
_LATCH, _OVERFLOW, _READY, _MEMORY_GOOD = 0x8000, 0x0200, 0x0002, 0x0001
_SIZES = {_VSHUNT: 3, _VBUS: 3, _CURRENT: 3, _POWER: 3, _ENERGY: 5, _CHARGE: 5}
_SAMPLES = (1, 4, 16, 64, 128, 256, 512, 1024)
_TIME_US = (50, 84, 150, 280, 540, 1052, 2074, 4120)
_BUS, _SHUNT, _TEMPERATURE, _CONTINUOUS = 1, 2, 4, 8  # bits of the mode
_NANO = 1_000_000_000


class INA228(Monitor):
    RESET = {
        _CONFIG: 0, _ADC_CONFIG: 0xFB68, _SHUNT_CAL: 0x1000, _TEMPCO: 0, _VSHUNT: 0, _VBUS: 0,
        _TEMP: 0, _CURRENT: 0, _POWER: 0, _DIAG_ALRT: _MEMORY_GOOD,
        0x0C: 0x7FFF, 0x0D: 0x8000, 0x0E: 0x7FFF, 0x0F: 0, 0x10: 0x7FFF, 0x11: 0xFFFF,
        _MANUFACTURER: MANUFACTURER, _DEVICE: _DEVICE_ID,
    }  # fmt: skip
    WRITABLE = {_CONFIG: 0x3FF0, _ADC_CONFIG: 0xFFFF, _SHUNT_CAL: 0x7FFF, _TEMPCO: 0x3FFF,
                _DIAG_ALRT: 0xF000, 0x0C: 0xFFFF, 0x0D: 0xFFFF, 0x0E: 0x7FFF, 0x0F: 0x7FFF,
                0x10: 0xFFFF, 0x11: 0xFFFF}  # fmt: skip

    def __init__(self, signals, address: int = 0x40, shunt_uohm: int = 15_000,
                 max_current_ma: int = 10_000):  # fmt: skip
        Monitor.__init__(self, signals, shunt_uohm)

    def power_on(self, now_ms: int):
        Monitor.power_on(self, now_ms)
        self._clear(now_ms)

    def _clear(self, now_ms: int):
        self._energy = self._charge = 0  # their registers, times 10⁹
        self._counted_ms = now_ms

    def _period_us(self) -> int:
        adc = self._registers[_ADC_CONFIG]
        mode = adc >> 12
        if not mode & _CONTINUOUS or not mode & _BUS or not mode & _SHUNT:
            return 0
        one_us = _TIME_US[adc >> 9 & 7] + _TIME_US[adc >> 6 & 7]
        if mode & _TEMPERATURE:
            one_us += _TIME_US[adc >> 3 & 7]
        return one_us * _SAMPLES[adc & 7]

    def _go_on(self, now_ms: int):
        self._count(now_ms)
        Monitor._go_on(self, now_ms)

    def _count(self, now_ms: int):
        now_ms = min(now_ms, self._signals.until_ms)
        at, level = self._counted_ms, self._signals.level
        calibration = self._registers[_SHUNT_CAL]
        if calibration and self._period_us() and self.fault != "frozen":
            while at < now_ms:
                end = min(at - at % 1000 + 1000, now_ms)
                charge = (level("dc_current_ma", at) or 0) * (end - at)  # µC
                energy = abs(charge) * (level("dc_voltage_mv", at) or 0)  # nJ
                # 8.1.2: a step of energy is 16 · 3.2 · step of the current, one of charge is that
                # step itself; and that is calibration / (13107.2 · shunt in µΩ).
                self._energy += energy * 256 * self._shunt_uohm // calibration
                self._charge += charge * 13_107_200 * self._shunt_uohm // calibration
                at = end
        self._counted_ms = max(self._counted_ms, now_ms)

    def _set(self, now_ms: int, register: int, value: int):
        if register == _CONFIG and value & 0x8000:
            self.power_on(now_ms)
            return
        if register == _CONFIG and value & 0x4000:
            self._clear(now_ms)
        Monitor._set(self, now_ms, register, value)
        if register == _ADC_CONFIG:
            self._begin(now_ms)

    def _size(self, register: int) -> int:
        return _SIZES.get(register, 2)

    def _value(self, register: int) -> int:
        if register == _ENERGY:
            return self._energy // _NANO & 0xFFFFFFFFFF
        if register == _CHARGE:
            return self._charge // _NANO & 0xFFFFFFFFFF
        if register == _DEVICE and self.fault == "chip_id":
            return 0x2381
        value = self._registers.get(register, 0)
        if register == _DIAG_ALRT:
            value |= _READY if self._ready else 0
            if self.fault == "checksum":
                value &= ~_MEMORY_GOOD
            if value & _LATCH:
                self._ready = False
        return value

    def _convert(self, voltage_mv: int, current_ma: int):
        registers = self._registers
        fine = registers[_CONFIG] >> 4 & 1  # a range of a quarter, in steps of a quarter
        shunt = rounded(current_ma * self._shunt_uohm * (4 if fine else 1) * 2, 625)  # 312.5 nV
        shunt = min(max(shunt, -0x80000), 0x7FFFF)
        bus = min(max(rounded(voltage_mv * 128, 25), 0), 0x7FFFF)
        if self.fault == "range":
            bus = 0x7FFFF
        calibration = registers[_SHUNT_CAL]
        current = shunt * 4096 // calibration if calibration else 0
        # The step of power is 3.2 of current's; 195.3125 µV of bus make it 5 / 16384.
        power = abs(current) * bus * 125 // 2_048_000
        over = self.fault == "overflow" or not -0x80000 <= current <= 0x7FFFF
        registers[_VSHUNT], registers[_VBUS] = clip(shunt, 20) << 4, bus << 4
        registers[_CURRENT] = clip(current, 20) << 4
        registers[_POWER] = min(power, 0xFFFFFF)
        registers[_TEMP] = 3200  # 25 °C
        registers[_DIAG_ALRT] = registers[_DIAG_ALRT] & ~_OVERFLOW | (_OVERFLOW if over else 0)
