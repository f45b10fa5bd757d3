# SPDX-License-Identifier: MIT
"""What was really sealed, and what became of it: not by anybody's word, but from the nodes' flash,
from what passed the broker, and from the rows of the store.

    ledger.harvest(node_id, data.img)      before an image is changed, and at the end
    ledger.see(node_id, envelope)          each that passes the broker
    ledger.balance(node_id, store, waiting)
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import sqlite3
from pathlib import Path

from host_tools.collector.numbers import Numbers
from node.errors import FormatError
from node.pipeline import envelope as layout
from simulator.node_image import read_outbox

_NUMBERS = 100_000  # more than any scenario gives


@dataclasses.dataclass(frozen=True)
class Balance:
    """Counts of one node's envelopes; lost: sealed, not stored, and nowhere waiting; unstated: of
    these, how many the store says nothing of."""

    sealed: int
    stored: int
    lost: int
    unstated: int
    repeated: int
    disordered: int


def _stated(store: Path, node_id: str) -> set:
    """{(log, number)} of which the store says that an envelope is lost or was refused. When it
    knows of a newer outbox, that says it of all that an older one still held."""
    with contextlib.closing(sqlite3.connect(store)) as db:
        logs = db.execute(
            "SELECT log, floor, stored FROM log WHERE node = ? ORDER BY heard", (node_id,)
        ).fetchall()
        others = db.execute(
            "SELECT detail FROM event WHERE node = ? AND kind = 'other bytes'", (node_id,)
        ).fetchall()
    stated = set()
    for log, floor, ranges in logs:
        for first, last in Numbers(floor, json.loads(ranges)).lost():
            stated |= {(bytes(log), number) for number in range(first, last + 1)}
    for log, _, _ in logs[:-1]:
        stated |= {(bytes(log), number) for number in range(1, _NUMBERS)}
    for (detail,) in others:
        log, number = detail.split(" ")
        stated.add((bytes.fromhex(log), int(number)))
    return stated


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Ledger:
    """Of all nodes of a run. see() may be called from any thread."""

    def __init__(self):
        self._sealed = collections.defaultdict(lambda: collections.defaultdict(set))
        self._nonces = {}  # (node, epoch, series, counter): digest
        self._repeated = collections.defaultdict(set)  # node: nonces that sealed several texts
        self._passed = collections.defaultdict(dict)  # node: {digest: None} in order of arrival

    def see(self, node_id: str, message: bytes):
        """An envelope that passed the broker."""
        digest = _digest(message)
        self._passed[node_id].setdefault(digest)
        self._check_nonce(node_id, message, digest)

    def harvest(self, node_id: str, data_image: Path):
        """Takes down what the outbox in a data image holds; returns it, None if it is damaged."""
        outbox = read_outbox(data_image)
        if outbox is not None:
            for number, message in outbox.envelopes.items():
                digest = _digest(message)
                self._sealed[node_id, outbox.log][number].add(digest)
                self._check_nonce(node_id, message, digest)
        return outbox

    def _check_nonce(self, node_id: str, message: bytes, digest: bytes):
        """One key and one nonce may belong to one text only."""
        try:
            _, epoch, series, _, counter, _ = layout.unpack(message)
        except FormatError:
            return
        nonce = node_id, epoch, series, counter
        if self._nonces.setdefault(nonce, digest) != digest:
            self._repeated[node_id].add(nonce)

    def repeated(self, node_id: str) -> int:
        """How many pairs of key and nonce sealed more than one text."""
        return len(self._repeated[node_id])

    def balance(self, node_id: str, store: Path, waiting: set) -> Balance:
        """waiting: {(log, number)} that the node still holds without a receipt."""
        query = "SELECT log, number, digest FROM envelope WHERE node = ?"
        with contextlib.closing(sqlite3.connect(store)) as db:
            rows = db.execute(query, (node_id,)).fetchall()
        stored = {(bytes(log), number): bytes(digest) for log, number, digest in rows}
        places = {
            (log, number): digests
            for (owner, log), numbers in self._sealed.items()
            if owner == node_id
            for number, digests in numbers.items()
        }
        newest = {}
        for log, number in (*stored, *places):
            newest[log] = max(newest.get(log, 0), number)
        stated = _stated(store, node_id)
        sealed = lost = unstated = 0
        for log, last in newest.items():
            for number in range(1, last + 1):
                place = log, number
                texts = places.get(place, set()) | ({stored[place]} if place in stored else set())
                sealed += max(1, len(texts))  # one that is nowhere any more was sealed, too
                if place not in waiting:
                    gone = max(1, len(texts)) - (place in stored)
                    lost += gone
                    unstated += gone if place not in stated else 0
        disordered = self._disorder(node_id, stored)
        repeated = self.repeated(node_id)
        return Balance(sealed, len(stored), lost, unstated, repeated, disordered)

    def _disorder(self, node_id: str, stored: dict) -> int:
        """How many envelopes of an outbox passed the broker first after a later one."""
        places = {digest: place for place, digest in stored.items()}
        highest, count = {}, 0
        for digest in self._passed[node_id]:
            if digest in places:
                log, number = places[digest]
                count += number < highest.get(log, 0)
                highest[log] = max(highest.get(log, 0), number)
        return count
