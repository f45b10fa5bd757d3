# SPDX-License-Identifier: MIT
"""What masking costs a store: sums over a year of a thousand nodes beside the same sums of values
that everybody can read, kept in the same way; and envelopes with a masked stream beside envelopes
with a plain one of as many numbers.

`python -c "from tests.bench import sums; print(sums.run(nodes=100, days=30))"` is a small one.
"""

import contextlib
import json
import math
import os
import random
import sqlite3
import statistics
import struct
import tempfile
import time
from pathlib import Path

from host_tools.collector.coverage import MaskedReader
from host_tools.collector.keyring import Keyring
from host_tools.collector.read_store import open_to_read
from host_tools.collector.store import Store
from host_tools.provisioning.ticket import make_ticket
from node.policy.rules import Policy
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import masked, policy, stream

NODES, DAYS = 1000, 365
SLOT_S, DAY_S = 900, 86_400
START_S = 20_500 * DAY_S
MODULUS = 1 << 64
SUMS, ROUNDS = 60, 5  # of each kind, in turn
BATCHES, EACH, SENDERS = 40, 200, 10  # of each kind in turn; envelopes of a batch; their nodes
SLOWER = 1.05
ROOT = bytes(range(32))
LIMITS = ["count", "sum"], 1, 0, 1 << 18
MASKED_PAIR = policy(masked(7, "energy_mwh", SLOT_S, *LIMITS))
PLAIN_PAIR = policy(stream(7, "energy_mwh", SLOT_S, *LIMITS))
MASKED = MASKED_PAIR[0]
_PLAIN_TABLE = """
CREATE TABLE plain (
    node TEXT NOT NULL, stream INTEGER NOT NULL, from_s INTEGER NOT NULL, end_s INTEGER NOT NULL,
    segment INTEGER NOT NULL, count INTEGER NOT NULL, total INTEGER NOT NULL,
    count_run INTEGER NOT NULL, total_run INTEGER NOT NULL,
    policy INTEGER NOT NULL, PRIMARY KEY (node, stream, from_s)) WITHOUT ROWID;
"""
_PLAIN_ENDS = """
SELECT a.policy, b.count_run - a.count_run + a.count, b.total_run - a.total_run + a.total
FROM json_each(?) AS one
CROSS JOIN plain AS a ON a.node = one.value AND a.stream = ? AND a.from_s = ?
CROSS JOIN plain AS b ON b.node = one.value AND b.stream = a.stream AND b.from_s = (
    SELECT max(from_s) FROM plain WHERE node = one.value AND stream = a.stream AND from_s < ?)
WHERE b.end_s = ? AND b.segment = a.segment
"""


def run(nodes: int = NODES, days: int = DAYS) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (same, integers), ingest = _sums(folder, nodes, days), _ingest(folder)
    rows = nodes * days * DAY_S // SLOT_S
    figures = [
        _figure(f"a sum over {nodes} nodes of {rows:,} rows, beside plain ones", *same),
        _figure("the same beside columns of integers, for information", *integers, wanted=False),
        _figure(f"a batch of {EACH} envelopes, beside plain ones", *ingest),
    ]
    return {"nodes": nodes, "days": days, "rows": rows, "figures": figures}


def _figure(what: str, masked_s: list, plain_s: list, wanted: bool = True) -> dict:
    """Both were measured in turn, so each pair met the same load of the machine."""
    times = statistics.median(a / b for a, b in zip(masked_s, plain_s, strict=True))
    masked_ms, plain_ms = (1000 * statistics.median(one) for one in (masked_s, plain_s))
    figure = {
        "figure": what,
        "measured": f"{masked_ms:.1f} ms / {plain_ms:.1f} ms = {times:.3f} ×",
    }
    return figure | {"wanted": f"≤ {SLOWER} ×", "met": times <= SLOWER} if wanted else figure


# sums


class _MaskedTable:
    """The store's own table: rows as Masked.add() leaves them. bits: of the numbers, 64 for masked
    ones, 18 for what everybody can read."""

    def __init__(self, path: Path, bits: int = 64):
        with Store(path, Keyring(path.with_name("keyring.json"))) as store:
            db = store._file.db
            row = Policy(MASKED).digest, *MASKED_PAIR
            db.execute("INSERT INTO policy (digest, rules, terms) VALUES (?, ?, ?)", row)
        self.db = sqlite3.connect(path)
        self._random, self._bits = random.Random(1), bits

    def rows(self, node_id: str, slots: int):
        draw, bits = self._random.getrandbits, self._bits
        segment, run = draw(48), [draw(bits), draw(bits)]
        for from_s in range(START_S, START_S + slots * SLOT_S, SLOT_S):
            c = draw(bits), draw(bits)
            run = [(a + b) % MODULUS for a, b in zip(run, c, strict=True)]
            blobs = struct.pack(">2Q", *c), struct.pack(">2Q", *run)
            yield node_id, 7, from_s, from_s + SLOT_S, segment, *blobs, 1

    def fill(self, node_id: str, slots: int):
        with self.db:
            query = "INSERT INTO masked VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            self.db.executemany(query, self.rows(node_id, slots))

    def reopen(self, path: Path):
        self.db.close()
        self.db = open_to_read(path)
        self.totals = MaskedReader(self.db, 7).totals


class _IntegerTable:
    """A column for each number, which SQLite adds up."""

    def __init__(self, path: Path):
        self.db = sqlite3.connect(path)
        self.db.executescript(_PLAIN_TABLE)
        self._random = random.Random(1)

    def rows(self, node_id: str, slots: int):
        draw = self._random.getrandbits
        segment, counts, totals = draw(48), 0, 0
        for from_s in range(START_S, START_S + slots * SLOT_S, SLOT_S):
            count, total = 15, draw(18)
            counts, totals = counts + count, totals + total
            row = count, total, counts, totals
            yield node_id, 7, from_s, from_s + SLOT_S, segment, *row, 1

    def fill(self, node_id: str, slots: int):
        with self.db:
            query = "INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            self.db.executemany(query, self.rows(node_id, slots))

    def reopen(self, path: Path):
        cache = "PRAGMA cache_size"
        self.db.close()
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        with contextlib.closing(open_to_read(path.with_name("masked"))) as other:
            (size,) = other.execute(cache).fetchone()
        self.db.execute(f"{cache} = {size}")

    def totals(self, nodes: list, span: tuple) -> tuple:
        rows = self.db.execute(_PLAIN_ENDS, (json.dumps(nodes), 7, *span, span[1])).fetchall()
        if len(rows) < len(nodes):
            raise RuntimeError("not all nodes cover it")
        return tuple(sum(row[column] for row in rows) for column in (1, 2))


def _sums(folder: Path, nodes: int, days: int) -> list[tuple[list, list]]:
    """Seconds of each sum over all nodes, masked and otherwise: beside plain numbers in the very
    same table, and beside integers in columns. No more than two tables are on the disk at once."""
    names, slots = [f"{number:010d}" for number in range(nodes)], days * DAY_S // SLOT_S

    def filled(name: str, table):
        for node_id in names:
            table.fill(node_id, slots)
        table.reopen(folder / name)
        return table

    hidden = filled("masked", _MaskedTable(folder / "masked"))
    found = []
    for name, make in (("plain", lambda path: _MaskedTable(path, 18)), ("int", _IntegerTable)):
        other = filled(name, make(folder / name))
        found.append(_in_turn(hidden, other, names, slots))
        other.db.close()
        (folder / name).unlink()
    hidden.db.close()
    return found


def _in_turn(hidden, other, names: list, slots: int) -> tuple[list, list]:
    """The best of some rounds of each sum: other work of the machine is in none of them for long.
    Between two rounds come more sums than the cache holds pages of."""
    chosen = random.Random(2)
    borders = [sorted(chosen.sample(range(slots + 1), 2)) for _ in range(SUMS)]
    best = [math.inf] * SUMS, [math.inf] * SUMS
    for turn in range(ROUNDS):
        for number, (first, last) in enumerate(borders):
            span = START_S + first * SLOT_S, START_S + last * SLOT_S
            for index in (0, 1) if (turn + number) % 2 else (1, 0):
                began = time.perf_counter()
                (hidden, other)[index].totals(names, span)
                spent = time.perf_counter() - began
                best[index][number] = min(best[index][number], spent)
    return best


# envelopes


def _ingest(folder: Path) -> tuple[list, list]:
    """Seconds of each batch, masked and plain, each in a store of its own."""
    spent = [], []
    with contextlib.ExitStack() as stack:
        makers = []
        for index, pair in enumerate((MASKED_PAIR, PLAIN_PAIR)):
            (folder / str(index)).mkdir()
            keyring = Keyring(folder / str(index) / "keyring.json")
            store = stack.enter_context(Store(folder / str(index) / "a.sqlite", keyring))
            makers.append((store, _nodes(keyring, *pair)))
        for number in range(BATCHES):
            slots = range(number * EACH // SENDERS, (number + 1) * EACH // SENDERS)
            for index in (0, 1) if number % 2 else (1, 0):
                store, nodes = makers[index]
                batch = [(node.topic, _sealed(node, slot)) for node in nodes for slot in slots]
                began = time.perf_counter()
                result = store.take_batch(batch, START_S + slots[-1] * SLOT_S)
                spent[index].append(time.perf_counter() - began)
                if sum(result.opened.values()) < EACH:
                    raise RuntimeError("not all was stored")
    return spent


def _nodes(keyring: Keyring, rules: bytes, terms: bytes) -> list[ref.ReferenceNode]:
    nodes = []
    for number in range(SENDERS):
        node_id, day0 = f"{number:010d}", START_S // DAY_S
        keyring.add_node(make_ticket(ROOT, node_id, day0), rules, terms)
        nodes.append(ref.ReferenceNode(ROOT, node_id, day0, rules))
    return nodes


def _sealed(node: ref.ReferenceNode, slot: int) -> bytes:
    end_s, number = START_S + (slot + 1) * SLOT_S, START_S // SLOT_S + slot
    if node.policy == MASKED:
        record = [7, number, number, os.urandom(16)]
    else:
        record = [7, number, 15, random.getrandbits(18)]
    return node.seal([record], end_s)
