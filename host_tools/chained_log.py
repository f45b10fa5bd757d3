# SPDX-License-Identifier: MIT
"""A log in a SQLite file whose entries are chained by hashes: who changes, drops or moves one must
change all after it, and the newest hash, which others may have seen.

hash_n = SHA-256(hash_{n-1} ‖ deterministic CBOR [n, time_s, verb, detail]); hash_0 is 32 zeros.
Entries tell who did what, never a key.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator

import cbor2

SCHEMA = """
CREATE TABLE log (
    number INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, verb TEXT NOT NULL,
    detail TEXT NOT NULL, hash BLOB NOT NULL);
"""
START = bytes(32)


def append(db: sqlite3.Connection, time_s: int, verb: str, detail: dict) -> tuple[int, bytes]:
    """Adds an entry within the caller's transaction; returns its number (from 1) and hash.
    detail: what JSON can carry."""
    number, before = newest(db)
    number += 1
    text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = _hash(before, number, time_s, verb, text)
    db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", (number, time_s, verb, text, digest))
    return number, digest


def newest(db: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and hash of the newest entry; 0 and START when there is none."""
    row = db.execute("SELECT number, hash FROM log ORDER BY number DESC LIMIT 1").fetchone()
    return (0, START) if row is None else row


def newest_s(db: sqlite3.Connection) -> int:
    """When the newest entry was written, in Unix seconds; 0 when there is none."""
    row = db.execute("SELECT time_s FROM log ORDER BY number DESC LIMIT 1").fetchone()
    return 0 if row is None else row[0]


def entries(db: sqlite3.Connection) -> Iterator[tuple[int, int, str, dict, bytes]]:
    """(number, time_s, verb, detail, hash) of each entry, oldest first."""
    for number, time_s, verb, text, digest in db.execute("SELECT * FROM log ORDER BY number"):
        yield number, time_s, verb, json.loads(text), digest


def first_broken(db: sqlite3.Connection) -> int | None:
    """The number of the first entry that does not follow from those before; None when all do."""
    before = START
    rows = db.execute("SELECT * FROM log ORDER BY number")
    for expected, (number, time_s, verb, text, digest) in enumerate(rows, 1):
        if number != expected or digest != _hash(before, number, time_s, verb, text):
            return expected
        before = digest
    return None


def _hash(before: bytes, number: int, time_s: int, verb: str, text: str) -> bytes:
    entry = cbor2.dumps([number, time_s, verb, text], canonical=True)
    return hashlib.sha256(before + entry).digest()
