# SPDX-License-Identifier: MIT
"""Plays a scenario: brings the city to a meeting at the time of each fault, and takes down what
happened.

    run = ScenarioRun(scenario, folder): run.play(show) ─▶ run.account()
"""

import collections
import contextlib
import dataclasses
import sqlite3
import time
from pathlib import Path

from host_tools.errors import ToolError
from simulator.city_run import Plan, choose_kits
from simulator.fault_kinds import KINDS
from simulator.faults import Faults
from simulator.recovery import Recoveries
from simulator.scenario import Fault, Scenario
from simulator.scenario_account import make_account
from simulator.scenario_city import ScenarioCity

_FINE_MS = 30_000  # between meetings while a recovery is awaited
_DRAIN_MS = 30_000
_BEGIN, _END = 1, 0  # at one moment, what is over ends first


@dataclasses.dataclass
class NodeNotes:
    """What is counted of one board from what it says on its serial port."""

    lines: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    last: collections.deque = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=20)
    )


_PHRASES = {
    "MemoryError": "memory_errors",
    "made anew": "formats",
    "safe state": "safe_starts",
    "is in force": "new_policies",
}


class ScenarioRun:
    """folder: new or empty, where the city's keys, nodes and store are made."""

    def __init__(self, scenario: Scenario, folder: Path):
        self.scenario = scenario
        self.notes = collections.defaultdict(NodeNotes)
        self.trouble = ""
        self.active = collections.Counter()  # faults that last now, by name
        self.wall_s = 0.0
        kits = choose_kits(scenario.kits, scenario.nodes)
        if scenario.outbox_kib is not None:
            kits = [_with_outbox(kit, scenario.outbox_kib) for kit in kits]
        self.city = ScenarioCity(
            Plan(
                kits=kits, for_s=scenario.for_ms // 1000, seed=scenario.seed,
                broker=scenario.broker, interpreter=scenario.interpreter, heap=scenario.heap,
                folder=folder, start=scenario.start_s, queue_limit=scenario.queue_limit,
            )
        )  # fmt: skip
        self.recoveries = Recoveries(self.city)
        self._faults = None
        self._timeline = _timeline(scenario)
        self._ends = []  # (at_ms, order, fault, nodes, function)
        self._show = lambda: None

    def play(self, show=lambda: None) -> dict:
        """Runs it all; returns the account. ToolError when it cannot start, or a fault cannot be
        played."""
        began = time.monotonic()
        self._show = show
        self._faults = Faults(self.city, self.scenario.seed)
        try:
            with self.city:
                self.city.start()
                for node in self.city.nodes:
                    self._listen(node)
                if self._run() and self._drain():
                    self._show()
                self.wall_s = time.monotonic() - began
                return self._account()
        finally:
            self._faults.stop()

    def _account(self) -> dict:
        self.city.services.stop_collector()  # all that came is stored
        return make_account(self)

    def _listen(self, node):
        notes = self.notes[node]

        def heard(line: str):
            notes.last.append(line)
            for phrase, name in _PHRASES.items():
                notes.lines[name] += phrase in line

        def was_reset(cause: str, wakes_ms: int):
            node.status["online"] = 0
            if cause == "power":
                self.recoveries.begin("power_cut", [node], wakes_ms)

        node.on_line, node.on_reset = heard, was_reset

    # time

    def _run(self) -> bool:
        end_ms = self.scenario.for_ms
        while True:
            at_ms = min([item[0] for item in (*self._timeline[:1], *self._ends)], default=end_ms)
            if not self._go_to(min(at_ms, end_ms)):
                return False
            if at_ms >= end_ms:
                # One second more lets the windows close that end with the run.
                return self._end_due() and self._go_to(end_ms + 1000)
            self._end_due()
            while self._timeline and self._timeline[0][0] <= at_ms:
                _, fault = self._timeline.pop(0)
                self._begin(fault)

    def _go_to(self, at_ms: int) -> bool:
        """Runs the city up to a moment, in small steps while a recovery is awaited."""
        conductor = self.city.conductor
        while conductor.now_ms < at_ms:
            target_ms = at_ms
            if self.recoveries.awaited():
                target_ms = min(at_ms, conductor.now_ms + _FINE_MS)
            if not conductor.run(target_ms, self._meeting):
                self.trouble = self.city.trouble()[0]
                return False
        return True

    def _meeting(self):
        self.city.after_meeting()
        self.recoveries.look()
        self._show()

    def _drain(self) -> bool:
        end_ms = self.city.conductor.now_ms + self.scenario.drain_ms
        while True:
            if not self._go_to(self.city.conductor.now_ms + _DRAIN_MS):
                return False
            if self.city.all_delivered() and not self.recoveries.awaited():
                return True
            if self.city.conductor.now_ms >= end_ms:
                return True

    # faults

    def _nodes(self, fault: Fault) -> list:
        boards = self.city.nodes[: self.city.count]
        return boards if fault.nodes is None else [boards[index] for index in fault.nodes]

    def _begin(self, fault: Fault):
        kind, nodes = KINDS[fault.what], self._nodes(fault)
        if kind.silences:
            self.recoveries.interrupt(nodes)
        end = self._faults.begin(fault, nodes)
        for board in self.city.nodes[self.city.count :]:
            if board not in self.notes:
                self._listen(board)
        now_ms = self.city.conductor.now_ms
        if end is not None and fault.for_ms is not None:
            self._ends.append((now_ms + fault.for_ms, fault, nodes, end))
        if end is not None:
            self.active[fault.what] += 1
            if kind.silences:
                self.recoveries.hold(nodes)
        elif kind.silences:
            self.recoveries.begin(fault.what, nodes, now_ms + fault.arguments.get("off", 0))
        if fault.for_ms == 0:
            self._end_due()

    def _end_due(self) -> bool:
        now_ms = self.city.conductor.now_ms
        due = sorted((item for item in self._ends if item[0] <= now_ms), key=lambda item: item[0])
        for item in due:
            self._ends.remove(item)
            _, fault, nodes, end = item
            end()
            self.active[fault.what] -= 1
            if KINDS[fault.what].silences:
                self.recoveries.release(nodes)
                self.recoveries.begin(fault.what, nodes, now_ms)
        return True

    # what is known

    def progress(self) -> dict:
        """What a person is shown while it runs."""
        city = self.city
        return {
            "now_ms": city.conductor.now_ms if city.conductor else 0,
            "sealed": sum(node.status["newest"] for node in city.nodes[: city.count]),
            "waiting": sum(node.status["waiting"] for node in city.nodes[: city.count]),
            "faults": sorted(name for name, count in self.active.items() if count),
        }

    def rows(self, query: str, *values) -> list:
        """Of the store."""
        with contextlib.closing(sqlite3.connect(self.city.store_path)) as db:
            return db.execute(query, values).fetchall()


def _with_outbox(kit, outbox_kib: int):
    return dataclasses.replace(kit, data={**kit.data, "outbox_kib": outbox_kib})


def _timeline(scenario: Scenario) -> list:
    moments = [(at_ms, fault) for fault in scenario.faults for at_ms in fault.moments_ms]
    if not moments and scenario.faults:
        raise ToolError(f"{scenario.path}: no fault ever begins", "see at, every, random")
    return sorted(moments, key=lambda item: item[0])
