# SPDX-License-Identifier: MIT
"""What a build of MicroPython for an ESP32 is made of, as small as it can be: images with head,
segments, application descriptor, checksum and SHA-256; a partition table with its MD5.

https://docs.espressif.com/projects/esp-idf/en/stable/esp32/api-reference/system/app_image_format.html
"""

import functools
import hashlib
import operator
import random
import struct

APP, DATA = 0, 1
NVS, FACTORY, LITTLEFS = 0x02, 0x00, 0x83


def app_image(chip_id: int, size: int = 4096, seed: int = 1) -> bytes:
    """An application of about `size` bytes that do not compress."""
    text = (b"v1.2.3", b"micropython", b"12:00:00", b"Nov 29 2026", b"v5.4.1")
    description = struct.pack("<II8x32s32s16s16s32s32s80x", 0xABCD5432, 0, *text, bytes(32))
    assert len(description) == 256
    segments = [
        (0x3F40_0020, description + random.Random(seed).randbytes(size)),
        (0x4008_0000, bytes(range(64))),
    ]
    head = struct.pack("<BBBBI", 0xE9, len(segments), 2, 0x20, 0x4008_0000)
    head += struct.pack("<B3xHBHH4xB", 0xEE, chip_id, 0, 0, 0xFFFF, 1)
    image = head + b"".join(struct.pack("<II", at, len(data)) + data for at, data in segments)
    checksum = functools.reduce(operator.xor, b"".join(data for _, data in segments), 0xEF)
    image += bytes(15 - len(image) % 16) + bytes((checksum,))
    return image + hashlib.sha256(image).digest()


def partition_table(*rows: tuple) -> bytes:
    """rows: (label, type, subtype, offset, size)."""
    table = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, at, size, label.encode(), 0)
        for label, kind, subtype, at, size in rows
    )
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    return table.ljust(0xC00, b"\xff")


def flash_content(bootloader_at: int, chip_id: int, node=None) -> dict[int, bytes]:
    """{offset: bytes} of what is flashed. node: the folder of its flash.img, data.img, nvs.img."""
    app = app_image(chip_id)
    rows = [("nvs", DATA, NVS, 0x9000, 0x6000), ("factory", APP, FACTORY, 0x10000, 0x10000)]
    content = {bootloader_at: app_image(chip_id, 512), 0x10000: app}
    if node is not None:
        for label, name, at in (("vfs", "flash", 0x200000), ("lpdata", "data", 0x300000)):
            content[at] = (node / f"{name}.img").read_bytes()
            rows.append((label, DATA, LITTLEFS, at, len(content[at])))
        content[0x9000] = (node / "nvs.img").read_bytes()
    content[0x8000] = partition_table(*rows)
    return content


def write_flash(path, content: dict[int, bytes], size: int):
    """The flash of a board as it lies there after flashing."""
    flash = bytearray(b"\xff" * size)
    for at, data in content.items():
        flash[at : at + len(data)] = data
    path.write_bytes(flash)
