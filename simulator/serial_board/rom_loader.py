# SPDX-License-Identifier: MIT
"""The loader in the chip's ROM: what loader.py has, and code that goes to RAM.

Code in RAM is not run: what is uploaded and started is taken for esptool's flasher stub, whose
part stub_loader.py plays.
"""

import struct

from simulator.serial_board.loader import MESSAGE, STATE, UNKNOWN, Loader, Refusal, block_of

_SLOW_BYTES = 64
_NO_KEYS, _FLAGS, _ECO = 0, 0, 0


class RomLoader(Loader):
    """See Loader."""

    def __init__(self, *args):
        super().__init__(*args)
        self._segments: list[tuple[int, bytearray, int]] = []  # address, bytes, size announced
        self.commands.update({
            0x05: self._memory_begin, 0x06: self._memory_end, 0x07: self._memory_data,
            0x0E: self._read_slow, 0x14: self._security_info,
        })  # fmt: skip

    def _memory_begin(self, data, expected):
        size, _blocks, _block_bytes, address = struct.unpack("<IIII", data)
        self._segments.append((address, bytearray(), size))
        return 0, b""

    def _memory_data(self, data, expected):
        if not self._segments:
            raise Refusal(STATE)
        _, there, size = self._segments[-1]
        block = block_of(data, expected)
        if len(there) + len(block) > size:
            raise Refusal(MESSAGE)
        there += block
        return 0, b""

    def _memory_end(self, data, expected):
        stay, entry = struct.unpack("<II", data)
        segments, self._segments = self._segments, []
        if any(len(there) != size for _, there, size in segments):
            raise Refusal(MESSAGE)
        if not stay and any(at <= entry < at + len(there) for at, there, _ in segments):
            self._then = self.control.run_stub
        return 0, b""

    def _read_slow(self, data, expected):
        at, size = struct.unpack("<II", data)
        if size > _SLOW_BYTES:
            raise Refusal(MESSAGE)
        return 0, self.flash.read(at, size).ljust(_SLOW_BYTES, b"\0")

    def _security_info(self, data, expected):
        if not self.chip.has_security_info:
            raise Refusal(UNKNOWN)
        return 0, struct.pack("<I8BII", _FLAGS, *[_NO_KEYS] * 8, self.chip.image_id, _ECO)
