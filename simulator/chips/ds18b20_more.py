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
        chip._search = _Search()


def _match(chip):
    heard = bytearray()

    def take(now_ms: int, value: int):
        heard.append(value)
        if len(heard) == 8:
            chip._take = chip._function if bytes(heard) == rom(chip) else None

    chip._take = take


class _Search:
    """One search. For each bit of its code, three slots: the bit, its complement, and with which
    the search goes on."""

    def __init__(self):
        self._i = 0
        self._slot = 0

    def slot(self, chip, bit: int) -> int:
        mine = rom(chip)[self._i >> 3] >> (self._i & 7) & 1
        self._slot += 1
        if self._slot < 3:
            return mine ^ (self._slot - 1)
        if bit != mine:
            chip._await(None)  # another one is meant
        self._i, self._slot = self._i + 1, 0
        if self._i == 64:
            chip._search, chip._take = None, chip._function
        return 1


def function(chip, command: int):
    if command == _COPY:
        chip._eeprom = list(chip._registers)
    elif command == _RECALL:
        chip._registers = list(chip._eeprom)
    elif command == _SUPPLY:
        chip._sent = b"\xff"
