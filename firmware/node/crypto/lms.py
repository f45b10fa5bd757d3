# SPDX-License-Identifier: MIT
"""Checks signatures of policies and updates: LMS (RFC 8554), by SHA-256 alone.

One level of HSS with LMS_SHA256_M32_H10 and LMOTS_SHA256_N32_W4, and nothing else. Hash-based
signatures stay sound against quantum computers, and a node can only check them, never make one.

    public key   00000001 (levels) 00000006 (LMS) 00000003 (LM-OTS) identifier (16) root (32)
    signature    00000000 (levels - 1) leaf (4) 00000003 randomizer (32) 67 chains (32 each)
                 00000006 path (10 nodes of 32)

Some 500 hashes and a few hundred bytes of RAM: message and signature are read once, in order, and
neither need be in RAM. It is imported when there is something to check, so it imports little.
"""

import hashlib

from node.errors import FormatError, OpenError

PUBLIC_KEY_LENGTH = 60
SIGNATURE_LENGTH = 2512

_LEAVES = 1024
_CHAINS = 67  # 64 of the message's hash, 3 of its checksum
_LAST = 15  # the end of a chain: a digit is 4 bits
_HEAD = 44  # levels - 1, leaf, LM-OTS type, randomizer
_KEY_TYPES = b"\x00\x00\x00\x01\x00\x00\x00\x06\x00\x00\x00\x03"
_LMS_TYPE = b"\x00\x00\x00\x06"
_LMOTS_TYPE = b"\x00\x00\x00\x03"
_NO_MORE_LEVELS = bytes(4)
# What is hashed says what it is (RFC 8554 §7.1).
_PUBLIC = b"\x80\x80"
_MESSAGE = b"\x81\x81"
_LEAF = b"\x82\x82"
_INNER = b"\x83\x83"


def verify(public_key: bytes, chunks, signature):
    """Returns when `signature` is one of the message; FormatError when key or signature have
    another form, OpenError when they do not belong together.

    chunks: an iterable of the message's bytes in parts; signature: a stream at its start, with
    `readinto`, that ends with the signature. What reads them raises its own errors. Only the
    bytes that were read here are signed: a file may be another when it is read again.
    """
    if len(public_key) != PUBLIC_KEY_LENGTH or public_key[:12] != _KEY_TYPES:
        raise FormatError("form of the public key")
    head = bytearray(_HEAD)
    _fill(signature, head)
    leaf = int.from_bytes(head[4:8], "big")
    if head[:4] != _NO_MORE_LEVELS or head[8:12] != _LMOTS_TYPE or leaf >= _LEAVES:
        raise FormatError("form of the signature")
    place = public_key[12:28] + head[4:8]  # identifier, leaf
    found = hashlib.sha256(place + _MESSAGE + head[12:])
    for chunk in chunks:
        found.update(chunk)
    one_time_key = _one_time_key(place, _digits(found.digest()), signature)
    root = _root(place, leaf, one_time_key, signature)
    if signature.readinto(head):
        raise FormatError("length of the signature")
    if root != public_key[28:]:
        raise OpenError("signature")


def _fill(stream, buffer):
    """Reads the whole buffer, in as many parts as the stream gives."""
    count = stream.readinto(buffer) or 0
    while count < len(buffer):
        more = stream.readinto(memoryview(buffer)[count:])
        if not more:
            raise FormatError("length of the signature")
        count += more


def _digits(digest: bytes) -> bytes:
    """34 bytes: the message's hash and its checksum, together 67 digits and one unused."""
    total = 0
    for byte in digest:
        total += 2 * _LAST - (byte >> 4) - (byte & _LAST)
    return digest + (total << 4).to_bytes(2, "big")


def _one_time_key(place: bytes, digits: bytes, signature) -> bytes:
    """The public key of the leaf (32 bytes): each chain walked from its digit to its end."""
    sha256 = hashlib.sha256
    key = sha256(place + _PUBLIC)
    block = bytearray(place) + bytearray(35)  # then number of the chain (2), step (1), value (32)
    value = memoryview(block)[23:]
    for chain in range(_CHAINS):
        digit = digits[chain >> 1]
        digit = digit & _LAST if chain & 1 else digit >> 4
        _fill(signature, value)
        block[21] = chain
        for step in range(digit, _LAST):
            block[22] = step
            value[:] = sha256(block).digest()
        key.update(value)
    return key.digest()


def _root(place: bytes, leaf: int, one_time_key: bytes, signature) -> bytes:
    """The root of the tree (32 bytes) from a leaf's key and the neighbours on the way up."""
    found = bytearray(4)
    _fill(signature, found)
    if found != _LMS_TYPE:
        raise FormatError("form of the signature")
    identifier = place[:16]
    number = _LEAVES + leaf
    node = hashlib.sha256(identifier + number.to_bytes(4, "big") + _LEAF + one_time_key).digest()
    neighbour = bytearray(32)
    while number > 1:
        _fill(signature, neighbour)
        parent = hashlib.sha256(identifier + (number >> 1).to_bytes(4, "big") + _INNER)
        parent.update(neighbour if number & 1 else node)
        parent.update(node if number & 1 else neighbour)
        node = parent.digest()
        number >>= 1
    return node
