# SPDX-License-Identifier: MIT
"""Which epoch of a node is the oldest from which an envelope may still come: no seal before it is
needed any more.

An envelope that nobody has committed may be in the hands of another worker, or wait for it at the
broker. Its number is then missing here, and what is missing and not below the floor holds its
epoch by itself. What is below the floor its node has given up: that copy is the last. So a loss
holds its epoch for a week, and so does a new outbox hold all that its node sent before, since an
outbox that was never heard of has no missing numbers.
"""

import sqlite3

from host_tools.collector.numbers import Numbers

HOLD_S = 7 * 86_400


class Holds:
    """The table `held`, within the transactions of others. first: the lowest number that holds its
    epoch, 0 for all that came before the outbox."""

    def __init__(self, db: sqlite3.Connection):
        self._db = db

    def after_loss(self, node_id: str, log: bytes, number: int, now_s: int):
        """Numbers from `number` on were found to be lost."""
        self._hold(node_id, log, number, now_s)

    def before_outbox(self, node_id: str, log: bytes, now_s: int):
        """This outbox was not heard of before."""
        self._hold(node_id, log, 0, now_s)

    def _hold(self, node_id: str, log: bytes, first: int, now_s: int):
        self._db.execute(
            "INSERT INTO held VALUES (?, ?, ?, ?) ON CONFLICT (node, log) DO UPDATE SET"
            " first = CASE WHEN until_s > ? THEN min(first, excluded.first) ELSE excluded.first"
            " END, until_s = max(until_s, excluded.until_s)",
            (node_id, log, first, now_s + HOLD_S, now_s),
        )

    def of_node(self, node_id: str, now_s: int) -> dict[bytes, int]:
        """{log: first} of what is held at present; forgets the others."""
        self._db.execute("DELETE FROM held WHERE node = ? AND until_s <= ?", (node_id, now_s))
        return dict(self._db.execute("SELECT log, first FROM held WHERE node = ?", (node_id,)))

    def oldest_epoch(
        self, node_id: str, log: bytes, numbers: Numbers, first: int | None
    ) -> int | None:
        """The oldest epoch expected of one outbox: that of the last number before which nothing is
        awaited, since epochs only rise with the numbers. None when there is no such number."""
        if first == 0:
            if not self._is_first(node_id, log):
                return None
            first = 1
        upto = numbers.upto()
        if first is not None:
            missing = numbers.lost(first)
            upto = missing[0][0] - 1 if missing else upto
        row = self._db.execute(
            "SELECT epoch FROM envelope WHERE node = ? AND log = ? AND number <= ?"
            " ORDER BY number DESC LIMIT 1",
            (node_id, log, upto),
        ).fetchone()
        return None if row is None else row[0]

    def _is_first(self, node_id: str, log: bytes) -> bool:
        """Whether its node began with this outbox, on its first day: no other is to come."""
        query = "SELECT epoch FROM envelope WHERE node = ? AND log = ? AND number = 1"
        begun = self._db.execute(query, (node_id, log)).fetchone()
        query = "SELECT 1 FROM envelope WHERE node = ? AND log <> ? LIMIT 1"
        other = self._db.execute(query, (node_id, log)).fetchone()
        return begun == (0,) and other is None
