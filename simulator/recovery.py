# SPDX-License-Identifier: MIT
"""How long after a fault a node delivers again: from the end of the fault until the store holds an
envelope that was sealed after it.

A fault that begins before that, or lasts on, takes the place of the one that was awaited.
"""

import collections
import contextlib
import dataclasses
import sqlite3

_GIVE_UP_MS = 3_600_000  # then the city goes on in its usual steps; a late recovery counts still


@dataclasses.dataclass
class _Awaited:
    what: str
    since_ms: int
    log: bytes | None  # the outbox that the store knew, and the newest number of the node
    newest: int


class Recoveries:
    """city: a ScenarioCity. took_ms: {fault: [ms, …]}; rows: each, in order."""

    def __init__(self, city):
        self._city = city
        self._awaited: dict = {}  # node: _Awaited
        self._held = collections.Counter()  # node: faults that last
        self.took_ms = collections.defaultdict(list)
        self.rows: list[dict] = []

    def hold(self, nodes: list):
        """A fault lasts on."""
        self._held.update(nodes)

    def release(self, nodes: list):
        self._held.subtract(nodes)

    def interrupt(self, nodes: list):
        """A new fault begins."""
        for node in nodes:
            self._awaited.pop(node, None)

    def begin(self, what: str, nodes: list, since_ms: int):
        """A fault is over at `since_ms`."""
        for node in nodes:
            if self._held[node] <= 0 and node in self._city.nodes[: self._city.count]:
                log = self._city.newest_log(node.node_id)
                self._awaited[node] = _Awaited(what, since_ms, log, node.status["newest"])

    def awaited(self) -> bool:
        """Whether one is near enough to look closely."""
        now_ms = self._city.conductor.now_ms
        return any(now_ms - one.since_ms < _GIVE_UP_MS for one in self._awaited.values())

    def never(self) -> collections.Counter:
        """Those that are awaited still, by fault."""
        return collections.Counter(one.what for one in self._awaited.values())

    def look(self):
        """Call it at each meeting."""
        if not self._awaited:
            return
        query = "SELECT log, max(number) FROM envelope WHERE node = ? GROUP BY log"
        now_ms = self._city.conductor.now_ms
        with contextlib.closing(sqlite3.connect(self._city.store_path)) as db:
            for node, one in tuple(self._awaited.items()):
                rows = db.execute(query, (node.node_id,)).fetchall()
                newest = {bytes(log): number for log, number in rows}
                fresh = newest.get(one.log, 0) > one.newest if one.log else bool(newest)
                if fresh or (one.log and self._city.newest_log(node.node_id) != one.log):
                    took_ms = max(0, now_ms - one.since_ms)
                    self.took_ms[one.what].append(took_ms)
                    self.rows.append({
                        "what": one.what, "node": node.node_id, "over_s": one.since_ms // 1000,
                        "took_s": took_ms // 1000,
                    })  # fmt: skip
                    del self._awaited[node]
