# SPDX-License-Identifier: MIT
"""Reads a store, also while a collector writes to it."""

import dataclasses
import json
import sqlite3
from pathlib import Path

from host_tools.collector.coverage import policies_of
from host_tools.collector.numbers import Numbers, count
from host_tools.collector.retention import goes_s
from host_tools.collector.store_file import check_store
from host_tools.errors import ToolError
from host_tools.policy.terms import read_terms
from node.policy.rules import Policy

_CACHE_KIB = 65_536  # so that the upper pages of a large table are read once
_ORDER = ("mean", "min", "max", "sum", "last", "count")


@dataclasses.dataclass(frozen=True)
class Series:
    """One statistic of one quantity of one node. points: [(slot_start_s, value)], in the
    quantity's scale, rising; value None where it was withheld or could not be measured."""

    node_id: str
    stream: int
    quantity: str
    statistic: str
    window_s: int
    unit: str
    scale: int
    resolution: int
    points: list

    def shown(self, value: int | None) -> str:
        """The value in its unit; empty for None."""
        return "" if value is None else shown(value, self.scale, self.resolution)


@dataclasses.dataclass(frozen=True)
class NodeAccount:
    """What became of a node's envelopes. kept: how many are kept sealed at present; lost: ranges
    of numbers of its newest outbox."""

    node_id: str
    opened: int
    duplicates: int
    refused: int
    kept: int
    lost: list
    heard_s: int | None

    def lost_count(self) -> int:
        return count(self.lost)


@dataclasses.dataclass(frozen=True)
class Holding:
    """What a store holds of one stream of a node under one policy. values: how many; oldest_s: the
    start of the oldest window; goes_s: when it may no longer be kept (Unix time)."""

    node_id: str
    stream: int
    quantity: str
    policy: str
    version: int
    values: int
    oldest_s: int
    retention_days: int
    goes_s: int
    purpose: str
    legal_basis: str


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; ToolError when there is no store."""
    path = Path(path)
    if not path.is_file():
        raise ToolError(f"{path}: there is no such store", "give the .sqlite file of a collector")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as err:
        raise ToolError(f"{path}: {err}", "check who may read it") from err
    try:
        check_store(db, path)
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except ToolError:
        db.close()
        raise
    return db


class StoreReader:
    """Reads the store in the file `path`."""

    def __init__(self, path: Path):
        self._db = open_to_read(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._db.close()

    def node_ids(self) -> list[str]:
        """All nodes of which something is known."""
        rows = self._db.execute(
            "SELECT node FROM log UNION SELECT node FROM tally UNION SELECT node FROM sealed"
        )
        return sorted(row[0] for row in rows if row[0])

    def quantities(self) -> list[str]:
        rows = self._db.execute("SELECT DISTINCT quantity FROM value")
        return sorted({row[0] for row in rows}.union(
            one.stream.quantity for one in policies_of(self._db)
        ))  # fmt: skip

    def newest_s(self, table: str = "value") -> int | None:
        """The time of the newest entry: of a value, the end of its window."""
        column = "slot_start_s + window_s" if table == "value" else "time_s"
        return self._db.execute(f"SELECT max({column}) FROM {table}").fetchone()[0]

    def series(self, nodes=(), quantities=(), since_s: int | None = None) -> list[Series]:
        """Per node, stream and statistic; empty tuples mean all."""
        where, values = _where({"node": nodes, "quantity": quantities}, "slot_start_s", since_s)
        rows = self._db.execute(
            "SELECT node, stream, quantity, statistic, window_s, unit, scale, resolution,"
            f" slot_start_s, value FROM value{where} ORDER BY node, stream, slot_start_s",
            values,
        )
        found = {}
        for *head, slot_start_s, value in rows:
            found.setdefault(tuple(head), []).append((slot_start_s, value))
        ordered = sorted(found, key=lambda head: (*head[:2], _ORDER.index(head[3])))
        return [Series(*head, found[head]) for head in ordered]

    def holdings(self, nodes=(), quantities=()) -> list[Holding]:
        """By node, stream and policy version; empty tuples mean all. A masked value counts as
        one, whatever it is made of."""
        where, values = _where({"node": nodes, "quantity": quantities}, "slot_start_s", None)
        rows = self._db.execute(
            "SELECT node, stream, policy, count(*), min(slot_start_s) FROM value"
            f"{where} GROUP BY node, stream, policy",
            values,
        )
        found = self._held(rows) + self.masked(nodes, quantities)
        return sorted(found, key=lambda one: (one.node_id, one.stream, one.version, one.policy))

    def masked(self, nodes=(), quantities=()) -> list[Holding]:
        """What is held of masked streams, which nobody can read singly; empty tuples mean all."""
        if not policies_of(self._db):  # as in a store of before, which has no such table
            return []
        where, values = _where({"node": nodes}, "from_s", None)
        rows = self._db.execute(
            f"SELECT node, stream, policy, count(*), min(end_s) FROM masked{where}"
            " GROUP BY node, stream, policy",
            values,
        )
        held = self._held(rows, ends=True)
        return [one for one in held if not quantities or one.quantity in quantities]

    def _held(self, rows, ends: bool = False) -> list[Holding]:
        """rows: of (node, stream, row in `policy`, how many, start, or else end, of the oldest
        window)"""
        query = "SELECT id, rules, terms FROM policy"
        policies = {
            id: (Policy(rules), read_terms(terms).streams)
            for id, rules, terms in self._db.execute(query)
        }
        holdings = []
        for node_id, number, id, held, oldest_s in rows:
            policy, terms = policies[id]
            stream = next(one for one in policy.streams if one.number == number)
            kept = terms[number]
            oldest_s -= stream.window_s if ends else 0
            holdings.append(Holding(
                node_id, number, stream.quantity, policy.id, policy.version, held, oldest_s,
                kept.retention_days, goes_s(stream, oldest_s, kept.retention_days),
                kept.purpose, kept.legal_basis,
            ))  # fmt: skip
        return holdings

    def accounts(self, nodes=()) -> list[NodeAccount]:
        rows = self._db.execute("SELECT node, opened, duplicates, refused FROM tally")
        tallies = {row[0]: row[1:] for row in rows}
        kept = dict(self._db.execute("SELECT node, count(*) FROM sealed GROUP BY node"))
        newest = {}
        rows = self._db.execute("SELECT node, floor, stored, heard_s FROM log ORDER BY heard")
        for node_id, floor, stored, heard_s in rows:
            newest[node_id] = Numbers(floor, json.loads(stored)).lost(), heard_s
        return [
            NodeAccount(
                node_id,
                *tallies.get(node_id, (0, 0, 0)),
                kept.get(node_id, 0),
                *newest.get(node_id, ([], None)),
            )
            for node_id in self.node_ids()
            if not nodes or node_id in nodes
        ]

    def refused(self, nodes=(), since_s: int | None = None) -> list[tuple]:
        """[(time_s, node, topic, reason, size)], oldest first."""
        where, values = _where({"node": nodes}, "time_s", since_s)
        columns = "time_s, node, topic, reason, size"
        query = f"SELECT {columns} FROM refused{where} ORDER BY id"
        return self._db.execute(query, values).fetchall()

    def events(self, nodes=(), since_s: int | None = None) -> list[tuple]:
        """[(time_s, node, kind, detail)], oldest first."""
        where, values = _where({"node": nodes}, "time_s", since_s)
        columns = "time_s, node, kind, detail"
        query = f"SELECT {columns} FROM event{where} ORDER BY id"
        return self._db.execute(query, values).fetchall()


def shown(value: int, scale: int, resolution: int) -> str:
    """value / scale, with the digits that steps of `resolution` have."""
    digits = 0
    while resolution * 10**digits % scale:
        digits += 1
    whole, part = divmod(abs(value) * 10**digits // scale, 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{part:0{digits}}" if digits else f"{sign}{whole}"


def _where(choices: dict, time_column: str, since_s: int | None) -> tuple[str, list]:
    terms, values = [], []
    for column, chosen in choices.items():
        if chosen:
            terms.append(f"{column} IN ({', '.join('?' * len(chosen))})")
            values += chosen
    if since_s is not None:
        terms.append(f"{time_column} >= ?")
        values.append(since_s)
    return (" WHERE " + " AND ".join(terms) if terms else ""), values
