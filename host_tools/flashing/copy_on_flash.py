# SPDX-License-Identifier: MIT
"""A copy of a node's configuration on its own flash, for the time in which `vfs` is replaced.

    vfs   ┌─ what is written anew ─┬─ the copy ─┬─ what is written anew ─┐
          └────────────────────────┴────────────┴────────────────────────┘

The copy lies in blocks that are blank in what was there and in what comes. It is written first and
erased last, so that at every moment the whole configuration can be read: the file system, or the
copy. A file system whose write was interrupted may still mount, and give wrong bytes: so where
there is a whole copy it counts. No key and no password leaves the board for a disk that way.

    "lp1 copy", length (4 bytes, big endian), SHA-256, {path: content} in deterministic CBOR, 0xff…
"""

import hashlib
import struct

import cbor2

from host_tools.errors import ToolError
from host_tools.provisioning.node_flash import BLOCK_BYTES

_MAGIC = b"lp1 copy"
_HEAD = struct.Struct(">8sI32s")


def pack_copy(files: dict[str, bytes]) -> bytes:
    """Whole blocks that hold these files."""
    body = cbor2.dumps(files, canonical=True)
    data = _HEAD.pack(_MAGIC, len(body), hashlib.sha256(body).digest()) + body
    return data.ljust(-(-len(data) // BLOCK_BYTES) * BLOCK_BYTES, b"\xff")


def find_copy(partition: bytes) -> tuple[int, dict[str, bytes]] | None:
    """(where it begins, {path: content}) of the first copy that is whole; None without one."""
    for at in range(0, len(partition), BLOCK_BYTES):
        if not partition.startswith(_MAGIC, at):
            continue
        _, size, digest = _HEAD.unpack_from(partition, at)
        body = partition[at + _HEAD.size : at + _HEAD.size + size]
        if len(body) == size and hashlib.sha256(body).digest() == digest:
            return at, cbor2.loads(body)
    return None


def place_copy(size: int, *images: bytes) -> int:
    """Where `size` bytes are blank in all images. ToolError when they are nowhere."""
    blank = b"\xff" * size
    for at in range(0, len(images[0]) - size + 1, BLOCK_BYTES):
        if all(image[at : at + size] == blank for image in images):
            return at
    message = "the code leaves no room on the board for a copy of its configuration"
    raise ToolError(message, "flash it with the node's ticket: lamppost flash")
