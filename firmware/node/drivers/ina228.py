# SPDX-License-Identifier: MIT
"""Texas Instruments INA228: voltage, current, power and energy of a DC supply, over a shunt.

Bus: I2C, 16 addresses from 0x40 on. 0–85 V in steps of 0.2 mV; current by the shunt: ±163.84 mV
over it, in steps of 1/524288 of `max_current_ma`. Values are means over 0.27 s (128 conversions);
energy is counted on the chip, from every conversion, also while the node sleeps. Current, and with
it power, is negative when it flows from IN− to IN+; energy has no sign and adds up both ways, so
that it fits a supply or a source, not a battery. Energy since the sample before is None in the
first. Its conversion-ready flag shows one that has stopped. Errors: OSError; SensorFault CHIP_ID,
FRAME (its power was gone for a moment: calibration lost), FROZEN, RANGE (overflow), CHECKSUM (of
its own memory), MISFIT (shunt_uohm · max_current_ma is more than it can measure).
Source: datasheet SLYS021, sections 7.6 and 8.1.2.

Wiring: VS 3.3 V; GND; SCL scl; SDA sda; IN+ supply side of the shunt; IN- load side of the shunt;
VBUS load side of the shunt. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V); 1 × shunt of the
kit's shunt_uohm.

    monitor = INA228(i2c, shunt_uohm=15_000, max_current_ma=10_000)
    wait_ms = monitor.start()
    ...
    dc_voltage_mv, dc_current_ma, dc_power_mw, dc_energy_mwh = monitor.read()
"""

from micropython import const

from node.drivers.ina2xx import Registers, divide, shunt_nv, signed
from node.errors import CHECKSUM, FRAME, FROZEN, RANGE, SensorFault

_ADC_CONFIG = const(0x01)
_SHUNT_CAL = const(0x02)
_VBUS = const(0x05)
_CURRENT = const(0x07)
_POWER = const(0x08)
_ENERGY = const(0x09)
_DIAG_ALRT = const(0x0B)
_IDS = const(0x3E)

_LATCHED = const(0x8001)  # _READY stays until it is read
_OVERFLOW = const(0x0200)
_READY = const(0x0002)
_MEMORY_GOOD = const(0x0001)
_CONTINUOUS = const(0xBB6C)  # 128 × (1.052 ms of voltage, 1.052 ms of shunt), no temperature
_CONVERT_MS = const(300)
_SHUNT_MAX_NV = const(163_840_000)


class INA228:
    BUS = "i2c"
    ADDRESSES = (
        0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,
        0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F,
    )  # fmt: skip
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("dc_voltage_mv", "dc_current_ma", "dc_power_mw", "dc_energy_mwh")
    SETTLE_MS = 0

    def __init__(
        self, i2c, address: int = 0x40, shunt_uohm: int = 15_000, max_current_ma: int = 10_000
    ):
        # 8.1.2: 13107.2 · 10⁶ · step in A · shunt in Ω; the step is 1/2¹⁹ of the highest current
        self._calibration = -(-shunt_nv(shunt_uohm, max_current_ma, _SHUNT_MAX_NV) // 40_000)
        self._shunt_uohm = shunt_uohm
        self._registers = Registers(i2c, address, _IDS, 0x228)
        self._registers.set(_SHUNT_CAL, self._calibration)
        self._registers.set(_DIAG_ALRT, _LATCHED)
        self._registers.set(_ADC_CONFIG, _CONTINUOUS)  # starts anew, and clears _READY
        self._wait_ms = _CONVERT_MS
        self._energy = None  # its register at the sample before
        self._rest = 0  # of an mWh, times what it is divided by

    def start(self) -> int:
        """After construction: waits for the first mean. Then they are there."""
        wait_ms, self._wait_ms = self._wait_ms, 0
        return wait_ms

    def read(self) -> tuple:
        get, calibration, shunt = self._registers.get, self._calibration, self._shunt_uohm
        flags = get(_DIAG_ALRT)
        voltage = signed(get(_VBUS, 3) >> 4, 20)
        current = signed(get(_CURRENT, 3) >> 4, 20)
        power, energy = get(_POWER, 3), get(_ENERGY, 5)
        if get(_SHUNT_CAL) != calibration or get(_ADC_CONFIG) != _CONTINUOUS:
            raise SensorFault(FRAME)
        if not flags & _MEMORY_GOOD:
            raise SensorFault(CHECKSUM)
        if not flags & _READY:
            raise SensorFault(FROZEN)
        if flags & _OVERFLOW:
            raise SensorFault(RANGE)
        # 8.1.2, with the step that the rounding of the calibration has made
        power = divide(power * calibration * 125, 512 * shunt)
        return (
            divide(voltage * 25, 128),
            divide(current * calibration * 625, 8192 * shunt),
            -power if current < 0 else power,
            self._since(energy),
        )

    def _since(self, energy: int):
        """mWh since the sample before; the register has 40 bits and starts again at zero."""
        before, self._energy = self._energy, energy
        if before is None:
            return None
        steps = (energy - before) & 0xFFFFFFFFFF
        whole, self._rest = divmod(
            steps * self._calibration * 5 + self._rest, 4608 * self._shunt_uohm
        )
        return whole
