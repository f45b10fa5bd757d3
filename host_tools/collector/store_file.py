# SPDX-License-Identifier: MIT
"""The file of a store: SQLite with a write-ahead log, durable at each commit."""

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path

from host_tools.errors import ToolError

APPLICATION_ID = 0x4C703153  # "Lp1S", in the file's head
VERSION = 1

_SCHEMA = """
CREATE TABLE value (
    node TEXT NOT NULL, stream INTEGER NOT NULL, slot_start_s INTEGER NOT NULL,
    statistic TEXT NOT NULL, window_s INTEGER NOT NULL, quantity TEXT NOT NULL,
    unit TEXT NOT NULL, scale INTEGER NOT NULL, resolution INTEGER NOT NULL, value INTEGER,
    PRIMARY KEY (node, stream, slot_start_s, statistic)) WITHOUT ROWID;
CREATE TABLE envelope (
    node TEXT NOT NULL, log BLOB NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL,
    epoch INTEGER NOT NULL, received_s INTEGER NOT NULL,
    PRIMARY KEY (node, log, number)) WITHOUT ROWID;
CREATE INDEX envelope_digest ON envelope (digest);
CREATE TABLE log (
    node TEXT NOT NULL, log BLOB NOT NULL, floor INTEGER NOT NULL, stored TEXT NOT NULL,
    version INTEGER NOT NULL, version_from INTEGER NOT NULL, heard_s INTEGER NOT NULL,
    heard INTEGER NOT NULL, PRIMARY KEY (node, log)) WITHOUT ROWID;
CREATE TABLE sealed (
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, digest BLOB NOT NULL, epoch INTEGER NOT NULL,
    message BLOB NOT NULL, received_s INTEGER NOT NULL, UNIQUE (node, digest));
CREATE TABLE tally (
    node TEXT PRIMARY KEY, opened INTEGER NOT NULL, duplicates INTEGER NOT NULL,
    refused INTEGER NOT NULL, kept INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (
    id INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, node TEXT NOT NULL, topic TEXT NOT NULL,
    reason TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, node TEXT NOT NULL, kind TEXT NOT NULL,
    detail TEXT NOT NULL, UNIQUE (node, kind, detail));
"""


class StoreFile:
    """db: the connection. The file is made where there is none; only one process writes to it."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self.db: sqlite3.Connection | None = None
        self._lock = _lock(self.path)
        try:
            self._open()
        except BaseException as err:
            self.close()
            if isinstance(err, sqlite3.Error):
                message = f"{self.path}: {err}"
                raise ToolError(message, "take another path, or free the disk") from err
            raise

    def _open(self):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        self.db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        check_store(self.db, self.path, may_be_new=True)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        if self.db.execute("PRAGMA user_version").fetchone()[0] == 0:
            self.db.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def close(self):
        if self.db is not None:
            self.db.close()
            self.db = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def check_store(db: sqlite3.Connection, path: Path, may_be_new: bool = False):
    """ToolError when the file is not a store, or one of another version."""
    try:
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as err:
        raise ToolError(f"{path} is not a store", "give the .sqlite file of a collector") from err
    if may_be_new and not (application_id or version or tables):
        return
    if application_id != APPLICATION_ID:
        raise ToolError(f"{path} is not a store", "give the .sqlite file of a collector")
    if version != VERSION:
        message = f"{path} is a store of version {version}, this Lamppost knows {VERSION}"
        raise ToolError(message, "use the Lamppost that made it")


def _lock(path: Path) -> int:
    """Holds a lock beside the store until it is closed: two writers would undo each other."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "take another path") from err
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(lock)
        raise ToolError(f"{path} is in use by another collector", "stop that one first") from err
    return lock
