# SPDX-License-Identifier: MIT
"""host_tools/flashing/node_on_flash: what comes from a board that somebody had in hand is not
believed. Whole updates: tests/simulated_node/test_firmware_update.py."""

import hashlib
import struct
import tracemalloc
import zlib

import cbor2
import pytest

from host_tools.errors import ToolError
from host_tools.flashing.copy_on_flash import _HEAD, _MAGIC, pack_copy
from host_tools.flashing.node_on_flash import read_node
from host_tools.provisioning.kit import load_board
from host_tools.provisioning.node_flash import BLOCK_BYTES, CODE_BLOCKS, flash_image
from tests.host_tools.prepared_fixture import WIFI, make_parts

BOARD = load_board("esp32-devkitc")
COPY_AT = 200 * BLOCK_BYTES
# Tags of LittleFS, see its SPEC.md
CRC, DIR_STRUCT, CTZ_STRUCT = 0x500, 0x200, 0x202


@pytest.fixture(scope="module")
def configuration():
    files = make_parts("air", "0123456789", bytes(32)).files(WIFI, BOARD)
    return {"lp/" + name: data for name, data in files.items()}


def with_copy(copy: bytes) -> bytes:
    partition = bytearray(flash_image({"boot.py": b"x"}, CODE_BLOCKS))
    partition[COPY_AT : COPY_AT + len(copy)] = copy
    return bytes(partition)


def refused(partition: bytes):
    with pytest.raises(ToolError, match="P: its configuration cannot be read"):
        read_node(partition, BOARD, "P")


def test_a_copy_counts(configuration):
    node = read_node(with_copy(pack_copy(configuration)), BOARD, "P")
    assert (node.configuration, node.copy_at) == (configuration, COPY_AT)


@pytest.mark.parametrize("more", [
    {"node/app.mpy": b"planted"}, {"time.py": b"planted"}, {"lp/../boot.py": b"planted"},
    {"lp/": b""}, {"lp/more": "text"}, {5: b""},
], ids=str)  # fmt: skip
def test_a_copy_with_more_than_configuration_is_refused(configuration, more):
    refused(with_copy(pack_copy({**configuration, **more})))


@pytest.mark.parametrize("body", [
    b"\xff", b"\x81" * 5000 + b"\x00", b"\x9b\x00\x00\x00\x7f\xff\xff\xff\xff", cbor2.dumps([1]),
], ids=["no CBOR", "deep", "long", "a list"])  # fmt: skip
def test_a_copy_that_says_something_else_is_refused(body):
    head = _HEAD.pack(_MAGIC, len(body), hashlib.sha256(body).digest())
    refused(with_copy(head + body))


def test_a_document_deeper_than_can_be_read_is_refused(configuration):
    deep = {**configuration, "lp/config.json": b"[" * 100_000}
    refused(flash_image(deep, CODE_BLOCKS))


@pytest.mark.parametrize(("extra", "kind", "says"), [
    ({"z.bin": bytes(20_000)}, CTZ_STRUCT, (None, 900 << 20)),
    ({"z/x": b"1"}, DIR_STRUCT, (0, 1)),
], ids=["a file larger than the flash", "a folder in itself"])  # fmt: skip
def test_a_file_system_that_cannot_be_is_refused(configuration, extra, kind, says):
    partition = bytearray(flash_image({**configuration, **extra}, CODE_BLOCKS))
    assert read_node(bytes(partition), BOARD, "P").configuration == configuration
    assert sum(rewrite(partition, block, kind, says) for block in (0, 1)), "nothing was crafted"
    tracemalloc.start()
    try:
        refused(bytes(partition))
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def rewrite(partition: bytearray, block: int, kind: int, says: tuple) -> int:
    """Puts two numbers (None: as it was) in place of those of the entries of this kind that are
    in a metadata block, with its checksums made anew. Returns how many it has changed."""
    base = block * BLOCK_BYTES
    at, begin, crc, tag, count = base + 4, base, 0xFFFFFFFF, 0xFFFFFFFF, 0
    while at < base + BLOCK_BYTES:
        tag ^= struct.unpack_from(">I", partition, at)[0]
        if tag & 0x80000000:
            break
        type3, size = tag >> 20 & 0x7FF, tag & 0x3FF
        size = 0 if size == 0x3FF else size
        at += 4
        if type3 & 0x780 == CRC:
            crc = crc32(partition[begin:at], crc)
            struct.pack_into("<I", partition, at, crc)
            begin, crc, tag = at + size, 0xFFFFFFFF, tag ^ (type3 & 1) << 31
        elif type3 == kind:
            were = struct.unpack_from("<II", partition, at)
            now = [old if new is None else new for old, new in zip(were, says, strict=True)]
            struct.pack_into("<II", partition, at, *now)
            count += 1
        at += size
    return count


def crc32(data: bytes, crc: int) -> int:
    """As LittleFS has it: without the last inversion."""
    return zlib.crc32(data, crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
