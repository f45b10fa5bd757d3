# SPDX-License-Identifier: MIT
"""Deterministic CBOR (RFC 8949 §4.2) of what Lamppost uses: integers, bytes, text, arrays,
true, false and null.

One value has one encoding, so bytes can be sealed, hashed and signed. Other encodings of the same
value, maps, tags and floats are refused.
"""

from node.errors import FormatError

_MAX_DEPTH = 8
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes((major << 5 | info,)) + argument.to_bytes(size, "big")
    raise FormatError("integer beyond 64 bits")


def encode(value) -> bytes:
    """Encodes int, bytes, str, list or tuple, bool and None; FormatError for anything else."""
    if value is None:
        return b"\xf6"
    if value is True:
        return b"\xf5"
    if value is False:
        return b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return _head(2, len(value)) + bytes(value)
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join([encode(item) for item in value])
    raise FormatError("type that is not encoded")


def _read_head(data, at: int):
    if at >= len(data):
        raise FormatError("truncated")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    size = _SIZES.get(info)
    if size is None or major == 7:
        raise FormatError("not a form that is used")
    if at + size > len(data):
        raise FormatError("truncated")
    argument = int.from_bytes(data[at : at + size], "big")
    if argument < (24 if size == 1 else 1 << (4 * size)):
        raise FormatError("not the shortest form")
    return major, argument, at + size


def _read(data, at: int, depth: int):
    major, argument, at = _read_head(data, at)
    if major == 0:
        return argument, at
    if major == 1:
        return -1 - argument, at
    if major in (2, 3):
        if at + argument > len(data):
            raise FormatError("truncated")
        raw = bytes(data[at : at + argument])
        if major == 2:
            return raw, at + argument
        try:
            return raw.decode(), at + argument
        except UnicodeError:
            raise FormatError("text is not UTF-8")
    if major == 4:
        if depth >= _MAX_DEPTH or argument > len(data) - at:
            raise FormatError("array too deep or too long")
        items = []
        for _ in range(argument):
            item, at = _read(data, at, depth + 1)
            items.append(item)
        return items, at
    if major == 7 and argument in (20, 21, 22):
        return {20: False, 21: True, 22: None}[argument], at
    raise FormatError("not a form that is used")


def decode_first(data):
    """Decodes the value at the start of `data`; returns (value, bytes used)."""
    return _read(data, 0, 0)


def decode(data):
    """Decodes `data`, which is exactly one value; FormatError otherwise."""
    value, used = _read(data, 0, 0)
    if used != len(data):
        raise FormatError("bytes after the end")
    return value


def is_number(value) -> bool:
    """Whether it is an integer from 0 to 2^32 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and not value >> 32
