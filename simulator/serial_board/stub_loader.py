# SPDX-License-Identifier: MIT
"""esptool's flasher stub: what loader.py has, and reading and erasing at the speed of the line."""

import hashlib
import struct

from simulator.serial_board.flash_chip import SECTOR_BYTES
from simulator.serial_board.loader import MESSAGE, Loader, Refusal

GREETING = b"OHAI"
_ACKNOWLEDGEMENT_BYTES = 4


class _FlashRead:
    """A read under way: blocks go out, at most `ahead` of what is acknowledged; then a digest."""

    def __init__(self, flash, at: int, size: int, block_bytes: int, ahead: int):
        self._data = flash.read(at, size)
        self._block_bytes, self._ahead = block_bytes, ahead
        self._sent = 0
        self.done = False

    def packets(self, acknowledged: int) -> list[bytes]:
        """What goes out now that so many bytes have come through."""
        packets = []
        limit = acknowledged + self._ahead * self._block_bytes
        while self._sent < min(len(self._data), limit):
            packets.append(self._data[self._sent : self._sent + self._block_bytes])
            self._sent += len(packets[-1])
        if acknowledged >= len(self._data):
            self.done = True
            packets.append(hashlib.md5(self._data, usedforsecurity=False).digest())
        return packets


class StubLoader(Loader):
    """See Loader."""

    IS_STUB = True
    SYNC_VALUE = 0
    STATUS_BYTES = 2

    def __init__(self, *args):
        super().__init__(*args)
        self._read: _FlashRead | None = None
        self.commands.update({
            0xD0: self._erase_flash, 0xD1: self._erase_region, 0xD2: self._read_flash,
            0xD3: self._run_user_code,
        })  # fmt: skip

    def take(self, packet: bytes) -> list[bytes]:
        if self._read is not None:
            if len(packet) == _ACKNOWLEDGEMENT_BYTES:
                return self._read_on(int.from_bytes(packet, "little"))
            self._read = None  # the reader has gone
        answer = super().take(packet)
        return answer + (self._read_on(0) if self._read is not None else [])

    def _read_on(self, acknowledged: int) -> list[bytes]:
        packets = self._read.packets(acknowledged)
        if self._read.done:
            self._read = None
        return packets

    def _erase_flash(self, data, expected):
        self.flash.erase(0, self.flash.size)
        return 0, b""

    def _erase_region(self, data, expected):
        at, size = struct.unpack("<II", data)
        if at % SECTOR_BYTES or size % SECTOR_BYTES:
            raise Refusal(MESSAGE)
        self.flash.erase(at, size)
        return 0, b""

    def _read_flash(self, data, expected):
        at, size, block_bytes, ahead = struct.unpack("<IIII", data)
        if not block_bytes or not ahead:
            raise Refusal(MESSAGE)
        self._read = _FlashRead(self.flash, at, size, block_bytes, ahead)
        return 0, b""

    def _run_user_code(self, data, expected):
        self._then = self.control.run_app
        return 0, b""
