# SPDX-License-Identifier: MIT
"""What Texas Instruments' power monitors share: registers of 2 to 5 bytes, high byte first, and
two that tell who made the chip and which it is. No bus of its own.

Source: INA226 datasheet SBOS547, section 7.1; INA228 datasheet SLYS021, section 7.6.
"""

from micropython import const

from node.errors import CHIP_ID, MISFIT, SensorFault

_MANUFACTURER = const(0x5449)  # "TI"


class Registers:
    """id_register: the manufacturer's; the next one has the chip's number, and a revision in its
    last four bits."""

    def __init__(self, i2c, address: int, id_register: int, number: int):
        self._i2c = i2c
        self._address = address
        self._into = memoryview(bytearray(5))
        if self.get(id_register) != _MANUFACTURER or self.get(id_register + 1) >> 4 != number:
            raise SensorFault(CHIP_ID)

    def get(self, register: int, size: int = 2) -> int:
        into = self._into[:size]
        self._i2c.readfrom_mem_into(self._address, register, into)
        return int.from_bytes(into, "big")

    def set(self, register: int, value: int):
        self._i2c.writeto(self._address, bytes((register, value >> 8, value & 0xFF)))


def shunt_nv(shunt_uohm: int, max_current_ma: int, limit_nv: int) -> int:
    """The voltage across the shunt at the highest current, which the chip has to be able to
    measure; SensorFault MISFIT when it is not."""
    voltage_nv = shunt_uohm * max_current_ma
    if not 0 < voltage_nv <= limit_nv or shunt_uohm < 0:
        raise SensorFault(MISFIT)
    return voltage_nv


def signed(value: int, bits: int) -> int:
    """Two's complement."""
    return value - (1 << bits) if value >> bits - 1 else value


def divide(value: int, by: int) -> int:
    """Rounded to the nearest integer; by is positive."""
    return (2 * value + by) // (2 * by)
