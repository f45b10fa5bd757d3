# SPDX-License-Identifier: MIT
"""A document that goes by hand between offices: deterministic CBOR [label, field, …], and where a
sender counts, an Ed25519 signature (64 bytes) behind it.

The label says what it is, so that no signature serves another purpose. There is one encoding of
each document; others are refused.
"""

import contextlib
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from host_tools.errors import ToolError
from host_tools.private_file import read_bounded

SIGNATURE_BYTES = 64
MOST_BYTES = 64 << 20


def encode(label: str, *fields) -> bytes:
    return cbor2.dumps([label, *fields], canonical=True)


def sign(secret: bytes, label: str, *fields) -> bytes:
    """secret: an Ed25519 key, 32 bytes."""
    body = encode(label, *fields)
    return body + Ed25519PrivateKey.from_private_bytes(secret).sign(body)


def decode(data: bytes, label: str, count: int, name: str) -> list:
    """The `count` fields of an unsigned document; ToolError when these bytes, which messages call
    `name`, are no such document."""
    with contextlib.suppress(cbor2.CBORError, ValueError, TypeError, RecursionError):
        found = cbor2.loads(data)
        is_one = type(found) is list and len(found) == count + 1 and found[0] == label
        if is_one and encode(*found) == data:
            return found[1:]
    raise _not_one(label, name) from None


def _not_one(label: str, name: str) -> ToolError:
    return ToolError(f"{name} is not {_NAMES[label]}, or not whole", _AGAIN)


def decode_signed(data: bytes, public: bytes, label: str, count: int, name: str, whose: str):
    """As decode(), of a document that this key (32 bytes) signed. The signature is checked first:
    a few MiB that nobody signed could be a hundred times that in memory."""
    head = bytes([0x80 | 1 + count]) + cbor2.dumps(label)
    if not data.startswith(head):
        raise _not_one(label, name)
    check_signature(data, public, name, whose)
    return decode(split(data), label, count, name)


def split(data: bytes) -> bytes:
    """A signed document without its signature, unchecked."""
    return data[:-SIGNATURE_BYTES]


def check_signature(data: bytes, public: bytes, name: str, whose: str):
    """ToolError unless the key (32 bytes) signed it; whose: for people."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(data[-SIGNATURE_BYTES:], split(data))
    except (InvalidSignature, ValueError):
        message = f"{name} is altered, or not signed by {whose}"
        raise ToolError(
            message, "get it again from who made it, or find out who altered it"
        ) from None


def read(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """ToolError when it cannot be read, or is larger than such a document can be."""
    return read_bounded(path, most_bytes)


OFFICE, TECHNICIAN, STORE = "lp1 office", "lp1 technician", "lp1 store"
TICKETS, RECEIPTS = "lp1 tickets", "lp1 ticket receipts"
GRANT, COMMANDS = "lp1 grant", "lp1 commands"
_AGAIN = "get it again from who made it"
_NAMES = {
    OFFICE: "an office's card",
    TICKETS: "a file of tickets",
    RECEIPTS: "a file of receipts",
    TECHNICIAN: "a technician's card",
    STORE: "a store's card",
    GRANT: "a file of granted keys",
    COMMANDS: "a file of commands",
}
