# SPDX-License-Identifier: MIT
"""What a technician keeps in a sealed file of their own: the key that tickets are sealed to, the
key that signs receipts, which office they work for, and which tickets are used.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from host_tools.errors import ToolError
from host_tools.handover.cards import Office, Technician
from host_tools.handover.receipts import Receipts, Use
from host_tools.vault.sealed_file import SealedFile

SUFFIX = ".technician"
_FORMAT = "lp1 technician 2"
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', '{format}'), ('name', '{name}'), ('office', '{office}');
CREATE TABLE keys (
    name TEXT PRIMARY KEY,  -- tickets: X25519; receipts, office: Ed25519; boards: HMAC
    secret BLOB NOT NULL,
    public BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO keys VALUES
    ('tickets', x'{box_secret}', x'{box}'), ('receipts', x'{sign_secret}', x'{sign}'),
    ('boards', x'{boards}', x''), ('office', x'', x'{office_sign}');
CREATE TABLE used (  -- a ticket stands here again when its board was written to again
    number INTEGER PRIMARY KEY,
    ticket BLOB NOT NULL CHECK (length(ticket) = 16),
    node TEXT NOT NULL,
    used_s INTEGER NOT NULL,
    use BLOB NOT NULL UNIQUE CHECK (length(use) = 16),
    board BLOB NOT NULL CHECK (length(board) = 32),  -- a keyed hash: it stays in this file
    is_whole INTEGER NOT NULL DEFAULT 0,  -- the board has all that a node has
    is_out INTEGER NOT NULL DEFAULT 0  -- it stands in receipts that were written
);
"""


def create(path: Path, passphrase: str, factor, name: str, office: Office) -> SealedFile:
    """A new file with new keys, in one write. ToolError when it is there already. name: checked
    by cards.check_name."""
    box, sign = X25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    schema = _SCHEMA.format(
        format=_FORMAT, name=name, office=office.name, office_sign=office.sign.hex(),
        box_secret=box.private_bytes_raw().hex(), box=box.public_key().public_bytes_raw().hex(),
        sign_secret=sign.private_bytes_raw().hex(),
        sign=sign.public_key().public_bytes_raw().hex(), boards=os.urandom(32).hex(),
    )  # fmt: skip
    return SealedFile.create(path, passphrase, factor, schema)


def check_kind(file: SealedFile):
    """ToolError when the sealed file is not a technician's of this version."""
    rows = dict(file.db.execute("SELECT name, value FROM meta"))
    if rows.get("schema") != _FORMAT:
        message = f"{file.path} is not a technician's file of this version"
        raise ToolError(message, "give the one that `lamppost technician init` made")


def name_of(file: SealedFile) -> str:
    return _meta(file, "name")


def office_of(file: SealedFile) -> Office:
    """Whose tickets count."""
    return Office(_meta(file, "office"), key(file, "office")[1])


def key(file: SealedFile, name: str) -> tuple[bytes, bytes]:
    """(secret, public part)"""
    query = "SELECT secret, public FROM keys WHERE name = ?"
    return file.db.execute(query, (name,)).fetchone()


def card(file: SealedFile) -> Technician:
    """For the office."""
    return Technician(name_of(file), key(file, "tickets")[1], key(file, "receipts")[1])


def signed_card(file: SealedFile) -> bytes:
    return card(file).signed(key(file, "receipts")[0])


def uses(file: SealedFile) -> list[Use]:
    """Of all tickets that were used, oldest first; several of one that was used again."""
    query = "SELECT ticket, node, used_s, use FROM used ORDER BY number"
    return [Use(*row) for row in file.db.execute(query)]


def used_tickets(file: SealedFile) -> set[bytes]:
    return {ticket for (ticket,) in file.db.execute("SELECT ticket FROM used")}


def signed_receipts(file: SealedFile, now_s: int) -> bytes:
    """All receipts, for the office; those that it has are no trouble to it. The file notes first
    that they go out, so it is to be open for writing."""
    office = office_of(file).sign
    receipts = Receipts(office, name_of(file), now_s, tuple(uses(file)))
    signed = receipts.signed(key(file, "receipts")[0])
    if file.db.execute("SELECT 1 FROM used WHERE NOT is_out").fetchone():
        with file.change("receipts", {"count": len(receipts.uses)}):
            file.db.execute("UPDATE used SET is_out = 1")
    return signed


def _meta(file: SealedFile, name: str) -> str:
    return file.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]
