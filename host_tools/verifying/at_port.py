# SPDX-License-Identifier: MIT
"""Listens to what a running node says at its serial port, until all that it sent has a receipt:
only the home store sends one, after it has opened and kept an envelope.

The line names no node and carries no reading: which board it is, is what who plugs in the cable
knows.
"""

import re
import time
from collections.abc import Callable

from host_tools.errors import ToolError
from host_tools.flashing import serial_lines
from host_tools.flashing.ports import check_port
from host_tools.flashing.self_test import BAD, SelfTest
from host_tools.verifying.first_record import Outcome

_COUNT = re.compile(r"\b([a-z_]+)=(\d+)\b")
_OFFICE = (
    "the home store has not opened them: lamppost vault accept, then lamppost keyring take; and "
    "see that its collector runs"
)


def wait_at_port(
    node_id: str, port: str, limit_s: float, show: Callable[[str], None] = lambda words: None
) -> Outcome:
    """show: is told what is waited for. The board is not reset, and nothing is written to it."""
    check_port(port)
    begun_s, said = time.monotonic(), _Said(port)
    for line in serial_lines.read_lines(port, limit_s, False, is_running=True):
        said.take(line)
        if said.is_delivered() or said.dead():
            break
        show(said.waiting_for())
    waited_s = time.monotonic() - begun_s
    if not said.is_delivered():
        return Outcome(node_id, waited_s, time.time(), trouble=said.trouble(limit_s))
    told = f"says at {port} that all its {said.counts['newest']} envelopes have a receipt"
    return Outcome(node_id, waited_s, time.time(), told=told)


class _Said:
    """counts: of the last line of status."""

    def __init__(self, port: str):
        self._port, self._lines = port, 0
        self._test = SelfTest({"sensors": []})  # what it says of Wi-Fi, time and TLS
        self.counts: dict[str, int] = {}

    def take(self, line: str):
        line = line.strip()
        self._lines += bool(line)
        self._test.feed(line)
        counts = {name: int(count) for name, count in _COUNT.findall(line)}
        if line.startswith("status ") and "waiting" in counts:  # the last: the line was not cut
            self.counts = counts

    def dead(self) -> str:
        return self._test.dead

    def is_delivered(self) -> bool:
        counts = self.counts
        return bool(counts.get("newest") and counts.get("records")) and counts["waiting"] == 0

    def waiting_for(self) -> str:
        if not self.counts:
            return "waits for the node to say how it is: each 5 minutes, or when that changes"
        return "waits for receipts: {waiting} of {newest} envelopes have none".format_map(
            {"waiting": 0, "newest": 0, **self.counts}
        )

    def trouble(self, limit_s: float) -> ToolError:
        where, counts = self._port, self.counts
        if self.dead():
            message = f"{where}: the node does not run: {self.dead()}"
            return ToolError(message, self._test.dead_hint())
        bad = [(n, words) for n, (state, words) in self._test.states.items() if state == BAD]
        if bad and not counts.get("online"):
            name, words = bad[0]
            return ToolError(f"{where}: the node has no connection: {name}", words)
        if not self._lines:
            hint = "check cable and supply, wait 5 minutes at least, else press EN (RST)"
            return ToolError(f"{where}: the node says nothing within {limit_s:.0f} s", hint)
        if not counts:
            hint = "wait longer (--within): it says so each 5 minutes, or when it changes"
            return ToolError(f"{where}: the node has not said how it is", hint)
        if not counts.get("online"):
            return ToolError(f"{where}: the node is not at its broker", "wait longer (--within)")
        if counts.get("waiting"):
            waiting, newest = counts["waiting"], counts.get("newest", 0)
            message = f"{where}: {waiting} of {newest} envelopes have no receipt"
            return ToolError(message, _OFFICE)
        message = f"{where}: the node has told no record yet"
        return ToolError(message, "its first window has not ended: wait longer (--within)")
