# SPDX-License-Identifier: MIT
"""Maxim DS18B20: its ROM and function commands, in bits (datasheet 19-7487 rev. 6, p. 10–12).

Senses water_temperature_mc at the end of a conversion; in a gap of it, it is not there. Its supply
is on a wire of its own. Not modelled: alarm search, parasite power; copying to its EEPROM takes no
time. The bits that a resolution below 12 leaves undefined are 0.

Faults: "checksum"; "short" (it falls silent within the scratchpad); "range" (it converts nothing,
and keeps 85 °C); "chip id" (a DS18S20, whose byte 4 is no configuration).
"""

from simulator.chips.part import Part

_SKIP, _CONVERT, _WRITE, _READ = 0xCC, 0x44, 0x4E, 0xBE
_EEPROM = (0x4B, 0x46, 0x7F)  # as it leaves the factory: alarms at 75 and 70 °C, 12 bits
_CONVERSION_MS = (94, 188, 375, 750)  # table 2, at most
_SHORT_BYTES = 5


def crc8(data) -> int:
    """x⁸ + x⁵ + x⁴ + 1, the first bit first, as the shift register of figure 11."""
    register = 0
    for value in data:
        for i in range(8):
            feedback = (register ^ value >> i) & 1
            register = register >> 1 ^ (0x8C if feedback else 0)
    return register


class DS18B20(Part):
    SENSES = ("water_temperature_mc",)

    def __init__(self, signals, bits: int = 12, serial: int = 0):
        """bits: what the driver will set; serial: another made-up one, for a second chip."""
        Part.__init__(self, signals)
        self.serial = serial
        self._eeprom = list(_EEPROM)
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._registers = list(self._eeprom)
        self._sixteenths = 0x0550  # 85 °C
        self._count_remain = 0x0C
        self._converted_ms = None  # when the conversion under way ends
        self._await(None)

    # slots

    def _await(self, what):
        """Waits for bytes (a function of one), or for nothing until the next reset."""
        self._take = what
        self._search = None  # one that is under way: see ds18b20_more.py
        self._byte = self._bits = 0
        self._sent = b""
        self._sent_bits = 0
        self._busy_ms = 0  # until when it sends 0

    def reset(self, now_ms: int) -> bool:
        if not self._powered:
            self.power_on(now_ms)
        self._await(self._rom_command)
        return self._level(now_ms) is not None

    def slot(self, now_ms: int, bit: int) -> int:
        if not self._powered:
            return 1
        if self._search is not None:
            return self._search.slot(self, bit)
        if now_ms < self._busy_ms:
            return 0
        i = self._sent_bits
        if i < 8 * len(self._sent):
            self._sent_bits += 1
            return self._sent[i >> 3] >> (i & 7) & 1
        if self._take is not None:
            self._byte |= bit << self._bits
            self._bits += 1
            if self._bits == 8:
                value, self._byte, self._bits = self._byte, 0, 0
                self._take(now_ms, value)
        return 1

    # bytes

    def _rom_command(self, now_ms: int, command: int):
        self._await(None)
        if command == _SKIP:
            self._take = self._function
        else:
            from simulator.chips import ds18b20_more  # a node's heap is small

            ds18b20_more.rom_command(self, command)

    def _function(self, now_ms: int, command: int):
        self._await(None)
        self._finish(now_ms)
        if command == _CONVERT:
            if self.fault != "range":
                resolution = self._registers[2] >> 5 & 3
                self._converted_ms = self._busy_ms = now_ms + _CONVERSION_MS[resolution]
        elif command == _WRITE:
            self._written = 0
            self._take = self._write
        elif command == _READ:
            self._sent = self.scratchpad()
        else:
            from simulator.chips import ds18b20_more

            ds18b20_more.function(self, command)

    def _write(self, now_ms: int, value: int):
        if self._written == 2:
            value = value & 0x60 | 0x1F  # figure 10
        self._registers[self._written] = value
        self._written += 1
        if self._written == 3:
            self._take = None

    # temperature

    def _level(self, now_ms: int):
        return self._signals.level("water_temperature_mc", min(now_ms, self._signals.until_ms))

    def _finish(self, now_ms: int):
        """Takes over the conversion that has ended."""
        if self.fault == "range":
            self._sixteenths, self._count_remain, self._converted_ms = 0x0550, 0x0C, None
        if self._converted_ms is None or now_ms < self._converted_ms:
            return
        level = self._level(self._converted_ms)
        self._converted_ms = None
        if level is not None:
            rest = 3 - (self._registers[2] >> 5 & 3)
            self._sixteenths = (min(max(level, -55_000), 125_000) * 16 + 500) // 1000
            self._sixteenths = self._sixteenths >> rest << rest
            self._count_remain = 0x10 - (self._sixteenths & 0x0F)

    def scratchpad(self) -> bytes:
        """Figure 9: nine bytes, of which the last is the CRC."""
        data = bytearray(8)
        data[0], data[1] = self._sixteenths & 0xFF, self._sixteenths >> 8 & 0xFF
        data[2], data[3], data[4] = self._registers
        data[5], data[6], data[7] = 0xFF, self._count_remain, 0x10
        if self.fault == "chip id":
            data[4] = 0xFF
        crc = crc8(data)
        if self.fault == "checksum":
            crc ^= 0x01
        whole = bytes(data) + bytes((crc,))
        return whole[:_SHORT_BYTES] if self.fault == "short" else whole
