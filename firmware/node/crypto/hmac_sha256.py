# SPDX-License-Identifier: MIT
"""HMAC-SHA-256 (RFC 2104, FIPS 198-1). Stock MicroPython has SHA-256 and no hmac."""

import hashlib

_BLOCK = 64
_INNER = bytes([0x36] * _BLOCK)
_OUTER = bytes([0x5C] * _BLOCK)


def _padded(key: bytes, pad: bytes) -> bytes:
    mixed = int.from_bytes(key, "big") << 8 * (_BLOCK - len(key))
    return (mixed ^ int.from_bytes(pad, "big")).to_bytes(_BLOCK, "big")


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """The 32-byte MAC of `message` under `key` (any length)."""
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    inner = hashlib.sha256(_padded(key, _INNER))
    inner.update(message)
    outer = hashlib.sha256(_padded(key, _OUTER))
    outer.update(inner.digest())
    return outer.digest()


def equal(a: bytes, b: bytes) -> bool:
    """Compares two MACs in a time that does not depend on where they differ."""
    difference = len(a) ^ len(b)
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0
