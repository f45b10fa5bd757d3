# SPDX-License-Identifier: MIT
"""Builds an image as MicroPython's are built: bootloader, partition table, application."""

import hashlib
import struct

from host_tools.flashing.partition_table import APP, DATA, TABLE_AT, Partition, build_table

CHIPS = {"esp32": (0, 0x1000), "esp32c3": (5, 0), "esp32s3": (9, 0), "esp32c6": (13, 0)}
STOCK = (
    Partition("nvs", DATA, 0x02, 0x9000, 0x6000),
    Partition("phy_init", DATA, 0x01, 0xF000, 0x1000),
    Partition("factory", APP, 0x00, 0x10000, 0x1F0000),
)


def app_description(version: str, project: str = "micropython") -> bytes:
    """esp_app_desc_t, 256 bytes."""
    texts = (version, project, "12:00:00", "Jan  1 2026", "v5.5.1")
    fields = struct.pack("<II8x32s32s16s16s32s", 0xABCD5432, 0, *(t.encode() for t in texts))
    return fields.ljust(256, b"\0")


def image(chip_id: int, segments: list[bytes], flash_mib: int = 4, hashed: bool = True) -> bytes:
    """One image: head, segments, checksum, SHA-256."""
    size_code = flash_mib.bit_length() - 1
    head = struct.pack(
        "<BBBBI4xH8xBB", 0xE9, len(segments), 2, size_code << 4, 0x40080000, chip_id, 0, hashed
    )
    made, checksum = head[:23] + bytes((hashed,)), 0xEF
    for number, segment in enumerate(segments):
        segment = segment.ljust(-(-len(segment) // 4) * 4, b"\0")
        made += struct.pack("<II", 0x3F400000 + 0x10000 * number, len(segment)) + segment
        for byte in segment:
            checksum ^= byte
    made = made.ljust(len(made) // 16 * 16 + 15, b"\0") + bytes((checksum,))
    return made + hashlib.sha256(made).digest() if hashed else made


def micropython(
    chip: str = "esp32", version: str = "v1.26.1", size: int = 96_000, rows=STOCK,
    flash_mib: int = 4, project: str = "micropython", banner: bytes | None = None,
) -> bytes:  # fmt: skip
    """A combined image; size: bytes of the application, which do nothing and hardly compress."""
    chip_id, start = CHIPS[chip]
    body, block = b"", hashlib.sha256(version.encode()).digest()
    while len(body) < size:
        block = hashlib.sha256(block).digest()
        body += block
    banner = banner or f"MicroPython {version} on 2026-01-01\0".encode()
    app = image(chip_id, [app_description(version, project), banner + body], flash_mib)
    boot = image(chip_id, [b"bootloader".ljust(4000, b".")], flash_mib)
    app_at = next(row.at for row in rows if row.kind == APP)
    whole = boot.ljust(TABLE_AT - start, b"\xff") + build_table(rows)
    return whole.ljust(app_at - start, b"\xff") + app
