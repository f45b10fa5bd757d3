# SPDX-License-Identifier: MIT
"""Has nodes send again what they still hold, for a store that came back from a backup: a receipt
permits a node to overwrite, and erases nothing.

A store tells by itself from where on: up to there it has settled all. What came later it cannot
know, so every node is asked.
"""

from host_tools.city import grant, mixing
from host_tools.city.store_tells import LOG_BYTES
from host_tools.city.vault_keys import check_kind
from host_tools.errors import ToolError
from host_tools.provisioning.command import NUMBER_END
from host_tools.vault.sealed_file import SealedFile

_USEFUL_S = 90 * 86_400  # who was away for longer is asked anew


def resend(file: SealedFile, wanted: dict[str, tuple[bytes, int]], now_s: int):
    """Queues the command for each node, {node: (its outbox, the first number)}. Asked once more
    before it was of use, the earlier one stays: a node carries out both. ToolError for a node that
    is not active."""
    check_kind(file)
    for node_id, (log, first) in wanted.items():
        grant.check_active(file, node_id)
        if len(log) != LOG_BYTES or not 0 < first < NUMBER_END:
            message = f"node {node_id}: not an outbox, or not the number of an envelope"
            raise ToolError(message, f"{LOG_BYTES} bytes, and a number from 1 on", 2)
    nodes = {node_id: [log.hex(), first] for node_id, (log, first) in sorted(wanted.items())}
    with file.change("resend", {"nodes": nodes}):
        for node_id, (log, first) in wanted.items():
            mixing.queue(file, node_id, now_s, now_s + _USEFUL_S, "resend", log, first)


def from_store(file: SealedFile, known: dict, nodes: tuple[str, ...] = ()):
    """({node: (its newest outbox, the first number that is not settled)}, [nodes of which the
    store has heard nothing]); known: that store's outboxes (store_tells.py); nodes: all that are
    active when there are none. ToolError for one that is not."""
    check_kind(file)
    query = "SELECT id FROM nodes WHERE state = 'active' ORDER BY id"
    chosen = nodes or [node_id for (node_id,) in file.db.execute(query)]
    for node_id in nodes:
        grant.check_active(file, node_id)
    unheard = [node_id for node_id in chosen if node_id not in known]
    return {node_id: known[node_id] for node_id in chosen if node_id in known}, unheard
