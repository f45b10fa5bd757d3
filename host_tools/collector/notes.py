# SPDX-License-Identifier: MIT
"""What a store notes for people: events, and what was refused. Never a value."""

import sqlite3

_NOTES_MAX = 10_000  # of each: the newest stay


class Notes:
    """The tables `event` and `refused`, within the transactions of others."""

    def __init__(self, db: sqlite3.Connection):
        self._db = db

    def tell(self, node_id: str, kind: str, detail: str, now_s: int):
        """An event, once: events.py says what it means."""
        done = self._db.execute(
            "INSERT OR IGNORE INTO event (time_s, node, kind, detail) VALUES (?, ?, ?, ?)",
            (now_s, node_id, kind, detail),
        )
        if done.rowcount:
            self._trim("event")

    def add_up(self, node_id: str, kind: str, head: str, number: int, now_s: int):
        """An event whose detail is `head` and a sum: one, whose sum grows."""
        row = self._db.execute(
            "SELECT id, detail FROM event WHERE node = ? AND kind = ? AND detail >= ?"
            " AND detail < ?",
            (node_id, kind, head + " ", head + "!"),
        ).fetchone()
        if row is None:
            self.tell(node_id, kind, f"{head} {number}", now_s)
            return
        number += int(row[1].split(" ")[-1])
        self._db.execute(
            "UPDATE event SET time_s = ?, detail = ? WHERE id = ?",
            (now_s, f"{head} {number}", row[0]),
        )

    def refuse(self, node_id: str, topic: str, reason: str, size: int, now_s: int):
        self._db.execute(
            "INSERT INTO refused (time_s, node, topic, reason, size) VALUES (?, ?, ?, ?, ?)",
            (now_s, node_id, topic[:200], reason, size),
        )
        self._trim("refused")

    def _trim(self, table: str):
        """Rows are numbered without gaps as long as only the oldest are deleted."""
        self._db.execute(
            f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - {_NOTES_MAX}"
        )


def name_numbers(log: bytes, first: int, last: int) -> str:
    """Envelopes of an outbox, as events name them."""
    numbers = str(first) if first == last else f"{first}–{last}"
    return f"{log.hex()} {numbers}"
