# SPDX-License-Identifier: MIT
"""Reads and changes what lies on a simulated board's flash, while the board is off or at rest.

The outbox is read here a second time, from its description in node/pipeline/outbox.py, so that
what a node has sealed is known from its flash and not from its own word.
"""

import binascii
import dataclasses
import os
from pathlib import Path

from littlefs import LittleFS, LittleFSError

from host_tools.provisioning.node_flash import BLOCK_BYTES

_OUTBOX = "outbox"
_SEGMENT_HEAD, _ENTRY_HEAD = 8, 6
FILLER = "filler"
_FREE_BLOCKS_USED = 2  # of the filler itself: its directory entry


@dataclasses.dataclass(frozen=True)
class OutboxImage:
    """log: its name; envelopes: {number: bytes} of all that can be read; newest: the last number
    that was given."""

    log: bytes
    envelopes: dict[int, bytes]
    newest: int


class Image:
    """A LittleFS in an image file; LittleFSError when it is damaged. save() writes it back."""

    def __init__(self, path: Path):
        self.path = path
        data = path.read_bytes()
        self.fs = LittleFS(
            block_size=BLOCK_BYTES, block_count=len(data) // BLOCK_BYTES, read_size=32,
            prog_size=32, cache_size=128, lookahead_size=32, mount=False,
        )  # fmt: skip
        self.fs.context.buffer = bytearray(data)
        self.fs.mount()

    def read(self, name: str) -> bytes | None:
        try:
            with self.fs.open(name, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes):
        with self.fs.open(name, "wb") as file:
            file.write(data)

    def save(self):
        self.fs.unmount()
        self.path.write_bytes(bytes(self.fs.context.buffer))

    def fill(self, free_kib: int):
        """Writes a file that leaves about `free_kib`."""
        blocks = len(self.fs.context.buffer) // BLOCK_BYTES - self.fs.used_block_count
        size = (blocks - _FREE_BLOCKS_USED) * BLOCK_BYTES - free_kib * 1024
        try:
            self.write(FILLER, os.urandom(max(0, size)))
        except LittleFSError:
            self.fs.remove(FILLER)
            self.write(FILLER, os.urandom(max(0, size - 8 * BLOCK_BYTES)))

    def empty(self):
        """Takes the filler away."""
        if FILLER in self.fs.listdir("/"):
            self.fs.remove(FILLER)


def read_outbox(path: Path) -> OutboxImage | None:
    """The outbox in a data image; None when there is none, or it is damaged."""
    try:
        image = Image(path)
        log = image.read(f"{_OUTBOX}/log")
        names = sorted(name for name in image.fs.listdir(f"/{_OUTBOX}") if len(name) == 8)
        segments = [(int(name, 16), image.read(f"{_OUTBOX}/{name}")) for name in names]
    except (LittleFSError, OSError):
        return None
    if log is None:
        return None
    envelopes, newest = {}, 0
    for first, data in segments:
        number, at = first, _SEGMENT_HEAD
        while at + _ENTRY_HEAD < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            crc = int.from_bytes(data[at + 2 : at + _ENTRY_HEAD], "big")
            envelope = data[at + _ENTRY_HEAD : at + _ENTRY_HEAD + length]
            if not length or len(envelope) < length:
                break
            if binascii.crc32(envelope) == crc:
                envelopes[number] = envelope
            newest = number
            number, at = number + 1, at + _ENTRY_HEAD + length
    return OutboxImage(log, envelopes, newest)


def write_policy(flash: Path, policy: bytes):
    """Puts a signed policy where provisioning puts it."""
    image = Image(flash)
    image.write("policy", policy)
    image.save()
