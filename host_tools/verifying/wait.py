# SPDX-License-Identifier: MIT
"""Waits for the first opened record of each node, and says of each what became of it."""

import time
from collections.abc import Callable

from host_tools.errors import ToolError
from host_tools.verifying.first_record import Outcome
from node.policy.rules import Policy

UNKNOWN_S = 900  # where no policy is at hand
_SLACK_S = 120  # to start, to find Wi-Fi, time and broker
_LOOK_S = 0.5


def limit_s(policy: Policy | None) -> int:
    """How long a node may take that has nothing to complain about: the window in which it starts,
    and a whole one."""
    return UNKNOWN_S if policy is None else 2 * policy.windows_s[0] + _SLACK_S


def wait_for(
    watch, limits_s: dict[str, float], show: Callable[[str], None] = lambda words: None,
    clock: Callable[[], float] = time.time,
) -> list[Outcome]:  # fmt: skip
    """watch: has look(node) -> FirstRecord | None, which raises ToolError when nothing can come,
    and why(node, limit_s) -> ToolError, asked when the node's limit is over; limits_s: {node: how
    long at most}, in the order of the answer; show: is told what is waited for."""
    begun_s, done = time.monotonic(), {}
    while True:
        for node_id in limits_s.keys() - done.keys():
            record = trouble = None
            waited_s = time.monotonic() - begun_s
            try:
                record = watch.look(node_id)
                if record is None and waited_s >= limits_s[node_id]:
                    trouble = watch.why(node_id, limits_s[node_id])
            except ToolError as err:
                trouble = err
            if record or trouble:
                done[node_id] = Outcome(node_id, waited_s, clock(), record, trouble=trouble)
        left = [node_id for node_id in limits_s if node_id not in done]
        if not left:
            return [done[node_id] for node_id in limits_s]
        show("waits for a record of " + ", ".join(left))
        time.sleep(_LOOK_S)
