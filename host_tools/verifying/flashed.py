# SPDX-License-Identifier: MIT
"""Verifies the boards that were just flashed: their keys are at hand as they are given out, and
the broker is listened to from before a board starts, so its first envelope is not missed."""

import time
from collections.abc import Callable

from host_tools.errors import ToolError
from host_tools.flashing.self_test import BAD, ONCE
from host_tools.provisioning.node_parts import NodeParts
from host_tools.verifying.at_broker import PartsKeys, policy_of
from host_tools.verifying.first_record import Outcome
from host_tools.verifying.wait import limit_s, wait_for


class WatchedNodes:
    """nodes: a source of nodes, which this one gives on; keys, watch: are told of each node that a
    board is or becomes; what it has measured from now on counts."""

    def __init__(self, nodes, keys: PartsKeys, watch):
        self._nodes, self._keys, self._watch = nodes, keys, watch
        self._since_s = time.time()
        self.parts: dict[str, NodeParts] = {}

    def __getattr__(self, name: str):
        return getattr(self._nodes, name)  # what else that source can do

    def bound_to(self, mac: str) -> NodeParts | None:
        parts = self._nodes.bound_to(mac)
        return parts and self._watched(parts)

    def take(self, mac: str, again: bool = False) -> NodeParts:
        return self._watched(self._nodes.take(mac, again))

    def _watched(self, parts: NodeParts) -> NodeParts:
        node_id = parts.ticket.node_id
        if node_id not in self.parts:
            self.parts[node_id] = parts
            self._keys.add(parts)
            self._watch.add(node_id, self._since_s)
        return parts


def verify_flashed(
    nodes: WatchedNodes, watch, results: list[dict], within_s: float | None,
    show: Callable[[str], None],
) -> list[Outcome]:  # fmt: skip
    """results: of FlashBoard.run(), of which those that were written are waited for; each gets its
    "verify"."""
    written = {result["node"]: result for result in results if "error" not in result}
    hopeless = {n: _hopeless(n, result) for n, result in written.items()}
    limits_s = {
        n: within_s or limit_s(policy_of(nodes.parts[n])) for n in written if hopeless[n] is None
    }
    outcomes = [one for one in hopeless.values() if one] + wait_for(watch, limits_s, show)
    for outcome in outcomes:
        written[outcome.node_id]["verify"] = outcome.as_object()
    return outcomes


def _hopeless(node_id: str, result: dict) -> Outcome | None:
    """Where the self-test has found that nothing can come, it is not waited for."""
    for name, check in result.get("self_test", {"checks": {}})["checks"].items():
        if name in ONCE and check["state"] == BAD:
            message = f"node {node_id}: no record can come: {name} failed in its self-test"
            hint = f"{check['hint']}; then run the same command again"
            return Outcome(node_id, 0, time.time(), trouble=ToolError(message, hint))
    return None
