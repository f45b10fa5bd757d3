# SPDX-License-Identifier: MIT
"""What the records of an envelope say becomes rows: of a plain stream one per value, of a masked
one in masked.py's tables."""

import sqlite3

from host_tools.collector.masked import Masked, MaskedRecord, Outcome
from host_tools.collector.notes import Notes, name_numbers
from host_tools.collector.open_envelope import Opened
from host_tools.collector.retention import Retention
from node.pipeline.quantities import QUANTITIES
from node.policy.rules import Stream


class Values:
    """The table `value`, and what masked.py keeps, within the transactions of others."""

    def __init__(self, db: sqlite3.Connection, notes: Notes, retention: Retention, masked: Masked):
        self._db = db
        self._notes = notes
        self._retention = retention
        self._masked = masked

    def keep(self, node_id: str, opened: Opened, now_s: int):
        """Stores the values of an envelope that is new, those that may still be kept."""
        if not opened.records:
            return
        streams = {one.number: one for one in opened.policy.streams}
        due = [(streams[record[0]], record) for record in opened.records]
        kept = [pair for pair in due if not self._is_over(opened, *pair, now_s)]
        if len(kept) < len(due):
            self._notes.tell(node_id, "came too late", opened.log.hex(), now_s)
        if not kept:
            return
        policy, troubles = self._retention.row_of(opened.policy), set()
        rows = []
        for stream, record in kept:
            if stream.bins is None:
                rows += rows_of(node_id, stream, record, policy)
            elif record[3] is not None:
                troubles.add(_EVENTS[self._add_masked(node_id, stream, record, policy)])
        if rows and self._has_any(rows):
            troubles.add("slot came again")
        for kind in troubles - {None}:
            name = name_numbers(opened.log, opened.number, opened.number)
            self._notes.tell(node_id, kind, name, now_s)

    def _is_over(self, opened: Opened, stream: Stream, record: list, now_s: int) -> bool:
        start_s = record[1] * stream.window_s
        return self._retention.is_over(opened.policy, stream, start_s, now_s)

    def _add_masked(self, node_id: str, stream: Stream, record: list, policy: int) -> Outcome:
        _, slot, first, c = record
        span_s = first * stream.window_s, (slot + 1) * stream.window_s
        return self._masked.add(node_id, stream, MaskedRecord(*span_s, c), policy)

    def _has_any(self, rows: list) -> bool:
        """Stores values that are not masked; whether there was one already of any of them."""
        inserted = self._db.executemany(
            "INSERT OR IGNORE INTO value VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        ).rowcount
        return inserted < len(rows)


_EVENTS = {
    Outcome.ADDED: None,
    Outcome.REPEATED: "slot came again",
    Outcome.ASIDE: "masked ranges overlap",
}


def rows_of(node_id: str, stream: Stream, record: list, policy: int | None):
    """One row per value, in the quantity's scale, as in table `value`."""
    number, slot, *steps = record
    unit, scale, _, _ = QUANTITIES[stream.quantity]
    window_s = stream.window_s
    for statistic, step in zip(stream.statistics, steps, strict=True):
        shown = (unit, scale, stream.resolution)
        if statistic == "count":
            shown = ("samples", 1, 1)
        value = None if step is None else step * shown[2]
        yield (node_id, number, slot * window_s, statistic, window_s, stream.quantity,
               *shown, value, policy)  # fmt: skip
