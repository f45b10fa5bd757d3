# SPDX-License-Identifier: MIT
"""HKDF-Expand with SHA-256 (RFC 5869 §2.3). Extract is done in the vault, never on a node."""

from node.crypto.hmac_sha256 import hmac_sha256


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes (at most 255 × 32) for `info`, from a pseudo-random key of 32 bytes."""
    if not 0 < length <= 255 * 32:
        raise ValueError("length")
    block = out = b""
    number = 1
    while len(out) < length:
        block = hmac_sha256(key, block + info + bytes((number,)))
        out += block
        number += 1
    return out[:length]
