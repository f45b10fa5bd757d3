# SPDX-License-Identifier: MIT
"""Cards: the public keys of an office, a technician, a store, to hand to one another.

office       [name, Ed25519 key]                  signs tickets and grants
technician   [name, X25519 key, Ed25519 key]      gets tickets, signs receipts; signed by itself
store        [name, X25519 key]                   gets keys of nodes

Who takes a card compares its fingerprint with what the other one reads out: that is all that
stands between them and somebody who gives a card of his own. It covers what the card is, its name
and its keys.
"""

import dataclasses
import hashlib
import re
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.handover import document, sealed_box
from host_tools.provisioning.ed25519_key import is_verifying_key

_MOST_BYTES = 1024  # a name, two keys, a signature
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclasses.dataclass(frozen=True)
class Office:
    name: str
    sign: bytes

    def encode(self) -> bytes:
        return document.encode(document.OFFICE, self.name, self.sign)

    def fingerprint(self) -> str:
        return fingerprint(self.encode())


@dataclasses.dataclass(frozen=True)
class Technician:
    """box: tickets are sealed to it; sign: checks receipts."""

    name: str
    box: bytes
    sign: bytes

    def signed(self, secret: bytes) -> bytes:
        return document.sign(secret, document.TECHNICIAN, self.name, self.box, self.sign)

    def fingerprint(self) -> str:
        return fingerprint(document.encode(document.TECHNICIAN, self.name, self.box, self.sign))


@dataclasses.dataclass(frozen=True)
class Store:
    """box: keys are sealed to it."""

    name: str
    box: bytes

    def encode(self) -> bytes:
        return document.encode(document.STORE, self.name, self.box)

    def fingerprint(self) -> str:
        return fingerprint(self.encode())


def read_office(path: Path) -> Office:
    """ToolError when it is no office's card."""
    data = document.read(path, _MOST_BYTES)
    card = Office(*document.decode(data, document.OFFICE, 2, str(path)))
    _check(card, path, is_verifying_key(card.sign))
    return card


def read_technician(path: Path) -> Technician:
    """ToolError when it is no technician's card, or its holder did not sign it."""
    data = document.read(path, _MOST_BYTES)
    fields = document.decode(document.split(data), document.TECHNICIAN, 3, str(path))
    card = Technician(*fields)
    _check(card, path, is_verifying_key(card.sign) and sealed_box.is_key(card.box))
    document.check_signature(data, card.sign, str(path), card.name)
    return card


def read_store(path: Path) -> Store:
    """ToolError when it is no store's card."""
    data = document.read(path, _MOST_BYTES)
    card = Store(*document.decode(data, document.STORE, 2, str(path)))
    _check(card, path, sealed_box.is_key(card.box))
    return card


def check_name(name: str, option: str):
    """ToolError for a name that is no file's and no client's at a broker."""
    if not is_name(name):
        hint = "1 to 64 letters, digits, - and _, the first a letter or a digit"
        raise ToolError(f"{option}: {name!r} is not a name", hint, 2)


def is_name(name) -> bool:
    return type(name) is str and _NAME.fullmatch(name) is not None


def fingerprint(content: bytes) -> str:
    """Of what is public, to read out: 80 bits of its SHA-256 in five groups."""
    digest = hashlib.sha256(content).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 20, 4))


def _check(card, path: Path, has_keys: bool):
    if not has_keys or not is_name(card.name):
        raise ToolError(f"{path} has no proper name or key", "get it again from who made it")
