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
        policy, streams = opened.policy, {one.number: one for one in opened.policy.streams}
        due = [(streams[record[0]], record) for record in opened.records]
        kept = [
            (stream, record) for stream, record in due
            if not self._retention.is_over(policy, stream, record[1] * stream.window_s, now_s)
        ]  # fmt: skip
        if len(kept) < len(due):
            self._notes.tell(node_id, "came too late", opened.log.hex(), now_s)
        if not kept:
            return
        id = self._retention.row_of(policy)
        plain = [pair for pair in kept if pair[0].bins is None]
        troubles = {"slot came again"} if self._has_row(node_id, plain, id) else set()
        for stream, (_, slot, first, c) in (pair for pair in kept if pair[0].bins is not None):
            if c is not None:
                window_s = stream.window_s
                record = MaskedRecord(first * window_s, (slot + 1) * window_s, c)
                outcome = self._masked.add(node_id, stream, record, id)
                troubles.add(_EVENTS.get(outcome))
        for kind in troubles - {None}:
            name = name_numbers(opened.log, opened.number, opened.number)
            self._notes.tell(node_id, kind, name, now_s)

    def _has_row(self, node_id: str, plain: list, policy: int) -> bool:
        """Stores values that are not masked; whether there was one already of any of them."""
        rows = [row for pair in plain for row in _rows(node_id, *pair, policy)]
        inserted = self._db.executemany(
            "INSERT OR IGNORE INTO value VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        ).rowcount
        return inserted < len(rows)


_EVENTS = {Outcome.REPEATED: "slot came again", Outcome.ASIDE: "masked ranges overlap"}


def _rows(node_id: str, stream: Stream, record: list, policy: int):
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
