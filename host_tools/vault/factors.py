# SPDX-License-Identifier: MIT
"""What opens a vault beside the passphrase: a second factor, something that one has.

A factor is any object with

    kind     a word that is written into the vault: who opens it looks for slots of this kind
    label    which one it is, for people; it stands in the vault unsealed
    enrol(others)  once, when a slot is made for it: what the slot keeps, unsealed, to find it
             again; others: what the vault's slots of this kind keep
    secret(salt, kept)  32 bytes that nobody else can give, of the slot's salt (32 bytes) and what
             it keeps; None when the slot is not of this factor

Here is the key file; fido2_token.py has the FIDO2 token.
"""

import hmac
import os
from collections.abc import Sequence
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import read_private, write_private
from host_tools.vault.file_lock import folder_turn

KEY_SIZE = 32
_MOST_BYTES = 1024  # of a key file that somebody may have typed, with spaces
_PUT_IN = "put in the medium that the key file is on, or give its path"
_FEWEST = 16  # different values among 32 random bytes: fewer have a chance of 10^-17


class KeyFile:
    """32 random bytes on a medium that is taken away. They are read when they are needed and not
    kept."""

    kind = "key file"

    def __init__(self, path: Path, label: str = ""):
        self.path = Path(path)
        self.label = label

    def enrol(self, others: Sequence[bytes] = ()) -> bytes:
        """Nothing: the file is found by its owner. ToolError when it is not a key file."""
        read_key_file(self.path)
        return b""

    def secret(self, salt: bytes, kept: bytes = b"") -> bytes:
        """HMAC-SHA-256(key, "lp1 vault key file" ‖ salt). ToolError when it cannot be read."""
        return hmac.digest(read_key_file(self.path), b"lp1 vault key file" + salt, "sha256")


def make_key_file(path: Path) -> bytes:
    """Writes 32 random bytes as 64 hex digits, for their owner only, and returns them. ToolError
    when the file is there already, or cannot be written."""
    path = Path(path)
    key = os.urandom(KEY_SIZE)
    try:
        with folder_turn(path.parent):  # of two at once, one would write over the other's key
            if os.path.lexists(path):
                raise ToolError(f"{path} is there already", "give the name of a new file")
            write_private(path, key.hex().encode() + b"\n")
    except OSError as err:
        hint = "give a path on a medium that is there and can be written"
        raise ToolError(f"{path}: {err.strerror}", hint) from err
    return key


def read_key_file(path: Path) -> bytes:
    """32 bytes from a key file: 64 hex digits with or without spaces, or the bytes themselves.
    ToolError when it is something else, nothing that chance has made, or others can read it."""
    path = Path(path)
    data = read_private(path, _MOST_BYTES, _PUT_IN)
    key = _decoded(data)
    if key is None or len(set(key)) < _FEWEST:
        message = f"{path} is not a key file"
        raise ToolError(message, "it holds 64 random hex digits, or 32 random bytes")
    return key


def _decoded(data: bytes) -> bytes | None:
    if len(data) == KEY_SIZE:
        return None if data.isascii() else data  # text is no key: 10^-10 that chance made it
    try:
        key = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return None
    return key if len(key) == KEY_SIZE else None
