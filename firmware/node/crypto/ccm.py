# SPDX-License-Identifier: MIT
"""AES-CCM (RFC 3610, NIST SP 800-38C) with a 13-byte nonce and a 16-byte tag.

A stock ESP32 offers AES in ECB and CBC only. CCM runs at the speed of that C code: the tag is the
last block of one zero-IV CBC call, the key stream one ECB call over all counter blocks. Both write
over their input, as memory is short.
"""

import cryptolib

from node.crypto.hmac_sha256 import equal
from node.errors import OpenError

_ECB = 1
_CBC = 2
_TAG = 16
_NONCE = 13
_ZERO_IV = bytes(16)
_PIECE = 64


def _tag(key: bytes, nonce: bytes, aad: bytes, text: bytes) -> bytes:
    head = 18 + len(aad)
    head += -head % 16
    blocks = bytearray(head + len(text) + -len(text) % 16)
    # B0 flags: AAD present (0x40), M = 16 → (16 - 2) / 2 << 3, L = 2 → L - 1.
    blocks[0] = 0x79
    blocks[1:14] = nonce
    blocks[14:16] = len(text).to_bytes(2, "big")
    blocks[16:18] = len(aad).to_bytes(2, "big")
    blocks[18 : 18 + len(aad)] = aad
    blocks[head : head + len(text)] = text
    cryptolib.aes(key, _CBC, _ZERO_IV).encrypt(blocks, blocks)
    return blocks[-16:]


def _key_stream(key: bytes, nonce: bytes, length: int) -> bytearray:
    count = (length + 31) // 16
    blocks = bytearray((b"\x01" + nonce + b"\0\0") * count)
    for i in range(1, count):
        blocks[16 * i + 14] = i >> 8
        blocks[16 * i + 15] = i & 0xFF
    cryptolib.aes(key, _ECB).encrypt(blocks, blocks)
    return blocks


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def _xor_into(stream: bytearray, text: bytes) -> bytes:
    """text XOR the stream behind its first block, which it is written over."""
    for at in range(0, len(text), _PIECE):  # as one number it would take five times its length
        end = min(at + _PIECE, len(text))
        stream[_TAG + at : _TAG + end] = _xor(text[at:end], stream[_TAG + at : _TAG + end])
    return bytes(memoryview(stream)[_TAG : _TAG + len(text)])


def _check(nonce: bytes, aad: bytes, length: int):
    if len(nonce) != _NONCE or not 0 < len(aad) < 0xFF00 or length > 0xFFFF:
        raise ValueError("nonce, AAD or text length")


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Ciphertext and tag: len(plaintext) + 16 bytes. `aad` must not be empty."""
    _check(nonce, aad, len(plaintext))
    tag = _tag(key, nonce, aad, plaintext)  # first: the heap has no room for its blocks and these
    stream = _key_stream(key, nonce, len(plaintext))
    tag = _xor(tag, stream[:_TAG])
    return _xor_into(stream, plaintext) + tag


def decrypt(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    """The plaintext; OpenError when the tag does not fit."""
    length = len(ciphertext) - _TAG
    _check(nonce, aad, length)
    if length < 0:
        raise OpenError("too short")
    stream = _key_stream(key, nonce, length)
    plaintext = _xor_into(stream, ciphertext[:length])
    tag = _xor(_tag(key, nonce, aad, plaintext), stream[:_TAG])
    if not equal(tag, ciphertext[length:]):
        raise OpenError("tag")
    return plaintext
