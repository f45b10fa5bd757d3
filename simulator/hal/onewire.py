# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's frozen module `onewire`: the bus at a pin of the bench."""

from simulator.buses.onewire import OneWireBus
from simulator.hal.bench import bench


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)
        chip = bench.wired.get(("onewire", pin.id))
        self._bus = OneWireBus(bench.now, [] if chip is None else [chip])
        self.readbit = self._bus.read_bit
        self.readbyte = self._bus.read_byte
        self.writebit = self._bus.write_bit
        self.writebyte = self._bus.write_byte

    def reset(self, required=False) -> bool:
        """Whether somebody says that they are there."""
        present = self._bus.reset()
        if required and not present:
            raise OneWireError
        return present

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def write(self, buf):
        for value in buf:
            self.writebyte(value)

    def select_rom(self, rom):
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def scan(self) -> list:
        """The ROM codes of all who are there (Maxim application note 187)."""
        found, fixed = [], 0  # fixed: the bits of the way that is gone down to its last fork
        while True:
            rom = self._search(found[-1] if found else bytes(8), fixed)
            if rom is None:
                return found
            code, fork = rom
            found.append(code)
            if fork < 0:
                return found
            fixed = fork + 1

    def _search(self, before, fixed: int):
        """One way down the tree: as `before` for so many bits, the last of which turns to 1; then
        0 at each fork. Returns the code and its last fork that went to 0, or -1."""
        if not self.reset():
            return None
        self.writebyte(self.SEARCH_ROM)
        code, last = bytearray(8), -1
        for i in range(64):
            bit, complement = self.readbit(), self.readbit()
            if bit and complement:  # nobody any more
                return None
            if not bit and not complement:
                bit = 1 if i == fixed - 1 else before[i >> 3] >> (i & 7) & 1 if i < fixed else 0
                if not bit:
                    last = i
            self.writebit(bit)
            code[i >> 3] |= bit << (i & 7)
        return code, last

    def crc8(self, data) -> int:
        crc = 0
        for value in data:
            crc ^= value
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc
