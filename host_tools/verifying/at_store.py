# SPDX-License-Identifier: MIT
"""Looks into a collector's store for what it has opened of a node, while the collector writes."""

import dataclasses
from pathlib import Path

from host_tools.collector.events import words
from host_tools.collector.read_store import open_to_read
from host_tools.errors import ToolError
from host_tools.times import short
from host_tools.verifying import reasons
from host_tools.verifying.first_record import MASKED, FirstRecord, of_row
from node.policy.rules import Policy

_COLUMNS = (
    "node, stream, slot_start_s, statistic, window_s, quantity, unit, scale, resolution, value,"
    " policy"
)
_MASKED_VERSION = 3  # of a store: from this one on it has the table


class StoreWatch:
    """path: the store. A context manager. ToolError when there is no store."""

    def __init__(self, path: Path):
        self._path = path
        self._since_s: dict[str, float] = {}
        self._db = open_to_read(path)
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        self._has_masked = version >= _MASKED_VERSION

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._db.close()

    def policy(self, node_id: str) -> Policy | None:
        """One under which records of this node came; None when there are none."""
        for table in ("value", "masked") if self._has_masked else ("value",):
            query = (
                "SELECT rules FROM policy WHERE id ="
                f" (SELECT policy FROM {table} WHERE node = ? LIMIT 1)"
            )
            row = self._db.execute(query, (node_id,)).fetchone()
            if row is not None:
                return Policy(row[0])
        return None

    def add(self, node_id: str, since_s: float = 0):
        """since_s: only a record counts whose window ended then or later (Unix time)."""
        self._since_s[node_id] = since_s

    def look(self, node_id: str) -> FirstRecord | None:
        """The newest record; of those that are as new, the first with a value."""
        found = self._newest(node_id, self._since_s[node_id])
        return found and self._opened(found)

    def why(self, node_id: str, limit_s: float) -> ToolError:
        """What this store knows of a node that has no such record."""
        one, where = self._db.execute, f"{self._path}, node {node_id}"
        query = "SELECT count(*) FROM sealed WHERE node = ?"
        (kept,) = one(query, (node_id,)).fetchone()
        if kept:
            query = (
                "SELECT detail FROM event WHERE node = ? AND kind = 'kept sealed'"
                " ORDER BY id DESC LIMIT 1"
            )
            detail = (one(query, (node_id,)).fetchone() or ("unknown node",))[0]
            hint = reasons.HINTS.get(detail) or words("kept sealed", detail)[1]
            return ToolError(f"{where}: {kept} envelopes came and do not open: {detail}", hint)
        query = (
            "SELECT reason FROM refused WHERE node = ? AND time_s >= ? ORDER BY id DESC LIMIT 1"
        )
        refused = one(query, (node_id, self._since_s[node_id])).fetchone()
        if refused is not None:
            return reasons.refused(where, refused[0])
        newest = self._newest(node_id, 0)
        if newest is not None:
            end = short(newest.start_s + newest.window_s)
            return ToolError(f"{where}: its newest record is of {end} UTC", reasons.SILENT)
        query = "SELECT 1 FROM envelope WHERE node = ? LIMIT 1"
        if one(query, (node_id,)).fetchone() is not None:
            return reasons.no_records(where)
        return reasons.nothing(where, limit_s)

    def _newest(self, node_id: str, since_s: float) -> FirstRecord | None:
        found = []
        for (rules,) in self._db.execute("SELECT rules FROM policy"):
            for stream in Policy(rules).streams:
                if stream.bins is None:
                    found += self._plain(node_id, stream, since_s)
                elif self._has_masked:
                    found += self._masked(node_id, stream, since_s)
        order = {(-one.start_s - one.window_s, not one.is_value, one.stream): one for one in found}
        return order[min(order)] if order else None

    def _plain(self, node_id: str, stream, since_s: float) -> list[FirstRecord]:
        query = (
            f"SELECT {_COLUMNS} FROM value WHERE node = ? AND stream = ? AND statistic = ?"
            " AND slot_start_s >= ? ORDER BY slot_start_s DESC LIMIT 1"
        )
        row = (node_id, stream.number, stream.statistics[0], since_s - stream.window_s)
        return [of_row(row, 0) for row in self._db.execute(query, row)]

    def _masked(self, node_id: str, stream, since_s: float) -> list[FirstRecord]:
        query = (
            "SELECT end_s FROM masked WHERE node = ? AND stream = ? ORDER BY from_s DESC LIMIT 1"
        )
        window_s = stream.window_s
        return [
            FirstRecord(node_id, stream.number, stream.quantity, "", end_s - window_s, window_s,
                        "", MASKED, False, 0)
            for (end_s,) in self._db.execute(query, (node_id, stream.number))
            if end_s >= since_s
        ]  # fmt: skip

    def _opened(self, record: FirstRecord) -> FirstRecord:
        """With the time at which its envelope came: that of the first one that could hold it."""
        query = "SELECT min(received_s) FROM envelope WHERE node = ? AND received_s >= ?"
        end_s = record.start_s + record.window_s
        (opened_s,) = self._db.execute(query, (record.node_id, end_s)).fetchone()
        if opened_s is None:  # the node's clock is ahead of the store's
            query = "SELECT max(received_s) FROM envelope WHERE node = ?"
            (opened_s,) = self._db.execute(query, (record.node_id,)).fetchone()
        return dataclasses.replace(record, opened_s=opened_s)
