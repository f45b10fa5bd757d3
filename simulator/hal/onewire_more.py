# SPDX-License-Identifier: MIT
"""The part of `onewire` that is loaded only when it is used: see onewire.py."""


def select_rom(bus, rom):
    bus.reset()
    bus.writebyte(bus.MATCH_ROM)
    bus.write(rom)


def scan(bus) -> list:
    """The ROM codes of all who are there (Maxim application note 187)."""
    found, fixed = [], 0  # fixed: the bits of the way that is gone down to its last fork
    while True:
        rom = _search(bus, found[-1] if found else bytes(8), fixed)
        if rom is None:
            return found
        code, fork = rom
        found.append(code)
        if fork < 0:
            return found
        fixed = fork + 1


def _search(bus, before, fixed: int):
    """One way down the tree: as `before` for so many bits, the last of which turns to 1; then 0 at
    each fork. Returns the code and its last fork that went to 0, or -1."""
    if not bus.reset():
        return None
    bus.writebyte(bus.SEARCH_ROM)
    code, last = bytearray(8), -1
    for i in range(64):
        bit, complement = bus.readbit(), bus.readbit()
        if bit and complement:  # nobody any more
            return None
        if not bit and not complement:
            bit = 1 if i == fixed - 1 else before[i >> 3] >> (i & 7) & 1 if i < fixed else 0
            if not bit:
                last = i
        bus.writebit(bit)
        code[i >> 3] |= bit << (i & 7)
    return code, last


def crc8(bus, data) -> int:
    crc = 0
    for value in data:
        crc ^= value
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc
