# SPDX-License-Identifier: MIT
"""Texas Instruments INA226: voltage, current and power of a DC supply, by the drop over a shunt.

Bus: I2C, 16 addresses from 0x40 on. 0–36 V in steps of 1.25 mV; current by the shunt: ±81.92 mV
over it, in steps of 1/32768 of `max_current_ma`. Values are means over 0.28 s (128 conversions).
Current, and with it power, is negative when it flows from IN− to IN+. Its conversion-ready flag
shows one that has stopped. Errors: OSError; SensorFault CHIP_ID, FRAME (its power was gone for a
moment: calibration lost), FROZEN, RANGE (overflow), MISFIT (shunt_uohm · max_current_ma is more
than it can measure). Source: datasheet SBOS547, sections 6.5.1, 6.5.2 and 7.1.

Wiring: VS 3.3 V; GND; SCL scl; SDA sda; IN+ supply side of the shunt; IN- load side of the shunt;
VBUS load side of the shunt. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V); 1 × shunt of the
kit's shunt_uohm.

    monitor = INA226(i2c, shunt_uohm=10_000, max_current_ma=8000)
    wait_ms = monitor.start()
    ...
    dc_voltage_mv, dc_current_ma, dc_power_mw = monitor.read()
"""

from micropython import const

from node.drivers.ina2xx import Registers, divide, shunt_nv, signed
from node.errors import FRAME, FROZEN, RANGE, SensorFault

_CONFIG = const(0x00)
_BUS = const(0x02)
_POWER = const(0x03)
_CURRENT = const(0x04)
_CALIBRATION = const(0x05)
_MASK = const(0x06)
_IDS = const(0xFE)

_READY = const(0x0008)  # in _MASK; reading it clears it
_OVERFLOW = const(0x0004)
_CONTINUOUS = const(0x4927)  # 128 × (1.1 ms of voltage, 1.1 ms of shunt)
_CONVERT_MS = const(320)  # at most 1.21 ms each: section 5.5
_SHUNT_MAX_NV = const(81_920_000)


class INA226:
    BUS = "i2c"
    ADDRESSES = (
        0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,
        0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F,
    )  # fmt: skip
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("dc_voltage_mv", "dc_current_ma", "dc_power_mw")
    SETTLE_MS = 0

    def __init__(
        self, i2c, address: int = 0x40, shunt_uohm: int = 10_000, max_current_ma: int = 8000
    ):
        # 6.5.1: 0.00512 / (step in A · shunt in Ω)
        limit = shunt_nv(shunt_uohm, max_current_ma, _SHUNT_MAX_NV)
        self._calibration = min(167_772_160_000 // limit, 0x7FFF)
        self._per = self._calibration * shunt_uohm
        self._registers = Registers(i2c, address, _IDS, 0x226)
        self._registers.set(_CALIBRATION, self._calibration)
        self._registers.set(_CONFIG, _CONTINUOUS)  # starts anew, and clears _READY
        self._wait_ms = _CONVERT_MS

    def start(self) -> int:
        """After construction: waits for the first mean. Then they are there."""
        wait_ms, self._wait_ms = self._wait_ms, 0
        return wait_ms

    def read(self) -> tuple:
        get = self._registers.get
        flags = get(_MASK)
        voltage, current, power = get(_BUS), signed(get(_CURRENT), 16), get(_POWER)
        if get(_CALIBRATION) != self._calibration or get(_CONFIG) != _CONTINUOUS:
            raise SensorFault(FRAME)
        if not flags & _READY:
            raise SensorFault(FROZEN)
        if flags & _OVERFLOW:
            raise SensorFault(RANGE)
        # What the rounding of the calibration has made of the step is in _per. Power has no sign,
        # and 25 times the step of the current.
        power = divide(power * 128_000_000, self._per)
        return (
            divide(voltage * 5, 4),
            divide(current * 5_120_000, self._per),
            -power if current < 0 else power,
        )
