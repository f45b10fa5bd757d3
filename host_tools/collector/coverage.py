# SPDX-License-Identifier: MIT
"""Which nodes cover a time with masked values, and what these add up to: two look-ups per node.

No key is needed, so any copy of a store will do.
"""

import dataclasses
import functools
import json
import sqlite3
import struct

from host_tools.collector.masked import definition
from host_tools.controller.documents import MODULUS
from host_tools.errors import ToolError
from host_tools.policy.terms import StreamTerms, read_terms
from host_tools.times import short
from node.policy.rules import Policy, Stream

# Of each node that has one segment from the row that begins at a to the row that ends at b.
_ENDS = """
SELECT {} FROM json_each(?) AS one
CROSS JOIN masked AS a ON a.node = one.value AND a.stream = ? AND a.from_s = ?
CROSS JOIN masked AS b ON b.node = one.value AND b.stream = a.stream AND b.from_s = (
    SELECT max(from_s) FROM masked WHERE node = one.value AND stream = a.stream AND from_s < ?)
WHERE b.end_s = ? AND b.segment = a.segment
"""


@dataclasses.dataclass(frozen=True)
class MaskedPolicy:
    """A policy under which a stream is masked: its row, its digest, the stream and its terms."""

    id: int
    name: str
    version: int
    digest: bytes
    stream: Stream
    terms: StreamTerms


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Why a node does not cover a time, and from when to when. reason: a key of REASONS."""

    node_id: str
    reason: str
    from_s: int
    to_s: int

    def words(self) -> str:
        return f"{REASONS[self.reason]}, from {short(self.from_s)} to {short(self.to_s)}"


REASONS = {
    "gap": "nothing came",
    "across": "one masked value covers it, and more",
    "redefined": "another policy, or another definition of the stream, began in it",
    "other": "its policy defines the stream otherwise than that of most nodes",
}


class MaskedReader:
    """The masked values of one stream, by its number, in an opened store."""

    def __init__(self, db: sqlite3.Connection, number: int):
        self._db = db
        self.number = number
        self.policies = {one.id: one for one in policies_of(db) if one.stream.number == number}

    def node_ids(self) -> list[str]:
        """The nodes that have sent anything of it."""
        query = (
            "SELECT node FROM (SELECT DISTINCT node FROM log) AS one WHERE EXISTS"
            " (SELECT 1 FROM masked WHERE node = one.node AND stream = ?) ORDER BY 1"
        )
        return [row[0] for row in self._db.execute(query, (self.number,))]

    def newest_s(self, node_id: str) -> int | None:
        """When what came last ends."""
        query = "SELECT end_s FROM masked WHERE node = ? AND stream = ? ORDER BY from_s DESC"
        row = self._db.execute(query + " LIMIT 1", (node_id, self.number)).fetchone()
        return None if row is None else row[0]

    def common_span(self) -> tuple[int, int] | None:
        """The time that the newest segments of all nodes that sent anything of it have in common;
        None where that is no time. It reads all of them: for stores of a demo's size."""
        query = (
            "SELECT max(first), min(last) FROM (SELECT min(from_s) AS first, max(end_s) AS last"
            " FROM masked AS one WHERE stream = ? AND segment = (SELECT segment FROM masked"
            " WHERE node = one.node AND stream = one.stream ORDER BY from_s DESC LIMIT 1)"
            " GROUP BY node)"
        )
        begin_s, end_s = self._db.execute(query, (self.number,)).fetchone()
        return None if begin_s is None or end_s <= begin_s else (begin_s, end_s)

    def covering(self, nodes, ranges) -> dict[str, set[int]]:
        """{node: the rows of its policies, from each range's ends}, of those of `nodes` that
        cover all ranges."""
        found = {node_id: set() for node_id in nodes}
        for span in ranges:
            rows = self._ends("one.value, a.policy, b.policy", found, span)
            found = {node_id: found[node_id].union(ids) for node_id, *ids in rows}
        return found

    def policies_between(self, node_id: str, from_s: int, to_s: int) -> set[int]:
        """All policies of a segment: within it their versions rise, so where two rows have the
        same policy all between have it as well."""
        find = functools.partial(self._policy_at, node_id)
        return _between(find, from_s, to_s - 1, find(from_s), find(to_s - 1))

    def is_one(self, policies) -> bool:
        """Whether these rows of `policy` define the stream in one way."""
        return len({definition(self.policies[id].stream) for id in policies}) == 1

    def totals(self, nodes, span: tuple[int, int]) -> tuple[int, ...]:
        """Σ c of each element modulo 2^64 over nodes and range. ToolError when one of the nodes
        does not cover it."""
        rows = self._ends("a.policy, a.c, a.run, b.run", nodes, span)
        if len(rows) < len(nodes):
            raise ToolError(
                f"{len(nodes) - len(rows)} of the nodes no longer cover what the request names",
                "take the store that the request was made with, or ask anew",
            )
        if not self.is_one({row[0] for row in rows}):
            raise ToolError("the nodes' policies define the stream in different ways", "ask anew")
        first, before, last = (_sums([row[column] for row in rows]) for column in (1, 2, 3))
        ends = zip(first, before, last, strict=True)
        return tuple((c - run_a + run_b) % MODULUS for c, run_a, run_b in ends)

    def why_not(self, node_id: str, from_s: int, to_s: int) -> LeftOut | None:
        """The first reason for which a node does not cover a time."""
        rows = self._db.execute(
            "SELECT from_s, end_s, segment FROM masked WHERE node = ? AND stream = ?"
            " AND from_s >= coalesce((SELECT max(from_s) FROM masked WHERE node = ?"
            " AND stream = ? AND from_s <= ?), ?) AND from_s < ? ORDER BY from_s",
            (node_id, self.number, node_id, self.number, from_s, from_s, to_s),
        )
        at_s, segment = from_s, None
        for begins_s, ends_s, name in rows:
            if ends_s <= from_s:
                continue
            if begins_s > at_s:
                return LeftOut(node_id, "gap", at_s, begins_s)
            if begins_s < from_s or ends_s > to_s:
                return LeftOut(node_id, "across", begins_s, ends_s)
            if segment not in (None, name):
                return LeftOut(node_id, "redefined", begins_s, to_s)
            at_s, segment = ends_s, name
        return LeftOut(node_id, "gap", at_s, to_s) if at_s < to_s else None

    def _ends(self, columns: str, nodes, span: tuple[int, int]) -> list[tuple]:
        """Of each node that covers the range: columns of the row that begins it, a, and of the
        row that ends it, b."""
        from_s, to_s = span
        values = (json.dumps(list(nodes)), self.number, from_s, to_s, to_s)
        return self._db.execute(_ENDS.format(columns), values).fetchall()

    def _policy_at(self, node_id: str, time_s: int) -> int:
        query = "SELECT policy FROM masked WHERE node = ? AND stream = ? AND from_s <= ?"
        values = (node_id, self.number, time_s)
        return self._db.execute(query + " ORDER BY from_s DESC LIMIT 1", values).fetchone()[0]


def policies_of(db: sqlite3.Connection) -> list[MaskedPolicy]:
    """One for each policy of a store and each stream that it masks; none in a store of before
    there were any."""
    found = []
    for id, digest, rules, terms in db.execute("SELECT id, digest, rules, terms FROM policy"):
        policy = Policy(rules)
        masked = [stream for stream in policy.streams if stream.bins is not None]
        streams = read_terms(terms).streams if masked else {}
        for one in masked:
            found.append(MaskedPolicy(
                id, policy.id, policy.version, digest, one, streams[one.number]
            ))  # fmt: skip
    return found


def _between(find, first_s: int, last_s: int, first: int, last: int) -> set[int]:
    if first == last or last_s - first_s < 2:
        return {first, last}
    middle_s = (first_s + last_s) // 2
    middle = find(middle_s)
    return _between(find, first_s, middle_s, first, middle) | _between(
        find, middle_s, last_s, middle, last
    )


def _sums(blobs: list[bytes]) -> tuple[int, ...]:
    """Of each element. Whole columns at once, and in halves of 32 bits, whose sums Python makes at
    C speed: a thousand nodes take a tenth of a millisecond."""
    words = len(blobs[0]) // 4 if blobs else 0
    numbers = struct.unpack(f">{len(blobs) * words}I", b"".join(blobs))
    halves = [sum(numbers[word::words]) for word in range(words)]
    return tuple((high << 32) + low for high, low in zip(halves[::2], halves[1::2], strict=True))
