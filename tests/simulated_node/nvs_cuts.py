# SPDX-License-Identifier: MIT
"""For the tests of NVS: images of a flash, every power cut of an action, raw bytes read without
the code under test, and `esp32` as a board has it."""

import struct
from types import SimpleNamespace

from simulator.world.flash import BLOCK_BYTES, TORN, Flash, PowerCut
from simulator.world.nvs import NvsPartition

INVALID_LENGTH = -0x110C


def image_of(flash: Flash) -> bytes:
    data = bytearray(flash.blocks * BLOCK_BYTES)
    flash.read_into(0, data)
    return bytes(data)


def flash_of(image: bytes) -> Flash:
    flash = Flash(blocks=len(image) // BLOCK_BYTES)
    for block in range(flash.blocks):
        flash.program(block * BLOCK_BYTES, image[block * BLOCK_BYTES :][:BLOCK_BYTES])
    flash.operations = 0
    return flash


def each_cut(image: bytes, action, every: int = 1):
    """Yields (where, the image that it leaves) for a cut at every operation of `action(flash)`;
    with every=N, at every erase and at each N-th of the others."""
    flash = flash_of(image)
    erases = set()
    erase = flash.erase
    flash.erase = lambda block: (erases.add(flash.operations + 1), erase(block))
    action(flash)
    for after in range(1, flash.operations + 1):
        if after % every and after not in erases:
            continue
        for torn in TORN:
            flash = flash_of(image)
            flash.cut(after, torn)
            try:
                action(flash)
            except PowerCut:
                yield (after, torn), image_of(flash)


def entries(image: bytes):
    """Yields (block, entry, its state, its 32 bytes) of all pages with a header."""
    for block in range(len(image) // BLOCK_BYTES):
        page = image[block * BLOCK_BYTES :][:BLOCK_BYTES]
        if page[:4] == b"\xff\xff\xff\xff":
            continue
        for i in range(126):
            yield block, i, page[32 + i // 4] >> i % 4 * 2 & 3, page[64 + i * 32 :][:32]


def is_lost_at_start(image: bytes, key: str) -> bool:
    """Whether ESP-IDF will take the old data of a blob for what was to be erased: the last item of
    the active page is new data without an index, and old data is on the page."""
    pages = []
    for block in range(len(image) // BLOCK_BYTES):
        state, sequence = struct.unpack("<II", image[block * BLOCK_BYTES :][:8])
        if state in (0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8):
            pages.append((sequence, state, block))
    last = max(pages, default=None)
    if not last or last[1] != 0xFFFFFFFE:
        return False
    used = [(i, state, raw) for block, i, state, raw in entries(image)
            if block == last[2] and (state != 3 or raw[:4] != b"\xff" * 4)]  # fmt: skip
    heads, skip = [], 0
    for i, state, raw in used:
        if i < skip:
            continue
        if state != 2:
            heads.append(None)
            continue
        heads.append(raw)
        if raw[1] == 0x42:
            skip = i + raw[2]
            if [s for k, s, _ in used if i <= k < skip] != [2] * raw[2]:
                heads[-1] = None
    name = key.encode().ljust(16, b"\0")
    mine = [raw for raw in heads if raw and raw[1] == 0x42 and raw[8:24] == name]
    return len(mine) > 1 and heads[-1] is mine[-1]


def board(flash: Flash) -> SimpleNamespace:
    """`esp32` of a board with this flash that has just started: what is set is written at once,
    and commit() has nothing left to do (ports/esp32/esp32_nvs.c, nvs_handle_simple.cpp)."""
    partition = NvsPartition(flash)

    class NVS:
        def __init__(self, namespace):
            self.namespace = namespace

        def set_i32(self, key, value):
            partition.set(self.namespace, key, "i32", value)

        def get_i32(self, key):
            return partition.get(self.namespace, key, "i32")

        def set_blob(self, key, value):
            partition.set(self.namespace, key, "blob", bytes(value))

        def get_blob(self, key, buffer):
            value = partition.get(self.namespace, key, "blob")
            if len(value) > len(buffer):
                raise OSError(INVALID_LENGTH)
            buffer[: len(value)] = value
            return len(value)

        def erase_key(self, key):
            partition.erase_key(self.namespace, key)

        def commit(self):
            pass

    class Partition:
        TYPE_APP, TYPE_DATA = 0, 1

        @staticmethod
        def find(type=1, subtype=0xFF, label=None, block_size=4096):
            return [Partition()] if (type, label) == (1, "nvs") else []

        def info(self):
            return 1, 2, 0x9000, flash.blocks * BLOCK_BYTES, "nvs", False

        def readblocks(self, block, buf, offset=0):
            flash.read_into(block * BLOCK_BYTES + offset, buf)

    return SimpleNamespace(NVS=NVS, Partition=Partition, partition=partition)
