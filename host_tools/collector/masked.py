# SPDX-License-Identifier: MIT
"""Masked values, kept so that the sum of any range of a node costs two look-ups.

A row covers from_s ≤ time < end_s; rows of a stream do not overlap. Rows that follow each other
without a gap and under one definition are a segment. `run` of a row is the sum modulo 2^64 of all
c of its segment up to that row, from a random start: what was deleted is in no difference of two
runs that are left. So the sum from the row that begins at a to the row that ends at b, of one
segment, is run(b) - run(a) + c(a), whatever lies between, and in whatever order it came.

c and run: 8 bytes for each element, big-endian.
"""

import contextlib
import enum
import functools
import itertools
import os
import secrets
import sqlite3
import struct
import typing

from host_tools.controller.documents import MODULUS
from node.policy.rules import Policy, Stream

_MASK = MODULUS - 1
_SEGMENT_BITS = 48  # drawn, so that no two of a stream's segments ever had the same


class MaskedRecord(typing.NamedTuple):
    """c covers from_s ≤ time < end_s, Unix time."""

    from_s: int
    end_s: int
    c: bytes


class Outcome(enum.Enum):
    """What became of a record."""

    ADDED = enum.auto()
    REPEATED = enum.auto()  # it is stored already
    ASIDE = enum.auto()  # it overlaps with others, which stay


class _Row(typing.NamedTuple):
    from_s: int
    end_s: int
    segment: int
    c: bytes
    run: bytes
    policy: int


@functools.cache
def _form(length: int) -> struct.Struct:
    return struct.Struct(f">{length // 8}Q")


def add(left: bytes, right: bytes) -> bytes:
    """Element by element, modulo 2^64."""
    form = _form(len(left))
    return form.pack(
        *[(a + b) & _MASK for a, b in zip(form.unpack(left), form.unpack(right), strict=True)]
    )


def subtract(left: bytes, right: bytes) -> bytes:
    """Element by element, modulo 2^64."""
    form = _form(len(left))
    return form.pack(
        *[(a - b) & _MASK for a, b in zip(form.unpack(left), form.unpack(right), strict=True)]
    )


def definition(stream: Stream) -> tuple:
    """What must be the same of two records for their sum to mean something."""
    return (
        stream.quantity, stream.window_s, stream.statistics, stream.bins, stream.resolution,
        stream.low, stream.high,
    )  # fmt: skip


class Masked:
    """The tables `masked` and `masked_aside`, within the transactions of others."""

    def __init__(self, db: sqlite3.Connection):
        self._db = db

    def add(self, node_id: str, stream: Stream, record: MaskedRecord, policy: int) -> Outcome:
        """Adds one record; policy: the row in table `policy` of the rules it was made under."""
        of, end_s = (node_id, stream.number), record.end_s
        found = self._db.execute(
            "SELECT from_s, end_s, segment, c, run, policy FROM masked"
            " WHERE node = ? AND stream = ? AND from_s <= ? ORDER BY from_s DESC",
            (*of, end_s),
        )
        left, right = _row(found), None
        if left is not None and left.from_s == end_s:
            left, right = _row(found), left
        found.close()
        if left is not None and left.end_s > record.from_s:
            if (left.from_s, left.end_s, left.c) == (record.from_s, end_s, record.c):
                return Outcome.REPEATED
            self._db.execute(
                "INSERT OR IGNORE INTO masked_aside VALUES (?, ?, ?, ?, ?, ?)",
                (*of, record.from_s, end_s, record.c, policy),
            )
            return Outcome.ASIDE
        if left is not None and not (
            left.end_s == record.from_s and self._links(stream.number, left.policy, policy)
        ):
            left = None
        if right is not None and not self._links(stream.number, policy, right.policy):
            right = None
        self._insert(of, record, policy, left, right)
        return Outcome.ADDED

    def _insert(self, of: tuple, record: MaskedRecord, policy: int, left, right):
        """left, right: the rows that it follows and precedes in one segment, or None."""
        if left is not None:
            segment, run = left.segment, add(left.run, record.c)
        elif right is not None:
            segment, run = right.segment, subtract(right.run, right.c)
        else:
            segment, run = secrets.randbits(_SEGMENT_BITS), os.urandom(len(record.c))
        self._db.execute(
            "INSERT INTO masked VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*of, record.from_s, record.end_s, segment, record.c, run, policy),
        )
        if left is not None and right is not None:
            behind = subtract(run, subtract(right.run, right.c))
            self._join(of, record.end_s, left.segment, right.segment, behind)

    def _links(self, number: int, before: int, after: int) -> bool:
        """Whether a row under one policy and the next under another are of one segment. Within it
        versions rise, so that its two ends tell of all between."""
        if before == after:
            return True
        old, new = self._policy(before), self._policy(after)
        ends = [next(one for one in rules.streams if one.number == number) for rules in (old, new)]
        return old.version < new.version and definition(ends[0]) == definition(ends[1])

    def _policy(self, id: int) -> Policy:
        (rules,) = self._db.execute("SELECT rules FROM policy WHERE id = ?", (id,)).fetchone()
        return Policy(rules)

    def _join(self, of: tuple, at_s: int, left: int, right: int, behind: bytes):
        """Makes one segment of the two that meet at at_s, by the rows of the shorter: each row is
        renumbered a few times at most. behind: what the runs of the right one lack."""
        query = "SELECT from_s, run, segment FROM masked WHERE node = ? AND stream = ? AND from_s"
        with (
            contextlib.closing(
                self._db.execute(f"{query} < ? ORDER BY from_s DESC", (*of, at_s))
            ) as lefts,
            contextlib.closing(
                self._db.execute(f"{query} >= ? ORDER BY from_s", (*of, at_s))
            ) as rights,
        ):
            earlier, later = [], []
            for a, b in itertools.zip_longest(_of(lefts, left), _of(rights, right)):
                if a is None or b is None:
                    break
                earlier.append(a)
                later.append(b)
        if a is None:
            rows = [(right, subtract(run, behind), *of, from_s) for from_s, run, _ in earlier]
        else:
            rows = [(left, add(run, behind), *of, from_s) for from_s, run, _ in later]
        self._renumber(rows)

    def delete(self, node_id: str, number: int, end_before_s: int, policy: int) -> int:
        """Deletes what ended before then and came under this policy; how many rows that were.
        Nothing that is left tells of their sum."""
        of = node_id, number
        aside = self._db.execute(
            "DELETE FROM masked_aside WHERE node = ? AND stream = ? AND from_s < ?"
            " AND end_s < ? AND policy = ?",
            (*of, end_before_s, end_before_s, policy),
        ).rowcount
        deleted = self._db.execute(
            "DELETE FROM masked WHERE node = ? AND stream = ? AND from_s < ? AND end_s < ?"
            " AND policy = ?",
            (*of, end_before_s, end_before_s, policy),
        ).rowcount
        if deleted:
            self._split(of, end_before_s)
        return aside + deleted

    def _split(self, of: tuple, before_s: int):
        """Where rows of a segment are left on both sides of what was deleted, those before it
        become a segment of their own, with a start of its own."""
        rows = self._db.execute(
            "SELECT from_s, end_s, segment, run FROM masked WHERE node = ? AND stream = ?"
            " AND from_s < ? UNION ALL SELECT * FROM (SELECT from_s, end_s, segment, run"
            " FROM masked WHERE node = ? AND stream = ? AND from_s >= ? ORDER BY from_s LIMIT 1)",
            (*of, before_s, *of, before_s),
        ).fetchall()
        group = []
        for row, following in itertools.pairwise(sorted(rows)):
            group.append(row)
            if row[1] == following[0] and row[2] == following[2]:
                continue
            if row[2] == following[2]:
                segment, start = secrets.randbits(_SEGMENT_BITS), os.urandom(len(row[3]))
                self._renumber([(segment, add(one[3], start), *of, one[0]) for one in group])
            group = []

    def _renumber(self, rows: list):
        """rows: [(segment, run, node, stream, from_s)]"""
        self._db.executemany(
            "UPDATE masked SET segment = ?, run = ? WHERE node = ? AND stream = ? AND from_s = ?",
            rows,
        )


def _row(found: sqlite3.Cursor) -> _Row | None:
    row = found.fetchone()
    return None if row is None else _Row._make(row)


def _of(rows, segment: int):
    """The rows of this segment, which is what comes first."""
    return itertools.takewhile(lambda row: row[2] == segment, rows)
