# SPDX-License-Identifier: MIT
"""The serial protocol of Espressif's loaders: what the loader in ROM and esptool's flasher stub
have in common. https://docs.espressif.com/projects/esptool/en/latest/esp32/advanced-topics/serial-protocol.html

    request   00 op size(2) checksum(4) data          response  01 op size(2) value(4) data status

take() gives the packets that answer one packet; then() is what the chip does after they went out.
"""

import struct
import zlib

from simulator.serial_board.checksum import checksum
from simulator.serial_board.chips import Chip
from simulator.serial_board.flash_chip import SECTOR_BYTES, FlashChip, FlashError
from simulator.serial_board.registers import Registers

_DATA_HEAD_BYTES = 16
_SYNC_ANSWERS = 8
SYNC = 0x08
# (status of the ROM, status of the stub)
MESSAGE, CHECKSUM, FLASH, STATE = (0x05, 0xC0), (0x07, 0xC1), (0x08, 0xC4), (0x06, 0xC6)
INFLATE, TOO_LITTLE, TOO_MUCH = (0x0B, 0xC7), (0x0A, 0xC8), (0x0A, 0xC9)
UNKNOWN = (0x05, 0xFF)


class Refusal(Exception):
    """The loader answers with an error: one of the pairs above."""


class FlashWrite:
    """One write to the flash, from its BEGIN to its END: where it goes, and how much is left."""

    def __init__(self, flash: FlashChip, at: int, size: int, erase_first: bool, deflated: bool):
        self._flash = flash
        self._at, self._end = at, at + size
        self._erased_to = at - at % SECTOR_BYTES
        self._inflater = zlib.decompressobj() if deflated else None
        if self._end > flash.size:
            raise Refusal(FLASH)
        if erase_first:
            self._erase_to(self._end)

    def take(self, data: bytes):
        """Programs the next bytes; the last block may be padded beyond the end."""
        if self._inflater:
            try:
                data = self._inflater.decompress(data, self._end - self._at + 1)
            except zlib.error:
                raise Refusal(INFLATE) from None
            if len(data) > self._end - self._at:
                raise Refusal(TOO_MUCH)
        data = data[: self._end - self._at]
        self._erase_to(self._at + len(data))
        self._flash.program(self._at, data)
        self._at += len(data)

    def finish(self):
        if self._inflater and self._at < self._end:
            raise Refusal(TOO_LITTLE)

    def _erase_to(self, end: int):
        end = -(-end // SECTOR_BYTES) * SECTOR_BYTES
        if end > self._erased_to:
            self._flash.erase(self._erased_to, end - self._erased_to)
            self._erased_to = end


class Loader:
    """The commands that both loaders know. control: the board, of which a loader asks
    change_baud(baud), reboot(), run_app(), run_stub()."""

    IS_STUB = False
    SYNC_VALUE = 0x2012_0707
    STATUS_BYTES = 4

    def __init__(self, chip: Chip, flash: FlashChip, registers: Registers, control):
        self.chip = chip
        self.flash = flash
        self.registers = registers
        self.control = control
        self._write: FlashWrite | None = None
        self._then = None
        self.commands = {
            0x02: self._flash_begin, 0x03: self._flash_data, 0x04: self._flash_end,
            SYNC: self._sync, 0x09: self._write_register, 0x0A: self._read_register,
            0x0B: self._set_parameters, 0x0D: self._attach, 0x0F: self._change_baud,
            0x10: self._deflate_begin, 0x11: self._flash_data, 0x12: self._flash_end,
            0x13: self._flash_md5,
        }  # fmt: skip

    def take(self, packet: bytes) -> list[bytes]:
        """The packets that answer `packet`; none when it is no request."""
        if len(packet) < 8 or packet[0] != 0:
            return []
        op, size, expected = struct.unpack_from("<BHI", packet, 1)
        data = packet[8:]
        try:
            if len(data) != size:
                raise Refusal(MESSAGE)
            handler = self.commands.get(op)
            if handler is None:
                raise Refusal(UNKNOWN)
            value, body = handler(data, expected)
        except Refusal as refusal:
            self._then = None
            return [self._response(op, 0, b"", refusal.args[0][self.IS_STUB])]
        except FlashError:
            return [self._response(op, 0, b"", FLASH[self.IS_STUB])]
        except struct.error:
            return [self._response(op, 0, b"", MESSAGE[self.IS_STUB])]
        return [self._response(op, value, body)] * (_SYNC_ANSWERS if op == SYNC else 1)

    def then(self):
        """Does what the last command asked for after its answer."""
        todo, self._then = self._then, None
        if todo is not None:
            todo()

    def _response(self, op: int, value: int, body: bytes, error: int = 0) -> bytes:
        status = bytes((error != 0, error)).ljust(self.STATUS_BYTES, b"\0")
        return struct.pack("<BBHI", 1, op, len(body) + len(status), value) + body + status

    # commands: data, its checksum → value, body

    def _sync(self, data, expected):
        return self.SYNC_VALUE, b""

    def _read_register(self, data, expected):
        return self.registers.read(struct.unpack("<I", data)[0]), b""

    def _write_register(self, data, expected):
        for address, value, mask, _delay_us in struct.iter_unpack("<IIII", data):
            self.registers.write(address, value, mask)
        return 0, b""

    def _set_parameters(self, data, expected):
        _, size, _block, sector, _page, _ = struct.unpack("<IIIIII", data)
        if size > self.flash.size or sector != SECTOR_BYTES:
            raise Refusal(MESSAGE)
        return 0, b""

    def _attach(self, data, expected):
        return 0, b""

    def _change_baud(self, data, expected):
        baud, _ = struct.unpack("<II", data)
        if not baud:
            raise Refusal(MESSAGE)
        self._then = lambda: self.control.change_baud(baud)
        return 0, b""

    def _flash_begin(self, data, expected, deflated=False):
        size, _blocks, _block_bytes, at = struct.unpack_from("<IIII", data)
        self._write = FlashWrite(self.flash, at, size, not self.IS_STUB, deflated)
        return 0, b""

    def _deflate_begin(self, data, expected):
        return self._flash_begin(data, expected, deflated=True)

    def _flash_data(self, data, expected):
        if self._write is None:
            raise Refusal(STATE)
        self._write.take(block_of(data, expected))
        return 0, b""

    def _flash_end(self, data, expected):
        (stay,) = struct.unpack("<I", data)
        write, self._write = self._write, None
        if write is not None:
            write.finish()
        if not stay:
            self._then = self.control.reboot
        elif not self.IS_STUB:  # the ROM leaves in any case
            self._then = self.control.run_app
        return 0, b""

    def _flash_md5(self, data, expected):
        at, size, _, _ = struct.unpack("<IIII", data)
        digest = self.flash.md5(at, size)
        return 0, digest if self.IS_STUB else digest.hex().encode()


def block_of(data: bytes, expected: int) -> bytes:
    """The block in a DATA command; Refusal when it is not what was sent."""
    size = struct.unpack_from("<I", data)[0]
    block = data[_DATA_HEAD_BYTES:]
    if size != len(block):
        raise Refusal(MESSAGE)
    if checksum(block) != expected:
        raise Refusal(CHECKSUM)
    return block
