# SPDX-License-Identifier: MIT
"""The SPI flash of a board, in a file: NOR, so an erase sets a sector to 0xff and a program only
clears bits. Unlike world/flash.py it does not mind a program onto bytes that are not erased, as it
has to show what a loader does that forgets to."""

import hashlib
import mmap
from pathlib import Path

from host_tools.errors import ToolError

SECTOR_BYTES = 4096
_GIGADEVICE, _SERIAL_NOR = 0xC8, 0x40  # of the GD25Q series
_READ_ID, _READ_SFDP = 0x9F, 0x5A
_SIGNATURE = b"SFDP"


class FlashError(Exception):
    """The place is not on the chip, or is no whole sector."""


class FlashChip:
    """A chip of `size` bytes, a power of two, in the file `path`, which is made erased when it is
    not there. ToolError when the file is no flash of that size."""

    def __init__(self, path: Path, size: int):
        self.size = size
        self._stuck_low: dict[int, int] = {}  # byte: bits of it that an erase does not set
        self._stays: set[int] = set()  # sectors that an erase does not reach
        try:
            if not path.exists():
                path.write_bytes(b"\xff" * size)
            if path.stat().st_size != size:
                raise ToolError(
                    f"{path} has {path.stat().st_size} bytes, and the board's flash {size}",
                    "name the image of such a board, or a file that is not there yet",
                )
            self._file = path.open("r+b")
            self._bytes = mmap.mmap(self._file.fileno(), size)
        except OSError as err:
            raise ToolError(f"{path}: {err.strerror}", "name a file of your own") from None

    def close(self):
        """Writes what is left to the file."""
        self._bytes.flush()
        self._bytes.close()
        self._file.close()

    def wear(self, at: int, bits: int):
        """Lets these bits of a byte be 0 from now on, whatever is done."""
        self._check(at, 1)
        self._stuck_low[at] = bits
        self._bytes[at] &= ~bits & 0xFF

    def keep(self, at: int):
        """Lets the sector with this byte keep what it holds, whatever is erased."""
        self._check(at, 1)
        self._stays.add(at // SECTOR_BYTES)

    def read(self, at: int, size: int) -> bytes:
        self._check(at, size)
        return self._bytes[at : at + size]

    def program(self, at: int, data: bytes):
        """Clears the bits that are 0 in `data`."""
        self._check(at, len(data))
        there = int.from_bytes(self._bytes[at : at + len(data)], "little")
        both = there & int.from_bytes(data, "little")
        self._bytes[at : at + len(data)] = both.to_bytes(len(data), "little")

    def erase(self, at: int, size: int):
        """Sets whole sectors to 0xff."""
        self._check(at, size)
        if at % SECTOR_BYTES or size % SECTOR_BYTES:
            raise FlashError("an erase is of whole sectors")
        for sector in range(at, at + size, SECTOR_BYTES):
            if sector // SECTOR_BYTES not in self._stays:
                self._bytes[sector : sector + SECTOR_BYTES] = b"\xff" * SECTOR_BYTES
        for place, bits in self._stuck_low.items():
            if at <= place < at + size:
                self._bytes[place] &= ~bits & 0xFF

    def md5(self, at: int, size: int) -> bytes:
        return hashlib.md5(self.read(at, size), usedforsecurity=False).digest()

    def command(self, opcode: int, address: int) -> bytes:
        """What the chip answers to a command on its SPI bus; nothing to one that it has not."""
        if opcode == _READ_ID:
            return bytes((_GIGADEVICE, _SERIAL_NOR, self.size.bit_length() - 1))
        if opcode == _READ_SFDP:
            return _SIGNATURE if address == 0 else bytes((_GIGADEVICE,))
        return b""

    def _check(self, at: int, size: int):
        if at < 0 or size < 0 or at + size > self.size:
            raise FlashError("not on the chip")
