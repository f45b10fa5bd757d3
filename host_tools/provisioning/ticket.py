# SPDX-License-Identifier: MIT
"""A node's ticket: the keys that it and its store hold, derived from a root that stays here.

seal_0, receipt, command = HKDF-SHA-256(root, no salt, label ‖ node id, 32 bytes)
"""

import dataclasses
import os
import re
import secrets

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
    """day0: the UTC day since 1970 that is epoch 0; seal: that of epoch 0. Keys of 32 bytes."""

    node_id: str
    day0: int
    seal: bytes
    receipt: bytes
    command: bytes


def make_ticket(root: bytes, node_id: str, day0: int) -> Ticket:
    """The ticket of a node whose epoch 0 is the UTC day `day0`."""
    if not is_node_id(node_id) or len(root) != 32:
        raise ValueError("not a node id, or not a root")
    return Ticket(node_id, day0, *(_derive(root, f"lp1 {key}{node_id}") for key in _KEYS))


_KEYS = ("seal", "receipt", "command")


def _derive(root: bytes, info: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=info.encode()).derive(root)
