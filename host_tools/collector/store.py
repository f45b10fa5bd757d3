# SPDX-License-Identifier: MIT
"""Keeps what arrives: a batch of messages is one transaction, durable before it is acknowledged.

Whatever the order of arrival, what comes twice or late, however often the store is restarted and
however many processes write to it: the same envelopes leave the same rows. What cannot be opened
yet is kept sealed; what is wrong is counted and named, never shown.
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import sqlite3
from pathlib import Path

from host_tools.collector.expected_epochs import Holds
from host_tools.collector.kept_policy import KeptPolicy
from host_tools.collector.keyring import Keyring
from host_tools.collector.masked import Masked
from host_tools.collector.notes import Notes, name_numbers
from host_tools.collector.numbers import Numbers
from host_tools.collector.open_envelope import FORGOTTEN, Opened, Refusal, open_envelope
from host_tools.collector.receipt import RANGES_MAX
from host_tools.collector.retention import Retention
from host_tools.collector.store_file import StoreFile
from host_tools.collector.values import Values
from host_tools.errors import ToolError
from host_tools.provisioning.ticket import is_node_id
from host_tools.times import iso
from node.policy.rules import DAY_S

# A hostile node or broker must not fill the disk.
_KEPT_MAX, _KEPT_MAX_PER_NODE = 100_000, 10_000
_ENDS_SOON_S = 30 * DAY_S  # so long before its end a policy is told of


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
    """Counts per node ("" for none that is known), the outboxes to send receipts for, and the
    oldest epoch of each node that is still expected: see Keyring.forget_before."""

    opened: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    duplicates: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    refused: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    kept: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    logs: list[LogState] = dataclasses.field(default_factory=list)
    oldest_epochs: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class _Log:
    """version: the highest policy version seen, from the envelope `version_from` on."""

    numbers: Numbers
    version: int
    version_from: int
    heard_s: int
    heard: int
    touched: list = dataclasses.field(default_factory=list)


class Store:
    """A store in the file `path`, made where there is none. Other processes may write to the same
    file; of this object, one thread at a time."""

    def __init__(self, path: Path, keyring: Keyring):
        self.keyring = keyring
        self._logs: dict[tuple[str, bytes], _Log] = {}
        self._heard = 0
        self._seen = None  # SQLite's data_version to which the two above belong
        self._file = StoreFile(path)
        self._db = self._file.db
        self._holds = Holds(self._db)
        self._notes = Notes(self._db)
        masked = Masked(self._db)
        self._retention = Retention(self._db, self._notes, masked)
        self._values = Values(self._db, self._notes, self._retention, masked)

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # a batch

    def take_batch(self, messages: list[tuple[str, bytes]], now_s: int) -> BatchResult:
        """Takes [(topic, payload)], commits, and only then returns. A sqlite3.Error leaves the
        store as it was before; ToolError when the file is no longer in its place."""
        result = BatchResult()
        with self._transaction(result, now_s):
            for topic, message in messages:
                self._take(topic, message, now_s, result)
        return result

    def retry_sealed(self, now_s: int) -> BatchResult:
        """Tries again what was kept sealed: call it when a key or a policy has come."""
        result = BatchResult()
        if self._db.execute("SELECT 1 FROM sealed LIMIT 1").fetchone() is None:
            return result
        with self._transaction(result, now_s):
            kept = self._db.execute("SELECT id, node, message FROM sealed ORDER BY id").fetchall()
            for id, node_id, message in kept:
                if self._is_duplicate(node_id, message, result):  # it came again, and opened
                    self._db.execute("DELETE FROM sealed WHERE id = ?", (id,))
                    continue
                outcome = open_envelope(self.keyring, node_id, message, now_s)
                if isinstance(outcome, Refusal) and outcome.keep:
                    continue
                self._db.execute("DELETE FROM sealed WHERE id = ?", (id,))
                self._settle(f"lp/{node_id}/up", node_id, message, outcome, now_s, result)
        return result

    def delete_expired(self, now_s: int) -> bool:
        """Deletes what its policy says is to be kept no longer; whether its bytes are gone from
        the files as well. Where not, since somebody is reading, do it again soon."""
        with self._begun("BEGIN IMMEDIATE"):
            self._retention.delete(now_s)
            deleted = self._retention.begin_sweep(now_s)
        if deleted is not None:
            self._sweep(deleted, now_s)
        return self._file.empty_log()

    def _sweep(self, deleted: int, now_s: int):
        """Writes the file anew; what hinders that is told, and hinders nothing else."""
        try:
            self._file.rewrite()
        except sqlite3.Error:
            with self._begun("BEGIN IMMEDIATE"):
                self._notes.tell("", "not rewritten", iso(now_s)[:10], now_s)
            return
        with self._begun("BEGIN IMMEDIATE"):
            self._retention.end_sweep(deleted)

    def logs(self) -> list[LogState]:
        """The outbox of each node that was heard last."""
        query = "SELECT node, log, max(heard) FROM log GROUP BY node"
        with self._begun("BEGIN"):
            rows = self._db.execute(query).fetchall()
            return [self._state(node_id, log) for node_id, log, _ in rows]

    @contextlib.contextmanager
    def _begun(self, begin: str):
        """From BEGIN to COMMIT nobody else writes, and what is in memory is what is in the file:
        SQLite's data_version says whether another process has committed since."""
        self._db.execute(begin)
        try:
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
            if version != self._seen:
                self._logs.clear()
                query = "SELECT coalesce(max(heard), 0) FROM log"
                (self._heard,) = self._db.execute(query).fetchone()
                self._seen = version
            yield
            self._db.execute("COMMIT")
            self._file.check_in_place()
        except BaseException:
            self._seen = None
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _transaction(self, result: BatchResult, now_s: int):
        with self._begun("BEGIN IMMEDIATE"):
            yield
            touched = [key for key, log in self._logs.items() if log.touched]
            for key in touched:
                self._save_log(key)
            self._save_tally(result)
            oldest_epochs = self._oldest_epochs(touched, now_s)
        result.logs = [self._state(*key) for key in touched]
        result.oldest_epochs = oldest_epochs
        for key in touched:
            self._logs[key].touched.clear()

    def _take(self, topic: str, message: bytes, now_s: int, result: BatchResult):
        node_id = _node_of(topic)
        if node_id is None:
            self._refuse("", topic, message, "topic", now_s, result)
            return
        if self._is_duplicate(node_id, message, result):
            return
        outcome = open_envelope(self.keyring, node_id, message, now_s)
        if isinstance(outcome, Refusal) and outcome.keep and self._has_more_keys():
            outcome = open_envelope(self.keyring, node_id, message, now_s)
        self._settle(topic, node_id, message, outcome, now_s, result)

    def _has_more_keys(self) -> bool:
        """Whether the keyring has changed: a node may send as soon as its key or policy is in."""
        try:
            return self.keyring.read_again()
        except (OSError, ToolError):  # the worker's look at it says so
            return False

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
            if reason == FORGOTTEN:
                self._notes.tell(node_id, "epoch forgotten", f"epoch {outcome.epoch}", now_s)
                self._touch_newest(node_id)  # the receipt takes a node that was set back to today
        self._refuse(node_id, topic, message, reason, now_s, result)

    def _touch_newest(self, node_id: str):
        """Has a receipt made for the outbox that was heard last, whatever it says."""
        row = self._db.execute(
            "SELECT log FROM log WHERE node = ? ORDER BY heard DESC LIMIT 1", (node_id,)
        ).fetchone()
        if row is not None:
            self._log(node_id, row[0]).touched.append(0)

    def _keep_opened(self, node_id: str, message: bytes, opened: Opened, now_s: int) -> str | None:
        """Stores an envelope that is new; returns why not."""
        log = self._log(node_id, opened.log)
        if log is None:
            log = self._new_log(node_id, opened.log, now_s)
        number = opened.number
        if number in log.numbers:
            self._notes.tell(
                node_id, "other bytes", name_numbers(opened.log, number, number), now_s
            )
            log.touched.append(number)  # from the receipt its node learns that numbers are taken
            return "number came with other bytes"
        version = opened.policy.version
        if version < log.version and number > log.version_from:
            self._notes.tell(node_id, "policy lowered", f"{log.version} to {version}", now_s)
            return "policy is older than before"
        if version > log.version or (version == log.version and number < log.version_from):
            log.version, log.version_from = version, number
        if version == log.version:
            self._tell_end(node_id, opened.policy, now_s)
        self._db.execute(
            "INSERT INTO envelope VALUES (?, ?, ?, ?, ?, ?)",
            (node_id, opened.log, number, _digest(message), opened.epoch, now_s),
        )
        if not log.heard:
            self._holds.before_outbox(node_id, opened.log, now_s)
        self._values.keep(node_id, opened, now_s)
        if number < log.numbers.floor:
            self._notes.tell(node_id, "found", name_numbers(opened.log, number, number), now_s)
        for first, last in log.numbers.add(number, opened.floor):
            self._notes.tell(node_id, "lost", name_numbers(opened.log, first, last), now_s)
            self._holds.after_loss(node_id, opened.log, first, now_s)
        log.touched.append(number)
        self._heard += 1
        log.heard, log.heard_s = self._heard, now_s
        return None

    def _tell_end(self, node_id: str, policy: KeptPolicy, now_s: int):
        """Tells once that the policy which a node uses ends soon, or has ended."""
        if policy.until_s - now_s < _ENDS_SOON_S:
            last_day = iso(policy.until_s - DAY_S)[:10]
            self._notes.tell(node_id, "policy ends", f"{policy.version} {last_day}", now_s)

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
        self._notes.tell(node_id, "kept sealed", refusal.reason, now_s)
        return True

    def _refuse(self, node_id: str, topic: str, message: bytes, reason: str, now_s: int, result):
        result.refused[self._known(node_id)] += 1
        self._notes.refuse(node_id, topic, reason, len(message), now_s)

    def _known(self, node_id: str) -> str:
        return node_id if self.keyring.node(node_id) else ""

    # outboxes

    def _log(self, node_id: str, log: bytes) -> _Log | None:
        key = node_id, log
        if key not in self._logs:
            row = self._db.execute(
                "SELECT floor, stored, version, version_from, heard_s, heard FROM log"
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
        self._notes.tell(node_id, "new outbox", log.hex(), now_s)
        self._logs[node_id, log] = _Log(Numbers(), version, 0, now_s, 0)
        return self._logs[node_id, log]

    def _save_log(self, key: tuple[str, bytes]):
        log = self._logs[key]
        stored = json.dumps(log.numbers.stored, separators=(",", ":"))
        self._db.execute(
            "INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, log.numbers.floor, stored, log.version, log.version_from, log.heard_s,
             log.heard),
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

    def _oldest_epochs(self, touched: list, now_s: int) -> dict[str, int]:
        """{node: the oldest epoch that is still expected}, of the nodes of these outboxes."""
        epochs = {}
        for node_id in {node_id for node_id, _ in touched}:
            keys = self.keyring.node(node_id)
            if keys is None:
                continue
            logs = {log: None for other, log in touched if other == node_id}
            logs.update(self._holds.of_node(node_id, now_s))
            oldest = [
                self._holds.oldest_epoch(node_id, log, self._log(node_id, log).numbers, first)
                for log, first in logs.items()
            ]
            (kept,) = self._db.execute(
                "SELECT min(epoch) FROM sealed WHERE node = ?", (node_id,)
            ).fetchone()
            if None in oldest:  # so the oldest that is held
                oldest = [keys.epoch]
            epochs[node_id] = min(oldest if kept is None else [*oldest, kept])
        return epochs


def _node_of(topic: str) -> str | None:
    parts = topic.split("/")
    if len(parts) == 3 and parts[0] == "lp" and parts[2] == "up" and is_node_id(parts[1]):
        return parts[1]
    return None


def _digest(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()
