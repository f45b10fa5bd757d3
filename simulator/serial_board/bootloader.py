# SPDX-License-Identifier: MIT
"""What a board does between its reset and its application: bootloader, partition table, image.

boot(chip, flash) ─▶ Boot: the lines that it prints, and the partitions when an app was found
"""

import dataclasses
import hashlib
import struct
import zlib

from simulator.serial_board.app_image import AppImage, ImageError, read_image
from simulator.serial_board.chips import Chip
from simulator.serial_board.flash_chip import SECTOR_BYTES, FlashChip

TABLE_AT, TABLE_BYTES = 0x8000, 0xC00
_ENTRY = struct.Struct("<2sBBII16sI")
_ENTRY_MAGIC, _MD5_MAGIC, _END = b"\xaa\x50", b"\xeb\xeb", b"\xff\xff"
_APP, _DATA = 0, 1
_FACTORY, _OTA_0, _OTA_LAST = 0x00, 0x10, 0x1F
_OTA_DATA = 0x00
_INVALID, _ABORTED = 3, 4  # states of an OTA entry
_NO_TABLE = "E (44) boot: Failed to verify partition table"


class TableError(Exception):
    """What the bootloader would print."""


@dataclasses.dataclass(frozen=True)
class Partition:
    """A row of the table; at, size: bytes of the flash."""

    label: str
    kind: int
    subtype: int
    at: int
    size: int


@dataclasses.dataclass(frozen=True)
class Boot:
    """lines: what the board prints; partitions: {label: Partition}, None when nothing can run."""

    lines: list[str]
    partitions: dict[str, Partition] | None = None
    app: AppImage | None = None


def parse_table(data: bytes) -> list[Partition]:
    """The partitions of a table; TableError when it is none, or not what its MD5 says."""
    rows = []
    for at in range(0, len(data), _ENTRY.size):
        entry = data[at : at + _ENTRY.size]
        magic = entry[:2]
        if magic == _END:
            break
        if magic == _MD5_MAGIC:
            digest = hashlib.md5(data[:at], usedforsecurity=False).digest()
            if entry[16:] != digest:
                raise TableError("partition table: MD5 mismatch")
            break
        if magic != _ENTRY_MAGIC or len(entry) < _ENTRY.size:
            raise TableError(f"partition {len(rows)} invalid magic number 0x{magic[::-1].hex()}")
        _, kind, subtype, offset, size, label, _flags = _ENTRY.unpack(entry)
        name = label.split(b"\0")[0].decode("ascii", "replace")
        rows.append(Partition(name, kind, subtype, offset, size))
    if not rows:
        raise TableError("partition table: no entry")
    return rows


def boot(chip: Chip, flash: FlashChip) -> Boot:
    """Looks for an application as the ROM and the bootloader do."""
    lines = []
    try:
        read_image(flash, chip.bootloader_at, TABLE_AT - chip.bootloader_at, chip.image_id)
    except ImageError as err:
        return Boot([str(err)])
    try:
        table = parse_table(flash.read(TABLE_AT, TABLE_BYTES))
    except TableError as err:
        lines.append(f"E (40) flash_parts: {err}")
        return Boot([*lines, _NO_TABLE])
    lines.append("I (40) boot: Partition Table:")
    lines.append("I (41) boot: ## Label            Usage          Type ST Offset   Length")
    for number, row in enumerate(table):
        usage = "app" if row.kind == _APP else "data"
        lines.append(
            f"I (42) boot: {number:2} {row.label:16} {usage:14} "
            f"{row.kind:02x} {row.subtype:02x} {row.at:08x} {row.size:08x}"
        )
        if row.at % SECTOR_BYTES or row.size % SECTOR_BYTES:
            lines.append(f"E (43) flash_parts: partition {number} invalid - not of whole sectors")
            return Boot([*lines, _NO_TABLE])
        if row.at + row.size > flash.size:
            lines.append(
                f"E (43) flash_parts: partition {number} invalid - offset 0x{row.at:x} size "
                f"0x{row.size:x} exceeds flash chip size 0x{flash.size:x}"
            )
            return Boot([*lines, _NO_TABLE])
    lines.append("I (45) boot: End of partition table")
    return _load(chip, flash, table, lines)


def _load(chip: Chip, flash: FlashChip, table: list, lines: list) -> Boot:
    """Takes the first application that is whole, as OTA data says; else the others."""
    for row in _candidates(flash, table):
        try:
            app = read_image(flash, row.at, row.size, chip.image_id)
        except ImageError as err:
            lines.append(f"E (50) esp_image: {err}")
            lines.append(f"E (51) boot: OTA app partition slot {row.label} is not bootable")
            continue
        lines.append(f"I (60) boot: Loaded app from partition at offset 0x{row.at:x}")
        if app.name:
            lines.append(f"I (61) app_init: Project name:     {app.name}")
            lines.append(f"I (62) app_init: App version:      {app.version}")
            lines.append(f"I (63) app_init: ESP-IDF:          {app.idf}")
        return Boot(lines, {part.label: part for part in table}, app)
    return Boot([*lines, "E (52) boot: No bootable app partitions in the partition table"])


def _candidates(flash: FlashChip, table: list) -> list[Partition]:
    """The application partitions, in the order in which the bootloader tries them."""
    apps = [row for row in table if row.kind == _APP]
    slots = [row for row in apps if _OTA_0 <= row.subtype <= _OTA_LAST]
    slots.sort(key=lambda row: row.subtype)
    factory = [row for row in apps if row.subtype == _FACTORY]
    chosen = _ota_slot(flash, table, len(slots)) if slots else None
    if chosen is None:
        return factory + slots
    return [*slots[chosen::-1], *factory, *slots[:chosen:-1]]


def _ota_slot(flash: FlashChip, table: list, count: int) -> int | None:
    """The slot that OTA data names, by its newest valid entry."""
    newest = 0
    for row in table:
        if (row.kind, row.subtype) != (_DATA, _OTA_DATA):
            continue
        for at in (row.at, row.at + SECTOR_BYTES):
            sequence, state, crc = struct.unpack("<I20xII", flash.read(at, 32))
            valid = crc == zlib.crc32(sequence.to_bytes(4, "little"), 0xFFFF_FFFF)
            if valid and sequence != 0xFFFF_FFFF and state not in (_INVALID, _ABORTED):
                newest = max(newest, sequence)
    return (newest - 1) % count if newest else None
