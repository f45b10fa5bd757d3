# SPDX-License-Identifier: MIT
"""What a controller has answered and refused: a SQLite file, which holds no secret.

Each request is an entry of its chained log (../chained_log.py); what was answered stands there
with its ranges, population, noise and cost, and once more in a table that can be searched. The
charge is durable before a token is made: an end at any moment loses a token, never a charge.
"""

import contextlib
import dataclasses
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from host_tools import chained_log
from host_tools.controller.documents import DAYS_MAX
from host_tools.errors import ToolError
from node.policy.rules import DAY_S

FILE = "ledger.sqlite"
ANSWERED, REFUSED, ALLOWED, RESTORED = "answered", "refused", "allowed", "restored"
_VERSION = 1
_NODE_ID = 10  # characters
_WAIT_S = 60.0  # for another request's turn
_SCHEMA = """
CREATE TABLE policies (digest BLOB PRIMARY KEY, published BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE populations (digest BLOB PRIMARY KEY, nodes BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE answered (
    stream INTEGER NOT NULL, from_s INTEGER NOT NULL, to_s INTEGER NOT NULL,
    population BLOB NOT NULL, scales TEXT NOT NULL, cost TEXT NOT NULL, k INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (stream, from_s, to_s, population, scales)) WITHOUT ROWID;
CREATE INDEX answered_until ON answered (to_s, from_s);
"""
Span = tuple[int, int]
Scales = tuple[tuple[int, int] | None, ...]


@dataclasses.dataclass(frozen=True)
class Charge:
    """What an answer costs: spans are the ranges that were never answered with these scales for
    this population; cost: the epsilon of each; k: the smallest group that may stand alone."""

    stream: int
    spans: tuple[Span, ...]
    population: bytes
    scales: Scales
    cost: Fraction
    k: int


class Ledger:
    """The ledger of a controller's folder. Each use has a connection of its own, so threads and
    processes share it."""

    def __init__(self, path: Path):
        self.path = Path(path)

    @classmethod
    def create(cls, path: Path) -> "Ledger":
        """ToolError when there is one."""
        ledger = cls(path)
        if ledger.path.exists():
            raise ToolError(f"{path} is there already", "take a new folder")
        with ledger._connected(must_exist=False) as db:
            db.executescript(
                f"PRAGMA journal_mode = WAL; BEGIN; {_SCHEMA} {chained_log.SCHEMA}"
                f"PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        return ledger

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db:
            db.execute("BEGIN")
            yield db

    @contextlib.contextmanager
    def turn(self) -> Iterator[sqlite3.Connection]:
        """One at a time: nobody else writes from here on. It is durable when it ends, and
        undone when an exception ends it."""
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextlib.contextmanager
    def _connected(self, must_exist: bool = True):
        if must_exist and not self.path.exists():
            hint = "give a controller's folder; a ledger that is lost comes back from its backup"
            raise ToolError(f"{self.path}: there is no ledger", hint)
        try:
            mode = "rw" if must_exist else "rwc"
            uri = f"{self.path.resolve().as_uri()}?mode={mode}"
            db = sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)
            with contextlib.closing(db):
                db.execute("PRAGMA synchronous = FULL")  # a commit is on the disk
                if must_exist and db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                    raise ToolError(f"{self.path} is no ledger of this version", "give its folder")
                yield db
        except sqlite3.Error as err:
            hint = "look whether the disk is full; a damaged ledger comes back from its backup"
            raise ToolError(f"{self.path} cannot be used: {err}", hint) from err


def population_digest(nodes: Iterable[str]) -> bytes:
    """Of the sorted ids."""
    return hashlib.sha256("".join(nodes).encode()).digest()


def keep_population(db: sqlite3.Connection, digest: bytes, nodes: tuple[str, ...]):
    row = digest, "".join(nodes).encode()
    db.execute("INSERT OR IGNORE INTO populations VALUES (?, ?)", row)


def population(db: sqlite3.Connection, digest: bytes) -> list[str]:
    """The ids of its nodes, sorted."""
    query = "SELECT nodes FROM populations WHERE digest = ?"
    joined = db.execute(query, (digest,)).fetchone()[0].decode()
    return [joined[at : at + _NODE_ID] for at in range(0, len(joined), _NODE_ID)]


def known_spans(
    db: sqlite3.Connection, stream: int, within: Span, digest: bytes, scales: Scales
) -> set[Span]:
    """The ranges that were answered already with these scales for this population, of those that
    begin within a span."""
    query = """SELECT from_s, to_s FROM answered
        WHERE stream = ? AND from_s >= ? AND from_s < ? AND population = ? AND scales = ?"""
    return set(db.execute(query, (stream, *within, digest, encode_scales(scales))))


def charges_between(db: sqlite3.Connection, stream: int, start_s: int, end_s: int):
    """(population, from_s, to_s, cost) of what was answered of a stream and reaches into the time
    from start_s to end_s."""
    query = f"""SELECT population, from_s, to_s, cost FROM answered
        WHERE {_REACHES} AND stream = ? AND cost <> '0'"""
    for digest, from_s, to_s, cost in db.execute(query, (*_reach(start_s, end_s), stream)):
        yield digest, from_s, to_s, Fraction(cost)


def answered_between(db: sqlite3.Connection, start_s: int, end_s: int):
    """(population, k, from_s, to_s), of every stream, of what reaches into this time."""
    query = f"SELECT DISTINCT population, k, from_s, to_s FROM answered WHERE {_REACHES}"
    return db.execute(query, _reach(start_s, end_s))


_REACHES = "to_s > ? AND to_s < ? AND from_s < ?"


def _reach(start_s: int, end_s: int) -> tuple[int, int, int]:
    return start_s, end_s + DAYS_MAX * DAY_S, end_s  # no range is longer


def charge(
    db: sqlite3.Connection, time_s: int, who: dict, charged: Charge, nodes: tuple[str, ...]
) -> tuple[int, bytes]:
    """Writes what is answered into the caller's turn; number and hash of its log entry. who: what
    the entry tells of the request beside the charge."""
    detail = {
        **who, "charged": runs(charged.spans), "scales": encode_scales(charged.scales),
        "epsilon": str(charged.cost), "k": charged.k,
    }  # fmt: skip
    number, head = chained_log.append(db, time_s, ANSWERED, detail)
    keep_population(db, charged.population, nodes)
    db.executemany("INSERT INTO answered VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _rows(number, charged))
    return number, head


def _rows(number: int, charged: Charge):
    scales, cost = encode_scales(charged.scales), str(charged.cost)
    for from_s, to_s in charged.spans:
        yield (charged.stream, from_s, to_s, charged.population, scales, cost, charged.k,
               number)  # fmt: skip


def encode_scales(scales: Scales) -> str:
    """One text for each list of scales: "-" where an element has no noise."""
    return " ".join("-" if scale is None else "{}/{}".format(*scale) for scale in scales)


def runs(spans: Iterable[Span]) -> list[list[int]]:
    """[[from_s, to_s, every_s], …]: ranges of one length that follow each other, in one line."""
    found = []
    for start, end in spans:
        if found and found[-1][1] == start and found[-1][2] == end - start:
            found[-1][1] = end
        else:
            found.append([start, end, end - start])
    return found


def spans_of(lines: Iterable[list[int]]) -> Iterator[Span]:
    """The ranges of runs()."""
    for start, end, every in lines:
        for at in range(start, end, every):
            yield at, at + every


def first_wrong(db: sqlite3.Connection) -> str | None:
    """What does not follow from the log, in words; None when all does."""
    broken = chained_log.first_broken(db)
    if broken is not None:
        return f"entry {broken} of its log does not follow from those before"
    expected, allowed = set(), set()
    for number, _, verb, detail, _ in chained_log.entries(db):
        if verb == ALLOWED:
            allowed.add(bytes.fromhex(detail["digest"]))
        if verb == ANSWERED:
            tail = bytes.fromhex(detail["population"]), detail["scales"], detail["epsilon"]
            for from_s, to_s in spans_of(detail["charged"]):
                row = (detail["stream"], from_s, to_s, *tail, detail["k"], number)
                expected.add(row)
    if expected != set(db.execute("SELECT * FROM answered")):
        return "what it says was answered is not what its log says"
    if allowed != {digest for (digest,) in db.execute("SELECT digest FROM policies")}:
        return "the policies that it holds are not those that its log says"
    for digest, nodes in db.execute("SELECT * FROM populations"):
        if hashlib.sha256(nodes).digest() != digest:
            return "a population is not what its digest says"
    known = {digest for (digest,) in db.execute("SELECT digest FROM populations")}
    if not {row[3] for row in expected} <= known:
        return "a population that was answered is missing"
    return None


def holds(db: sqlite3.Connection, number: int, digest: bytes) -> bool:
    """Whether its log has this entry with this hash; the start counts as one."""
    if number == 0:
        return True
    row = db.execute("SELECT hash FROM log WHERE number = ?", (number,)).fetchone()
    return row is not None and row[0] == digest


def request_digest(encoded: bytes) -> str:
    """As entries of the log tell it."""
    return hashlib.sha256(encoded).hexdigest()
