# SPDX-License-Identifier: MIT
"""The file of a store: SQLite with a write-ahead log, durable at each commit.

Any number of processes write to it, one transaction at a time. Each holds a shared lock beside it;
who must be alone with the file takes that lock for itself.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from pathlib import Path

from host_tools.errors import ToolError

APPLICATION_ID = 0x4C703153  # "Lp1S", in the file's head
VERSION = 3
_WITHOUT_MASKED = 2  # and otherwise the same: it is brought up to date when it is opened
_BUSY_S = 60  # how long a writer waits for the others
_READERS_S = 5  # how long the log waits for readers, to be emptied
_AGAIN_S = 0.02

_SCHEMA = """
CREATE TABLE policy (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, rules BLOB NOT NULL,
    terms BLOB NOT NULL);
CREATE TABLE sweep (deleted INTEGER NOT NULL, swept INTEGER NOT NULL, swept_s INTEGER NOT NULL);
INSERT INTO sweep VALUES (0, 0, 0);
CREATE TABLE value (
    node TEXT NOT NULL, stream INTEGER NOT NULL, slot_start_s INTEGER NOT NULL,
    statistic TEXT NOT NULL, window_s INTEGER NOT NULL, quantity TEXT NOT NULL,
    unit TEXT NOT NULL, scale INTEGER NOT NULL, resolution INTEGER NOT NULL, value INTEGER,
    policy INTEGER NOT NULL REFERENCES policy,
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
CREATE TABLE held (
    node TEXT NOT NULL, log BLOB NOT NULL, first INTEGER NOT NULL, until_s INTEGER NOT NULL,
    PRIMARY KEY (node, log)) WITHOUT ROWID;
"""
_MASKED = """
CREATE TABLE masked (
    node TEXT NOT NULL, stream INTEGER NOT NULL, from_s INTEGER NOT NULL, end_s INTEGER NOT NULL,
    segment INTEGER NOT NULL, c BLOB NOT NULL, run BLOB NOT NULL,
    policy INTEGER NOT NULL REFERENCES policy,
    PRIMARY KEY (node, stream, from_s)) WITHOUT ROWID;
CREATE TABLE masked_aside (
    node TEXT NOT NULL, stream INTEGER NOT NULL, from_s INTEGER NOT NULL, end_s INTEGER NOT NULL,
    c BLOB NOT NULL, policy INTEGER NOT NULL REFERENCES policy,
    PRIMARY KEY (node, stream, from_s, end_s, c)) WITHOUT ROWID;
"""


class StoreFile:
    """db: the connection. The file is made where there is none."""

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
        self.db = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        check_store(self.db, self.path, may_be_new=True)
        _use_write_ahead_log(self.db)
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA secure_delete = ON")  # with zeros where a row was
        self.db.execute("BEGIN IMMEDIATE")  # of several that find it empty, one fills it
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if version < VERSION:
            schema = _MASKED if version else _SCHEMA + _MASKED
            for statement in schema.split(";"):
                self.db.execute(statement)
            self.db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self.db.execute(f"PRAGMA user_version = {VERSION}")
        self.db.execute("COMMIT")
        self._inode = self.path.stat().st_ino

    def check_in_place(self):
        """ToolError when another file has taken the place of this one: what was written went to
        a file that nobody will find."""
        try:
            in_place = self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            in_place = False
        if not in_place:
            message = f"{self.path}: the file was replaced while it was in use"
            raise ToolError(message, "stop all collectors before a store is restored; start again")

    def rewrite(self):
        """Writes all that is there anew. Where SQLite moved a row to another page it may have left
        a copy, which secure_delete does not overwrite: this is what removes it."""
        self.db.execute("VACUUM")

    def empty_log(self) -> bool:
        """Has the file alone hold what was committed, so that what was deleted is nowhere; whether
        that was done. It is not while somebody reads."""
        self.db.execute(f"PRAGMA busy_timeout = {_READERS_S * 1000}")
        try:
            (busy, _, _) = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self.db.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000}")
        return not busy

    def close(self):
        if self.db is not None:
            self.db.close()
            self.db = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _use_write_ahead_log(db: sqlite3.Connection):
    """The change of mode needs the file for a moment, and does not wait for it by itself."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as err:
            if "locked" not in str(err) or time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN_S)


def check_store(db: sqlite3.Connection, path: Path, may_be_new: bool = False):
    """ToolError when the file is not a store, or one of another version. One of before masked
    streams can be read as it is."""
    try:
        db.execute("BEGIN")  # what another process makes of it meanwhile is seen whole or not
        (application_id,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.execute("COMMIT")
    except sqlite3.Error as err:
        if "locked" in str(err):
            raise ToolError(f"{path}: {err}", "try again, or see who holds it") from err
        raise ToolError(f"{path} is not a store", "give the .sqlite file of a collector") from err
    if may_be_new and not (application_id or version or tables):
        return
    if application_id != APPLICATION_ID:
        raise ToolError(f"{path} is not a store", "give the .sqlite file of a collector")
    if version == 1:
        message = f"{path} is a store of version 1: it does not know for how long it may keep what"
        raise ToolError(message, "begin a new one; the Lamppost that made it can still read it")
    if version not in (_WITHOUT_MASKED, VERSION):
        message = f"{path} is a store of version {version}, this Lamppost knows {VERSION}"
        raise ToolError(message, "use the Lamppost that made it")


def _lock(path: Path) -> int:
    """Holds a shared lock beside the store until it is closed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "take another path") from err
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as err:
        os.close(lock)
        hint = "wait until that is done"
        raise ToolError(f"{path} is held by somebody who must be alone with it", hint) from err
    return lock
