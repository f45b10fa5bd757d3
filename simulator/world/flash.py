# SPDX-License-Identifier: MIT
"""A board's flash: blocks that are erased to 0xff and programmed, and that can lose power at any
operation. LittleFS and NVS live on it.

Also node processes load this file, under both interpreters: it is written in their dialect.
"""

from simulator.hal.host_file import open_host

BLOCK_BYTES = 4096
_CHECKED_BYTES = 64
_ERASED = b"\xff" * 64
TORN = ("none", "half", "all")  # how much of the operation at the cut was done


class PowerCut(BaseException):
    """The power is gone: what runs must end, and no handler of `Exception` may go on."""


class NotErased(BaseException):
    """A program would set a bit, which only an erase can: a bug of what writes, and on a board
    silently wrong bytes. Like a power cut, no handler of `Exception` may hide it."""


class Flash:
    """An image file; with `blocks` instead of a path, that many blank ones in RAM."""

    def __init__(self, path=None, blocks: int = 0):
        self._file = self._memory = None
        if path is None:
            self._memory = bytearray(b"\xff" * (blocks * BLOCK_BYTES))
        else:
            self._file = open_host(path, "r+b")
            blocks = self._file.seek(0, 2) // BLOCK_BYTES
        self.blocks = blocks
        self.operations = 0  # erases and programs
        self.erases = None  # a list with one count per block, where somebody wants to know
        self.dead = False
        self._left = 0
        self._torn = 2

    def cut(self, after: int, torn: str):
        """Lets the power fail at the `after`-th operation from now (1 is the next)."""
        self._left, self._torn = after, TORN.index(torn)

    def read_into(self, at: int, buf):
        if self._memory is not None:
            buf[:] = memoryview(self._memory)[at : at + len(buf)]
        else:
            self._file.seek(at)
            self._file.readinto(buf)

    def program(self, at: int, data):
        """Writes `data`, whose place is erased, or has bits that are only to be cleared; else
        NotErased."""
        self._check(at, memoryview(data))
        halves = self._begin()
        self._write(at, memoryview(data)[: len(data) * halves // 2])
        self._end()

    def erase(self, block: int):
        """Sets a block to 0xff. Torn in half, its second half keeps what it held."""
        halves = self._begin()
        if self.erases is not None:
            self.erases[block] += 1
        for at in range(0, halves * BLOCK_BYTES // 2, len(_ERASED)):
            self._write(block * BLOCK_BYTES + at, _ERASED)
        self._end()

    def close(self):
        if self._file is not None:
            self._file.close()

    def _check(self, at: int, data):
        for first in range(0, len(data), _CHECKED_BYTES):  # by parts: a node's heap is small
            part = data[first : first + _CHECKED_BYTES]
            there = bytearray(len(part))
            self.read_into(at + first, there)
            bits = int.from_bytes(part, "little")
            if bits & int.from_bytes(there, "little") != bits:
                raise NotErased(f"flash, byte {at + first}: a program sets a bit; erase first")

    def _begin(self) -> int:
        """How many halves of the operation will be done."""
        if self.dead:
            raise PowerCut
        self.operations += 1
        if self._left:
            self._left -= 1
            self.dead = not self._left
        return self._torn if self.dead else 2

    def _end(self):
        if self.dead:
            raise PowerCut

    def _write(self, at: int, data):
        if self._memory is not None:
            self._memory[at : at + len(data)] = data
        elif len(data):
            self._file.seek(at)
            self._file.write(data)
            self._file.flush()
