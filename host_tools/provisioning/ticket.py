# SPDX-License-Identifier: MIT
"""A node's ticket: the keys that it and its store hold, derived from a root that stays here.

seal_0, receipt, command = HKDF-SHA-256(root, no salt, label ‖ node id, 32 bytes)
root of a masked stream's tree = HKDF-SHA-256(root, no salt, "lp1 mask NNN" ‖ node id, 16 bytes)
"""

import dataclasses
import os
import re
import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, lower case
_NODE_ID = re.compile(f"[{_ALPHABET}]{{10}}")


def new_node_id() -> str:
    """10 random characters, never derived from a MAC or serial number."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def is_node_id(text: str) -> bool:
    return _NODE_ID.fullmatch(text) is not None


def new_root() -> bytes:
    """32 random bytes from which all keys of one node are derived."""
    return os.urandom(32)


@dataclasses.dataclass(frozen=True, repr=False)  # no key in a log or a traceback
class Ticket:
    """day0: the UTC day since 1970 that is epoch 0; seal: that of epoch 0. Keys of 32 bytes.
    masks: {number of a masked stream: the root of its tree, 16 bytes}."""

    node_id: str
    day0: int
    seal: bytes
    receipt: bytes
    command: bytes
    masks: dict[int, bytes] = dataclasses.field(default_factory=dict)


def make_ticket(root: bytes, node_id: str, day0: int, masked: Iterable[int] = ()) -> Ticket:
    """The ticket of a node whose epoch 0 is the UTC day `day0`; masked: the numbers of the streams
    that its policy masks."""
    if not is_node_id(node_id) or len(root) != 32:
        raise ValueError("not a node id, or not a root")
    keys = (_derive(root, f"lp1 {key}{node_id}") for key in _KEYS)
    return Ticket(node_id, day0, *keys, {n: mask_root(root, node_id, n) for n in masked})


def mask_root(root: bytes, node_id: str, stream: int) -> bytes:
    """The root (16 bytes) of the tree that masks a stream of this number."""
    return _derive(root, f"lp1 mask {stream:03}{node_id}", 16)


_KEYS = ("seal", "receipt", "command")


def _derive(root: bytes, info: str, length: int = 32) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=info.encode()).derive(root)
