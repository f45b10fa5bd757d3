# SPDX-License-Identifier: MIT
"""A MicroPython image as it is downloaded: bootloader, partition table, application in one file.

It is checked whole before a board is touched: a truncated file, or that of another chip, would
leave a board that does not start. Format: esptool's documentation, "Firmware Image Format".
"""

import dataclasses
import hashlib
import re
import struct
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.flashing.partition_table import (
    APP,
    FACTORY,
    OTA_0,
    TABLE_AT,
    TABLE_BYTES,
    Partition,
    parse_table,
)  # fmt: skip

# Chip id in an image's head: name, as in board.json; where its bootloader lies.
CHIPS = {0: ("esp32", 0x1000), 5: ("esp32c3", 0), 9: ("esp32s3", 0), 13: ("esp32c6", 0)}
_OTHERS = {2: "esp32s2", 12: "esp32c2", 16: "esp32h2", 18: "esp32p4", 23: "esp32c5"}
_HEAD = struct.Struct("<BBBBI4xH9xB")  # magic, segments, mode, size; entry; chip; hash appended
_MAGIC, _SEGMENTS_MAX, _CHECKSUM_SEED = 0xE9, 16, 0xEF
_APP_MAGIC = 0xABCD5432
_APP = struct.Struct("<I12x32s32s")  # esp_app_desc_t: magic, version, project name
_APP_AT = 32  # behind the heads of the image and its first segment
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_BANNER = re.compile(rb"MicroPython v(\d+)\.(\d+)")
_SMALLEST_MIB, _LARGEST_CODE = 1, 7
_GET = "download it again from micropython.org/download: the .bin file for this chip"


@dataclasses.dataclass(frozen=True)
class EspImage:
    """start: where `data` begins in the flash; flash_bytes: for how large a flash it was made;
    app: the partition of its application; version: MicroPython's (major, minor)."""

    chip: str
    version: tuple[int, int]
    flash_bytes: int
    start: int
    data: bytes
    table: tuple[Partition, ...]
    app: Partition

    @property
    def sha256(self) -> str:
        """In hex: what a city notes, and gives as --sha256 the next time."""
        return hashlib.sha256(self.data).hexdigest()

    def part(self, at: int, end: int) -> bytes:
        """What the image has between two places of the flash, without the blank at its end."""
        return self.data[at - self.start : end - self.start].rstrip(b"\xff")


def read_image(path: Path, sha256: str | None = None) -> EspImage:
    """The image in a file; sha256: what it must have, in hex. ToolError when it is not whole, or
    not MicroPython."""
    try:
        data = Path(path).read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "give the image with --firmware") from err
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise ToolError(f"{path} does not have the SHA-256 of --sha256", _GET)
    return parse_image(data, str(path))


def parse_image(data: bytes, name: str) -> EspImage:
    """As read_image(), of bytes that messages call `name`."""
    if len(data) < _HEAD.size or data[0] != _MAGIC:
        raise ToolError(f"{name} is no image for an ESP32", _GET)
    size_code, chip_id = data[3] >> 4, _HEAD.unpack_from(data)[5]
    if chip_id not in CHIPS:
        chip = _OTHERS.get(chip_id, f"the chip {chip_id}")
        raise ToolError(f"{name} is for {chip}, which no board of Lamppost has", _GET)
    chip, start = CHIPS[chip_id]
    table_at = TABLE_AT - start
    table = parse_table(data[table_at : table_at + TABLE_BYTES])
    if table is None:
        if data[_APP_AT : _APP_AT + 4] == _APP_MAGIC.to_bytes(4, "little"):
            raise ToolError(f"{name} is an application alone (.app-bin)", _GET)
        raise ToolError(f"{name} has no partition table at {TABLE_AT:#x}: it is not whole", _GET)
    _check(data[:table_at], chip_id, f"{name}: its bootloader")
    app = _app_of(table, name)
    app_data = data[app.at - start : app.end - start]
    _check(app_data, chip_id, f"{name}: its application")
    if size_code > _LARGEST_CODE:
        raise ToolError(f"{name} does not tell the size of the flash", _GET)
    flash_bytes = _SMALLEST_MIB << 20 + size_code
    version = _version(app_data, name)
    return EspImage(chip, version, flash_bytes, start, data, table, app)


def _app_of(table: tuple[Partition, ...], name: str) -> Partition:
    for subtype in (FACTORY, OTA_0):
        for row in table:
            if (row.kind, row.subtype) == (APP, subtype):
                return row
    raise ToolError(f"{name} has no partition for an application", _GET)


def _check(data: bytes, chip_id: int, what: str):
    """ToolError unless an image begins here: head, segments, checksum and hash."""
    broken = ToolError(f"{what} is truncated or damaged", _GET)
    try:
        magic, count, _, _, _, its_chip, hashed = _HEAD.unpack_from(data)
        if magic != _MAGIC or not 0 < count <= _SEGMENTS_MAX:
            raise broken
        at, checksum = _HEAD.size, _CHECKSUM_SEED
        for _ in range(count):
            _, size = struct.unpack_from("<II", data, at)
            segment = data[at + 8 : at + 8 + size]
            if len(segment) < size:
                raise broken
            for unit in _folded(segment):
                checksum ^= unit
            at += 8 + size
        at |= 15  # the checksum is the last byte of a line of 16
        if data[at] != checksum:
            raise broken
    except (struct.error, IndexError):
        raise broken from None
    end = at + 1
    if hashed and data[end : end + 32] != hashlib.sha256(data[:end]).digest():
        raise broken
    if its_chip != chip_id:
        raise ToolError(f"{what} is for another chip than its bootloader", _GET)


def _folded(segment: bytes) -> bytes:
    """A few bytes with the same XOR: a loop over each byte of an image takes a second."""
    length = 4096
    number = 0
    for at in range(0, len(segment), length):
        number ^= int.from_bytes(segment[at : at + length].ljust(length, b"\0"), "little")
    return number.to_bytes(length, "little")


def _version(app: bytes, name: str) -> tuple[int, int]:
    magic, version, project = _APP.unpack_from(app, _APP_AT)
    if magic == _APP_MAGIC and project.rstrip(b"\0") == b"micropython":
        told = _VERSION.match(version.decode("ascii", "replace"))
        if told:
            return int(told[1]), int(told[2])
    told = _BANNER.search(app)
    if not told:
        raise ToolError(f"{name} is not MicroPython", _GET)
    return int(told[1]), int(told[2])
