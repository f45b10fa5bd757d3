# SPDX-License-Identifier: MIT
"""The partition table of an ESP32's flash (ESP-IDF, API guides, "Partition Tables"): rows of 32
bytes, then the MD5 of them."""

import dataclasses
import hashlib
import itertools
import struct

TABLE_AT = 0x8000  # ESP-IDF's default, which MicroPython keeps
TABLE_BYTES = 0x1000  # a sector; rows may fill 0xC00 of it
SECTOR_BYTES = 4096
APP, DATA = 0, 1
FACTORY, OTA_0 = 0x00, 0x10  # subtypes of APP
OTA_DATA, NVS, FAT = 0x00, 0x02, 0x81  # subtypes of DATA
_ROW = struct.Struct("<2sBBII16sI")
_ROWS_MAX = 0xC00 // _ROW.size - 1  # one is the MD5's
_MAGIC, _MD5_MAGIC = b"\xaa\x50", b"\xeb\xeb" + b"\xff" * 14


@dataclasses.dataclass(frozen=True)
class Partition:
    """One row; at, size: bytes of the flash."""

    label: str
    kind: int
    subtype: int
    at: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        return self.at + self.size


def parse_table(data: bytes) -> tuple[Partition, ...] | None:
    """The rows of a table; None when it is none, or its MD5 is not that of its rows."""
    rows = []
    for at in range(0, len(data) - _ROW.size + 1, _ROW.size):
        row = data[at : at + _ROW.size]
        if row[:16] == _MD5_MAGIC:
            return tuple(rows) if rows and row[16:] == _md5(data[:at]) else None
        magic, kind, subtype, offset, size, label, flags = _ROW.unpack(row)
        if magic != _MAGIC or not size:
            return None
        name = label.rstrip(b"\0").decode("ascii", "replace")
        rows.append(Partition(name, kind, subtype, offset, size, flags))
    return None


def build_table(rows: tuple[Partition, ...]) -> bytes:
    """A sector with these rows. ValueError when they are too many, or overlap."""
    ordered = sorted(rows, key=lambda row: row.at)
    if len(rows) > _ROWS_MAX or any(a.end > b.at for a, b in itertools.pairwise(ordered)):
        raise ValueError("too many partitions, or some overlap")
    data = b"".join(
        _ROW.pack(_MAGIC, row.kind, row.subtype, row.at, row.size, row.label.encode(), row.flags)
        for row in rows
    )
    return (data + _MD5_MAGIC + _md5(data)).ljust(TABLE_BYTES, b"\xff")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
