# SPDX-License-Identifier: MIT
"""Keeps what arrives: a batch of messages is one transaction, durable before it is acknowledged.

Whatever the order of arrival, what comes twice or late, and however often the store is restarted:
the same envelopes leave the same rows. What cannot be opened yet is kept sealed; what is wrong is
counted and named, never shown.
"""

import collections
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import sqlite3
from pathlib import Path

from node.pipeline.reading import QUANTITIES

from host_tools.collector.keyring import Keyring
from host_tools.collector.numbers import Numbers
from host_tools.collector.open_envelope import Opened, Refusal, open_envelope
from host_tools.collector.receipt import RANGES_MAX
from host_tools.errors import ToolError
from host_tools.provisioning.ticket import is_node_id

APPLICATION_ID = 0x4C703153  # "Lp1S", in the file's head
VERSION = 1
# A hostile node or broker must not fill the disk.
_KEPT_MAX, _KEPT_MAX_PER_NODE = 100_000, 10_000
_NOTES_MAX = 10_000  # of `refused` and of `event` each: the newest stay

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


@dataclasses.dataclass(frozen=True)
class LogState:
    """What a receipt says of one outbox: all numbers ≤ upto are settled, and those in ranges.

    settled: how many that are, of all ranges.
    """

    node_id: str
    log: bytes
    upto: int
    ranges: list
    settled: int


@dataclasses.dataclass
class BatchResult:
    """Counts per node ("" for none that is known), and the outboxes to send receipts for."""

    opened: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    duplicates: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    refused: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    kept: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    logs: list[LogState] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Log:
    """version: the highest policy version seen, from the envelope `version_from` on."""

    numbers: Numbers
    version: int
    version_from: int
    heard_s: int
    touched: list = dataclasses.field(default_factory=list)


class Store:
    """A store in the file `path`, made where there is none. One process, one thread at a time."""

    def __init__(self, path: Path, keyring: Keyring):
        self.path = Path(path)
        self.keyring = keyring
        self._logs: dict[tuple[str, bytes], _Log] = {}
        self._db = None
        self._lock = _lock(self.path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            check_store(self._db, self.path, may_be_new=True)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._db.executescript(
                    f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                    f"PRAGMA user_version = {VERSION}; COMMIT;"
                )
        except sqlite3.Error as err:
            raise ToolError(f"{self.path}: {err}", "take another path, or free the disk") from err
        (self._heard,) = self._db.execute("SELECT coalesce(max(heard), 0) FROM log").fetchone()

    def close(self):
        if self._db is not None:
            self._db.close()
            self._db = None
        os.close(self._lock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # a batch

    def take_batch(self, messages: list[tuple[str, bytes]], now_s: int) -> BatchResult:
        """Takes [(topic, payload)], commits, and only then returns. A sqlite3.Error leaves the
        store as it was before."""
        result = BatchResult()
        with self._transaction(result, now_s):
            for topic, message in messages:
                self._take(topic, message, now_s, result)
        return result

    def retry_sealed(self, now_s: int) -> BatchResult:
        """Tries again what was kept sealed: call it when a key or a policy has come."""
        result = BatchResult()
        with self._transaction(result, now_s):
            kept = self._db.execute("SELECT id, node, message FROM sealed ORDER BY id").fetchall()
            for id, node_id, message in kept:
                outcome = open_envelope(self.keyring, node_id, message, now_s)
                if isinstance(outcome, Refusal) and outcome.keep:
                    continue
                self._db.execute("DELETE FROM sealed WHERE id = ?", (id,))
                self._settle(f"lp/{node_id}/up", node_id, message, outcome, now_s, result)
        return result

    def logs(self) -> list[LogState]:
        """The outbox of each node that was heard last."""
        rows = self._db.execute("SELECT node, log, max(heard) FROM log GROUP BY node").fetchall()
        return [self._state(node_id, log) for node_id, log, _ in rows]

    @contextlib.contextmanager
    def _transaction(self, result: BatchResult, now_s: int):
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            touched = [key for key, log in self._logs.items() if log.touched]
            for key in touched:
                self._save_log(key)
            self._save_tally(result)
            self._db.execute("COMMIT")
        except BaseException:
            self._logs.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        result.logs = [self._state(*key) for key in touched]
        for key in touched:
            self._logs[key].touched.clear()
        self.keyring.forget_before(self._oldest_epochs(touched))

    def _take(self, topic: str, message: bytes, now_s: int, result: BatchResult):
        node_id = _node_of(topic)
        if node_id is None:
            self._refuse("", topic, message, "topic", now_s, result)
            return
        if self._is_duplicate(node_id, message, result):
            return
        outcome = open_envelope(self.keyring, node_id, message, now_s)
        self._settle(topic, node_id, message, outcome, now_s, result)

    def _is_duplicate(self, node_id: str, message: bytes, result: BatchResult) -> bool:
        """The same bytes are known by their digest: their key may be forgotten already."""
        row = self._db.execute(
            "SELECT log, number FROM envelope WHERE digest = ? AND node = ?",
            (_digest(message), node_id),
        ).fetchone()
        if row is None:
            return False
        result.duplicates[node_id] += 1
        self._log(node_id, row[0]).touched.append(row[1])
        return True

    def _settle(self, topic, node_id: str, message: bytes, outcome, now_s: int, result):
        if isinstance(outcome, Opened):
            reason = self._keep_opened(node_id, message, outcome, now_s)
            if reason is None:
                result.opened[node_id] += 1
                return
        elif outcome.keep and self._keep_sealed(node_id, message, outcome, now_s, result):
            return
        else:
            reason = outcome.reason
        self._refuse(node_id, topic, message, reason, now_s, result)

    def _keep_opened(self, node_id: str, message: bytes, opened: Opened, now_s: int) -> str | None:
        """Stores an envelope that is new; returns why not."""
        log = self._log(node_id, opened.log)
        if log is None:
            log = self._new_log(node_id, opened.log, now_s)
        number = opened.number
        if number in log.numbers:
            self._tell(node_id, "other bytes", _name(opened.log, number, number), now_s)
            return "number came with other bytes"
        version = opened.policy.version
        if version < log.version and number > log.version_from:
            self._tell(node_id, "policy lowered", f"{log.version} to {version}", now_s)
            return "policy is older than before"
        if version > log.version or (version == log.version and number < log.version_from):
            log.version, log.version_from = version, number
        self._db.execute(
            "INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?)",
            (node_id, opened.log, number, _digest(message), opened.epoch, now_s),
        )
        rows = list(_value_rows(node_id, opened))
        inserted = self._db.executemany(
            "INSERT OR IGNORE INTO value VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        ).rowcount
        if rows and inserted < len(rows):
            self._tell(node_id, "slot came again", _name(opened.log, number, number), now_s)
        if number < log.numbers.floor:
            self._tell(node_id, "found", _name(opened.log, number, number), now_s)
        for first, last in log.numbers.add(number, opened.floor):
            self._tell(node_id, "lost", _name(opened.log, first, last), now_s)
        log.touched.append(number)
        self._heard += 1
        log.heard_s = now_s
        return None

    def _keep_sealed(self, node_id: str, message: bytes, refusal: Refusal, now_s: int, result):
        """Keeps what may open one day; False when there is too much of it."""
        total, own = self._db.execute(
            "SELECT count(*), count(CASE WHEN node = ? THEN 1 END) FROM sealed", (node_id,)
        ).fetchone()
        if total >= _KEPT_MAX or own >= _KEPT_MAX_PER_NODE:
            return False
        done = self._db.execute(
            "INSERT OR IGNORE INTO sealed (node, digest, epoch, message, received_s)"
            " VALUES (?, ?, ?, ?, ?)",
            (node_id, _digest(message), refusal.epoch, message, now_s),
        )
        counter = result.kept if done.rowcount else result.duplicates
        counter[self._known(node_id)] += 1
        self._tell(node_id, "kept sealed", refusal.reason, now_s)
        return True

    def _refuse(self, node_id: str, topic: str, message: bytes, reason: str, now_s: int, result):
        result.refused[self._known(node_id)] += 1
        self._db.execute(
            "INSERT INTO refused (time_s, node, topic, reason, size) VALUES (?, ?, ?, ?, ?)",
            (now_s, node_id, topic[:200], reason, len(message)),
        )
        self._trim("refused")

    def _known(self, node_id: str) -> str:
        return node_id if self.keyring.node(node_id) else ""

    def _tell(self, node_id: str, kind: str, detail: str, now_s: int):
        done = self._db.execute(
            "INSERT OR IGNORE INTO event (time_s, node, kind, detail) VALUES (?, ?, ?, ?)",
            (now_s, node_id, kind, detail),
        )
        if done.rowcount:
            self._trim("event")

    def _trim(self, table: str):
        """Rows are numbered without gaps as long as only the oldest are deleted."""
        self._db.execute(
            f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - {_NOTES_MAX}"
        )

    # outboxes

    def _log(self, node_id: str, log: bytes) -> _Log | None:
        key = node_id, log
        if key not in self._logs:
            row = self._db.execute(
                "SELECT floor, stored, version, version_from, heard_s FROM log"
                " WHERE node = ? AND log = ?",
                key,
            ).fetchone()
            if row is None:
                return None
            self._logs[key] = _Log(Numbers(row[0], json.loads(row[1])), *row[2:])
        return self._logs[key]

    def _new_log(self, node_id: str, log: bytes, now_s: int) -> _Log:
        """An outbox that was not known: all of it comes after what its node sent before."""
        (version,) = self._db.execute(
            "SELECT coalesce(max(version), 0) FROM log WHERE node = ?", (node_id,)
        ).fetchone()
        for (other, _), state in self._logs.items():
            if other == node_id:
                version = max(version, state.version)
        self._tell(node_id, "new outbox", log.hex(), now_s)
        self._logs[node_id, log] = _Log(Numbers(), version, 0, now_s)
        return self._logs[node_id, log]

    def _save_log(self, key: tuple[str, bytes]):
        log = self._logs[key]
        stored = json.dumps(log.numbers.stored, separators=(",", ":"))
        self._db.execute(
            "INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, log.numbers.floor, stored, log.version, log.version_from, log.heard_s,
             self._heard),
        )  # fmt: skip

    def _save_tally(self, result: BatchResult):
        counts = (result.opened, result.duplicates, result.refused, result.kept)
        nodes = set().union(*counts)
        self._db.executemany(
            "INSERT INTO tally VALUES (?, ?, ?, ?, ?) ON CONFLICT (node) DO UPDATE SET"
            " opened = opened + excluded.opened, duplicates = duplicates + excluded.duplicates,"
            " refused = refused + excluded.refused, kept = kept + excluded.kept",
            [(node_id, *(count[node_id] for count in counts)) for node_id in nodes],
        )

    def _state(self, node_id: str, log: bytes) -> LogState:
        state = self._log(node_id, log)
        numbers = state.numbers
        ranges = numbers.beyond()
        settled = numbers.settled()
        if len(ranges) > RANGES_MAX:  # those of this batch first, then the newest
            fresh = [r for r in ranges if any(r[0] <= n <= r[1] for n in state.touched)]
            others = [r for r in ranges if r not in fresh]
            ranges = sorted((fresh + others[::-1])[:RANGES_MAX])
        return LogState(node_id, log, numbers.upto(), [list(r) for r in ranges], settled)

    def _oldest_epochs(self, touched: list) -> dict[str, int]:
        """{node: the oldest epoch that is still expected}: that of the last settled envelope,
        since epochs only rise with the numbers, but not past what is kept sealed."""
        epochs = {}
        for node_id, log in touched:
            row = self._db.execute(
                "SELECT epoch FROM envelope WHERE node = ? AND log = ? AND number <= ?"
                " ORDER BY number DESC LIMIT 1",
                (node_id, log, self._log(node_id, log).numbers.upto()),
            ).fetchone()
            (kept,) = self._db.execute(
                "SELECT min(epoch) FROM sealed WHERE node = ?", (node_id,)
            ).fetchone()
            if row is not None:
                epoch = row[0] if kept is None else min(row[0], kept)
                epochs[node_id] = max(epoch, epochs.get(node_id, 0))
        return epochs


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


def _node_of(topic: str) -> str | None:
    parts = topic.split("/")
    if len(parts) == 3 and parts[0] == "lp" and parts[2] == "up" and is_node_id(parts[1]):
        return parts[1]
    return None


def _digest(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def _name(log: bytes, first: int, last: int) -> str:
    numbers = str(first) if first == last else f"{first}–{last}"
    return f"{log.hex()} {numbers}"


def _value_rows(node_id: str, opened: Opened):
    """One row per value, in the quantity's scale."""
    streams = {stream.number: stream for stream in opened.policy.streams}
    for number, slot, *steps in opened.records:
        stream = streams[number]
        unit, scale, _, _ = QUANTITIES[stream.quantity]
        window_s = stream.window_s
        for statistic, step in zip(stream.statistics, steps, strict=True):
            shown = (unit, scale, stream.resolution)
            if statistic == "count":
                shown = ("samples", 1, 1)
            value = None if step is None else step * shown[2]
            yield (node_id, number, slot * window_s, statistic, window_s, stream.quantity,
                   *shown, value)  # fmt: skip
