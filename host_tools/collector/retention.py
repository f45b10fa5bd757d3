# SPDX-License-Identifier: MIT
"""How long a store keeps what: a value as long as the terms say under which it came, what is
sealed 400 days.

Only values go. That their envelopes came stays known, so nothing becomes a gap, and what comes
twice is found. Table `policy` holds the rules and terms of all values, whatever the keyring holds.

What is deleted is overwritten. A copy that SQLite left when it moved a row is not: once a day the
file is written anew, if anything was deleted since the last time. Table `sweep` knows.
"""

import sqlite3

from host_tools.collector.kept_policy import KeptPolicy
from host_tools.collector.masked import Masked
from host_tools.collector.notes import Notes
from host_tools.policy.terms import read_terms
from host_tools.times import iso
from node.policy.rules import DAY_S, Policy, Stream

SEALED_DAYS = 400  # a year for whoever has the key or the policy, and some


def goes_s(stream: Stream, slot_start_s: int, retention_days: int) -> int:
    """When the value of that window is to go (Unix time)."""
    return slot_start_s + stream.window_s + retention_days * DAY_S


class Retention:
    """The table `policy`, and what is too old in others, within the transactions of others."""

    def __init__(self, db: sqlite3.Connection, notes: Notes, masked: Masked):
        self._db = db
        self._notes = notes
        self._masked = masked

    def row_of(self, policy: KeptPolicy) -> int:
        """The policy's row in table `policy`, made when there is none."""
        query = "SELECT id FROM policy WHERE digest = ?"
        row = self._db.execute(query, (policy.digest,)).fetchone()
        if row is not None:
            return row[0]
        return self._db.execute(
            "INSERT INTO policy (digest, rules, terms) VALUES (?, ?, ?)",
            (policy.digest, policy.rules, policy.encoded_terms),
        ).lastrowid

    def is_over(self, policy: KeptPolicy, stream: Stream, slot_start_s: int, now_s: int) -> bool:
        """Whether the value of that window may no longer be kept."""
        days = policy.terms.streams[stream.number].retention_days
        return goes_s(stream, slot_start_s, days) < now_s

    def delete(self, now_s: int):
        """Deletes all that may no longer be kept, and tells how much it was."""
        day = iso(now_s)[:10]
        deleted = self._delete_values(now_s)
        for number, count in sorted(deleted.items()):
            self._notes.add_up("", "deleted", f"{day} {number}", count, now_s)
        before_s = now_s - SEALED_DAYS * DAY_S
        query = "SELECT node, count(*) FROM sealed WHERE received_s < ? GROUP BY node"
        for node_id, count in self._db.execute(query, (before_s,)).fetchall():
            self._notes.add_up(node_id, "deleted sealed", day, count, now_s)
        query = "DELETE FROM sealed WHERE received_s < ?"
        count = sum(deleted.values()) + self._db.execute(query, (before_s,)).rowcount
        self._db.execute("UPDATE sweep SET deleted = deleted + ?", (count,))

    def begin_sweep(self, now_s: int) -> int | None:
        """Whether the file is to be written anew, for end_sweep(); the other workers leave it."""
        deleted, swept, swept_s = self._db.execute("SELECT * FROM sweep").fetchone()
        if deleted == swept or 0 <= now_s - swept_s < DAY_S:
            return None
        self._db.execute("UPDATE sweep SET swept_s = ?", (now_s,))
        return deleted

    def end_sweep(self, deleted: int):
        """It was, when so much had been deleted."""
        self._db.execute("UPDATE sweep SET swept = max(swept, ?)", (deleted,))

    def _delete_values(self, now_s: int) -> dict[int, int]:
        """{number of a stream: how many of its values}"""
        deleted = {}
        node_ids = [row[0] for row in self._db.execute("SELECT DISTINCT node FROM log")]
        for id, rules, terms in self._db.execute("SELECT id, rules, terms FROM policy").fetchall():
            kept = read_terms(terms).streams
            for stream in Policy(rules).streams:
                before_s = now_s - goes_s(stream, 0, kept[stream.number].retention_days)
                if before_s <= 0:
                    continue
                count = sum(self._delete_of(node_id, stream, before_s, id) for node_id in node_ids)
                if count > 0:
                    deleted[stream.number] = deleted.get(stream.number, 0) + count
        return deleted

    def _delete_of(self, node_id: str, stream: Stream, before_s: int, policy: int) -> int:
        """Deletes the values of windows that began before then."""
        if stream.bins is not None:
            end_s = before_s + stream.window_s
            return self._masked.delete(node_id, stream.number, end_s, policy)
        return self._db.execute(
            "DELETE FROM value WHERE node = ? AND stream = ? AND slot_start_s < ? AND policy = ?",
            (node_id, stream.number, before_s, policy),
        ).rowcount
