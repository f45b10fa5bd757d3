# SPDX-License-Identifier: MIT
"""PZEM-004T v3: a meter of one AC phase on Modbus RTU, as its user manual V3.0 says.

Senses voltage_mv, power_mw, power_factor_permille, frequency_mhz, and current_ma where the world
has such a level; otherwise the current follows from the others. The mains power it: below 80 V and
in a gap it is silent. The energy register survives a power cut.

Faults: "checksum"; "short" (the answer is cut); "range" (a voltage of 6553.5 V); "refused" (an
exception answer).
"""

from struct import pack, unpack

from simulator.chips.modbus_part import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, SLAVE_ERROR, ModbusPart

_GENERAL_ADDRESS = 0xF8
_SUPPLY_MIN_MV = 80_000
_DELAY_MS = 30
_MWMS_PER_WH = 3_600_000_000  # mW·ms
_ENERGY_END_WH = 9_999_990  # 9999.99 kWh

_READ_INPUT, _RESET_ENERGY = 0x04, 0x42


def _divide(value: int, by: int) -> int:
    """Rounded to the nearest step; a register of 16 bits holds no more than 65535."""
    return min((value + by // 2) // by, 0xFFFF)


def _words(value: int) -> tuple:
    return value & 0xFFFF, value >> 16 & 0xFFFF


class PZEM004T(ModbusPart):
    SENSES = ("voltage_mv", "power_mw", "power_factor_permille", "frequency_mhz", "current_ma")
    BAUD = 9600

    def __init__(self, signals, address: int = _GENERAL_ADDRESS):
        ModbusPart.__init__(self, signals, address, _DELAY_MS)
        self._energy_mwms = 0

    def _answer(self, now_ms: int, address: int, function: int, data: bytes):
        if address not in (_GENERAL_ADDRESS, self._address):
            return None
        registers = self._measure(now_ms)
        if registers is None:
            return None
        head = bytes((address, function))
        if self.fault == "refused":
            return self._refuse(head, SLAVE_ERROR)
        if function == _RESET_ENERGY and not data:
            self._energy_mwms = 0
            return head
        if function != _READ_INPUT or len(data) != 4:
            return self._refuse(head, ILLEGAL_FUNCTION)
        first, count = unpack(">HH", data)
        if count == 0 or first + count > 10:
            return self._refuse(head, ILLEGAL_ADDRESS)
        return head + bytes((2 * count,)) + registers[2 * first : 2 * (first + count)]

    def _measure(self, now_ms: int):
        """The ten registers, or None while the mains do not power the meter."""
        level = self._signals.level
        voltage_mv = level("voltage_mv", now_ms, 230_000)
        power_mw = level("power_mw", now_ms, 0)
        factor = level("power_factor_permille", now_ms, 1000)
        frequency_mhz = level("frequency_mhz", now_ms, 50_000)
        current_ma = level("current_ma", now_ms, -1)
        self._count_energy(now_ms)
        if None in (voltage_mv, power_mw, factor, frequency_mhz, current_ma):
            return None
        if voltage_mv < _SUPPLY_MIN_MV:
            return None
        if current_ma < 0:
            apparent = voltage_mv * factor  # mV · 1/1000: µA per mW are 10⁹ / apparent
            current_ma = (power_mw * 1_000_000 + apparent // 2) // apparent if apparent else 0
        volts = 0xFFFF if self.fault == "range" else _divide(voltage_mv, 100)
        power = (power_mw + 50) // 100
        energy_wh = self._energy_mwms // _MWMS_PER_WH % (_ENERGY_END_WH + 1)
        values = (volts,) + _words(current_ma) + _words(power) + _words(energy_wh)
        values += (_divide(frequency_mhz, 100), _divide(factor, 10), 0)
        return pack(">10H", *values)

    def _count_energy(self, now_ms: int):
        now_ms = min(now_ms, self._signals.until_ms)
        if now_ms > self._counted_ms:
            self._energy_mwms += self._signals.integral("power_mw", self._counted_ms, now_ms)
            self._counted_ms = now_ms
