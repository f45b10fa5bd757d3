# SPDX-License-Identifier: MIT
"""Maxim DS18B20: temperature of water (a probe in a steel sleeve).

Bus: 1-Wire, alone on its line, so it is addressed without its serial number (Skip ROM), which is
never read. Supply on all three wires: parasite power is not supported. −55…125 °C, 1/16 °C with
`bits`=12 (750 ms), 1/2 °C with 9 (94 ms). After power-up, and after a conversion that did not take
place, it holds 85 °C: that is told by byte 6, which a conversion changes, and is a fault. (Some
copies never change it: they cannot measure 85.0 °C.) Its noise is below its step, so a value that
stands still is no fault. Errors: OSError; SensorFault CHECKSUM (or two on one line), FRAME (the
line is held low), CHIP_ID (not a DS18B20), SILENT (its power was gone for a moment), RANGE.
Source: DS18B20 datasheet 19-7487 rev. 6: tables 1 and 2, figures 9 (scratchpad) and 10, commands
p. 10–12; byte 6: figure 9, and the Linux driver w1_therm.

Wiring: VDD 3.3 V; GND; DQ pin. With: 1 × resistor 4.7 kΩ (DQ to 3.3 V).

    sensor = DS18B20(onewire)
    wait_ms = sensor.start()
    ...
    (water_temperature_mc,) = sensor.read()
"""

from micropython import const

from node.errors import CHECKSUM, CHIP_ID, FRAME, RANGE, SILENT, SensorFault

_ENODEV = const(19)
_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_WRITE = const(0x4E)
_READ = const(0xBE)
# What its alarm registers are set to: they are not used, and go back to what its EEPROM holds
# when it loses its power. Nobody stores these two there.
_MARK_HIGH = const(0x5A)
_MARK_LOW = const(0xA5)
_CONFIGURATION = const(0x1F)  # and its resolution in bits 5 and 6
_POWER_UP = const(0x0550)  # 85 °C
_LOWEST = const(-880)  # sixteenths: −55 and 125 °C
_HIGHEST = const(2000)
_CONVERSION_MS = const(750)  # of 12 bits; a bit less takes half


def crc8(data) -> int:
    """Maxim's CRC-8: polynomial 0x31, reflected, begins with 0; 0 over data and their CRC."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


class DS18B20:
    BUS = "onewire"
    INTERVAL_S = (2, 3600)
    QUANTITIES = ("water_temperature_mc",)
    SETTLE_MS = 0

    def __init__(self, bus, bits: int = 12):
        """bits: its resolution, 9 to 12."""
        if not 9 <= bits <= 12:
            raise ValueError("bits")
        self._bus = bus
        self._rest = 12 - bits  # low bits that mean nothing
        self._configuration = _CONFIGURATION | (bits - 9) << 5
        self._scratchpad = bytearray(9)

    def start(self) -> int:
        self._command(_WRITE)
        for value in (_MARK_HIGH, _MARK_LOW, self._configuration):  # RAM: its EEPROM is not worn
            self._bus.writebyte(value)
        self._command(_CONVERT)
        return (_CONVERSION_MS >> self._rest) + 2  # 187.5 ms, and a clock of ms

    def read(self) -> tuple:
        self._command(_READ)
        data = self._scratchpad
        self._bus.readinto(data)
        if not any(data):
            raise SensorFault(FRAME)  # the CRC of nothing but zeros is right
        if crc8(data):
            raise SensorFault(CHECKSUM)
        if data[4] & 0x9F != _CONFIGURATION:
            raise SensorFault(CHIP_ID)
        if data[2] != _MARK_HIGH or data[3] != _MARK_LOW or data[4] != self._configuration:
            raise SensorFault(SILENT)
        sixteenths = data[1] << 8 | data[0]
        if sixteenths == _POWER_UP and data[6] == 0x0C:
            raise SensorFault(RANGE)
        if sixteenths & 0x8000:
            sixteenths -= 0x10000
        if not _LOWEST <= sixteenths <= _HIGHEST:
            raise SensorFault(RANGE)
        return ((sixteenths >> self._rest << self._rest) * 125 // 2,)

    def _command(self, command: int):
        if not self._bus.reset():  # nobody says that it is there
            raise OSError(_ENODEV)
        self._bus.writebyte(_SKIP_ROM)
        self._bus.writebyte(command)
