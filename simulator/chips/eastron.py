# SPDX-License-Identifier: MIT
"""What the models of Eastron's meters share: input registers of float32 on Modbus RTU.

Senses voltage_mv, power_mw, power_factor_permille, frequency_mhz, and pv_power_mw, which flows the
other way; current_ma where the world has such a level, otherwise the current follows from the
others. A voltage has noise of up to 50 mV, anew each second. The mains power the meter: below the
voltage it needs, and in a gap, it is silent. Its energy registers, in and out, survive a power cut
and count in steps of 1 Wh. Registers that the model does not have read as zero.

Faults: "checksum"; "short" (the answer is cut); "range" (a voltage of 6553.5 V); "refused" (an
exception answer); "nan" (a voltage that is not a number); "frozen" (the measurement stands still).
"""

from struct import pack, unpack

from simulator.chips.modbus_part import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, SLAVE_ERROR, ModbusPart

_DELAY_MS = 60
_MWMS_PER_WH = 3_600_000_000  # mW·ms
_NOISE_MV = 50
_READ_INPUT = 0x04
_VALUES_MAX = 40
_NAN = 0x7FC00000


def to_float32(value: int, by: int) -> int:
    """The bits of the float32 that is nearest to value / by; halves go to the even one."""
    sign = 0x80000000 if value < 0 else 0
    value = abs(value)
    if not value:
        return 0
    exponent = 0
    while value >> 24 >= by:
        by <<= 1
        exponent += 1
    while value < by << 23:
        value <<= 1
        exponent -= 1
    mantissa, rest = divmod(value, by)
    if 2 * rest > by or (2 * rest == by and mantissa & 1):
        mantissa += 1  # may become 2^24: then it carries into the exponent, as it must
    return sign | (exponent + 149 << 23) + mantissa


class Eastron(ModbusPart):
    """A subclass has BAUD (as it comes from the factory), SUPPLY_MIN_MV, REGISTERS (how many)
    and _registers(): {register: (value, what it is divided by)}."""

    SENSES = (
        "voltage_mv", "power_mw", "power_factor_permille", "frequency_mhz", "pv_power_mw",
        "current_ma",
    )  # fmt: skip

    def __init__(self, signals, address: int, baud: int):
        self.BAUD = baud
        ModbusPart.__init__(self, signals, address, _DELAY_MS)
        self._energy_mwms = [0, 0]  # in, out
        self._held = None  # what it shows while it is frozen

    def _answer(self, now_ms: int, address: int, function: int, data: bytes):
        if address != self._address:
            return None
        measured = self._measure(now_ms)
        if measured is None:
            return None
        head = bytes((address, function))
        if self.fault == "refused":
            return self._refuse(head, SLAVE_ERROR)
        if function != _READ_INPUT or len(data) != 4:
            return self._refuse(head, ILLEGAL_FUNCTION)
        first, count = unpack(">HH", data)
        if first % 2 or count % 2 or not 0 < count <= 2 * _VALUES_MAX:
            return self._refuse(head, ILLEGAL_ADDRESS)
        if first + count > self.REGISTERS:
            return self._refuse(head, ILLEGAL_ADDRESS)
        bits = [measured.get(register, 0) for register in range(first, first + count, 2)]
        return head + bytes((2 * count,)) + b"".join([pack(">I", one) for one in bits])

    def _measure(self, now_ms: int):
        """{register: bits}, or None while the mains do not power the meter."""
        level = self._signals.level
        voltage_mv = level("voltage_mv", now_ms, 230_000)
        power_mw = level("power_mw", now_ms, 0)
        pv_mw = level("pv_power_mw", now_ms, 0)
        factor = level("power_factor_permille", now_ms, 1000)
        frequency_mhz = level("frequency_mhz", now_ms, 50_000)
        current_ma = level("current_ma", now_ms, -1)
        self._count(now_ms)
        if None in (voltage_mv, power_mw, pv_mw, factor, frequency_mhz, current_ma):
            return None
        if voltage_mv < self.SUPPLY_MIN_MV:
            return None
        noise_mv = self._noise(now_ms // 1000)
        shown = self._registers(
            voltage_mv + noise_mv, power_mw - pv_mw, factor, frequency_mhz, current_ma
        )
        measured = {}
        for register, (value, by) in shown.items():
            measured[register] = to_float32(value, by)
        if self.fault == "frozen":
            measured = self._held = self._held or measured
            return measured
        self._held = None
        if self.fault == "range":
            measured[0] = to_float32(65_535, 10)
        elif self.fault == "nan":
            measured[0] = _NAN
        return measured

    def _noise(self, second: int) -> int:
        drawn = (second * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return (drawn >> 12) % (2 * _NOISE_MV + 1) - _NOISE_MV

    def energy(self) -> tuple:
        """(register value, divided by) of energy in and out, in kWh."""
        return tuple([(total // _MWMS_PER_WH, 1000) for total in self._energy_mwms])

    def _count(self, now_ms: int):
        """Adds up what has flowed since it was last asked, second by second, each way by itself:
        what was fed in would not be told if they cancelled out."""
        now_ms = min(now_ms, self._signals.until_ms)
        level, at = self._signals.level, self._counted_ms
        while at < now_ms:
            end = min(at - at % 1000 + 1000, now_ms)
            if (level("voltage_mv", at, 230_000) or 0) >= self.SUPPLY_MIN_MV:
                net = (level("power_mw", at, 0) or 0) - (level("pv_power_mw", at, 0) or 0)
                self._energy_mwms[net < 0] += abs(net) * (end - at)
            at = end
        self._counted_ms = at


def current(net_mw: int, voltage_mv: int, factor: int) -> int:
    """mA that belong to a power; positive either way."""
    apparent = voltage_mv * factor  # mV · 1/1000: µA per mW are 10⁹ / apparent
    return (abs(net_mw) * 1_000_000 + apparent // 2) // apparent if apparent else 0
