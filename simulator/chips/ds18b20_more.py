# SPDX-License-Identifier: MIT
"""The commands of the DS18B20 that our driver does not use: its serial number, the search for it
(datasheet 19-7487 rev. 6, p. 10; Maxim application note 187), its EEPROM. See ds18b20.py."""

from simulator.chips.ds18b20 import crc8

_SEARCH, _READ_ROM, _MATCH = 0xF0, 0x33, 0x55
_COPY, _RECALL, _SUPPLY = 0x48, 0xB8, 0xB4
_CODE = (0x28, 0xFF, 0x4C, 0x41, 0x4D, 0x50)  # of no real part


def rom(chip) -> bytes:
    code = _CODE + (chip.serial,)
    return bytes(code + (crc8(code),))


def rom_command(chip, command: int):
    if command == _READ_ROM:
        chip._sent, chip._take = rom(chip), chip._function
    elif command == _MATCH:
        _match(chip)
    elif command == _SEARCH:
        chip._search = [0, 0]


def _match(chip):
    heard = bytearray()

    def take(now_ms: int, value: int):
        heard.append(value)
        if len(heard) == 8:
            chip._take = chip._function if bytes(heard) == rom(chip) else None

    chip._take = take


def say(chip) -> int:
    """The bit that a search asks for, and when it asks again its complement."""
    i, asked = chip._search
    chip._search[1] = 1
    return (rom(chip)[i >> 3] >> (i & 7) & 1) ^ (1 if asked else 0)


def choose(chip, bit: int):
    """The bit with which a search goes on."""
    i = chip._search[0]
    if bit != rom(chip)[i >> 3] >> (i & 7) & 1:
        chip._await(None)  # another one is meant
        return
    chip._search = [i + 1, 0] if i < 63 else None
    chip._take = chip._function if i == 63 else None


def function(chip, command: int):
    if command == _COPY:
        chip._eeprom = list(chip._registers)
    elif command == _RECALL:
        chip._registers = list(chip._eeprom)
    elif command == _SUPPLY:
        chip._sent = b"\xff"
