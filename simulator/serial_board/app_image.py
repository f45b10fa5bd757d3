# SPDX-License-Identifier: MIT
"""The image of a bootloader or an application, checked as the ROM and the bootloader check it.

https://docs.espressif.com/projects/esptool/en/latest/esp32/advanced-topics/firmware-image-format.html
"""

import dataclasses
import hashlib
import struct

from simulator.serial_board.checksum import SEED, checksum
from simulator.serial_board.flash_chip import FlashChip, FlashError

_MAGIC, _MAX_SEGMENTS = 0xE9, 16
_HEAD = struct.Struct("<BBBBI4xH9xB")  # magic, segments, mode, size, entry; chip; hash appended
_HEAD_BYTES, _SEGMENT_HEAD_BYTES, _SHA256_BYTES = 24, 8, 32
_APP_MAGIC = 0xABCD_5432
_APP = struct.Struct("<II8x32s32s16s16s32s")


class ImageError(Exception):
    """What the bootloader would print."""


@dataclasses.dataclass(frozen=True)
class AppImage:
    """A valid image; name, version and idf are empty when it has no application descriptor."""

    size: int
    segments: int
    name: str = ""
    version: str = ""
    idf: str = ""


def read_image(flash: FlashChip, at: int, room: int, image_id: int) -> AppImage:
    """The image at `at`, at most `room` bytes; ImageError when a chip of this id cannot run it."""
    try:
        return _read(flash, at, at + room, image_id)
    except FlashError:
        raise ImageError("image is not within the flash") from None


def _read(flash, start: int, limit: int, image_id: int) -> AppImage:
    head = flash.read(start, _HEAD_BYTES)
    magic, count, _, _, _, chip_id, hashed = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise ImageError(f"invalid header: 0x{int.from_bytes(head[:4], 'little'):08x}")
    if chip_id != image_id:
        raise ImageError(f"mismatch chip ID, expected {image_id}, found {chip_id}")
    if not 1 <= count <= _MAX_SEGMENTS:
        raise ImageError(f"invalid segment count {count}")
    at, total, first = start + _HEAD_BYTES, SEED, b""
    for index in range(count):
        _, size = struct.unpack("<II", flash.read(at, _SEGMENT_HEAD_BYTES))
        at += _SEGMENT_HEAD_BYTES
        if at + size > limit:
            raise ImageError(f"segment {index} is longer than the partition")
        segment = flash.read(at, size)
        first = first or segment
        total = checksum(segment, total)
        at += size
    at += 15 - (at - start) % 16  # the checksum is the last byte of a line of 16
    if flash.read(at, 1)[0] != total:
        raise ImageError("Checksum failed")
    at += 1
    if hashed:
        digest = hashlib.sha256(flash.read(start, at - start)).digest()
        if flash.read(at, _SHA256_BYTES) != digest:
            raise ImageError("Image hash failed - image is corrupt")
        at += _SHA256_BYTES
    return AppImage(at - start, count, *_description(first))


def _description(segment: bytes) -> tuple:
    """(name, version, version of ESP-IDF) of an esp_app_desc_t at the segment's start."""
    if len(segment) < _APP.size:
        return ()
    magic, _, version, name, _, _, idf = _APP.unpack_from(segment)
    if magic != _APP_MAGIC:
        return ()
    return tuple(
        field.split(b"\0")[0].decode("ascii", "replace") for field in (name, version, idf)
    )
