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

SIGNATURE_BYTES = 64
_MOST_BYTES = 64 << 20


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
    raise ToolError(f"{name} is not {_NAMES[label]}, or not whole", _AGAIN) from None


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


def read(path: Path) -> bytes:
    """ToolError when it cannot be read, or is too large to be a document."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    if len(data) > _MOST_BYTES:
        raise ToolError(f"{path} is too large", "check the path")
    return data


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
