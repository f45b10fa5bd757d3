# SPDX-License-Identifier: MIT
"""The roots of the trees that mask: for the nodes, by command, and for a controller, which opens
sums with them, and no single value, as it has no envelopes.

They are in no ticket. A tree serves for all of a node's life, and a mix does not change it: who
has a ticket would open the node's values for ever. So a node gets its trees once it counts, and
its masked streams tell nothing before. Who has the ticket must now read the command at the broker:
by a recording of its traffic, or in the node's place."""

from collections.abc import Iterable
from pathlib import Path

from host_tools.city import mixing, policies
from host_tools.city.grant import check_active
from host_tools.city.vault_keys import check_kind, office_secret
from host_tools.errors import ToolError
from host_tools.provisioning.controller_key import ControllerKey
from host_tools.provisioning.mask_roots import NodeRoots, roots_of, write_roots
from host_tools.provisioning.ticket import make_ticket, mask_root
from host_tools.vault.sealed_file import SealedFile
from node.policy.rules import Policy

MASK_DAYS = 30  # so long is the command of a tree repeated


def hand_out_roots(file: SealedFile, controller: ControllerKey, target: Path) -> int:
    """Writes the roots of all active nodes that mask anything, for this controller; returns how
    many nodes. It can be made again at any time. ToolError when there are none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    check_kind(file)
    nodes = _nodes(file)
    if not nodes:
        message = f"{file.path} has no active node that masks anything"
        raise ToolError(message, "accept receipts of nodes whose policy has masked = true")
    office = Ed25519PrivateKey.from_private_bytes(office_secret(file))
    detail = {"controller": controller.fingerprint(), "nodes": [node.node_id for node in nodes]}
    with file.change("hand out roots", detail):
        pass
    write_roots(target, nodes, controller, office)
    return len(nodes)


def queue_masks(file: SealedFile, node_ids: Iterable[str], now_s: int) -> dict[str, int]:
    """Within a change: a command for each stream that the newest policy of each of these nodes
    masks; {node: how many}."""
    count = {}
    for node_id in node_ids:
        policy = policies.policies_of(file, node_id)[-1]
        streams = masked_streams(policy)
        queue_trees(file, node_id, streams, now_s, policy.until_s)
        count[node_id] = len(streams)
    return count


def queue_trees(file: SealedFile, node_id: str, streams: Iterable[int], now_s: int, until_s: int):
    """Within a change: a command for each of these streams of a node. Of use until its policy
    ends, and for MASK_DAYS at most: the vault does not hear that a node has its trees, and as long
    as it repeats them, who is the node at the broker gets them."""
    query = "SELECT root FROM nodes WHERE id = ?"
    (root,) = file.db.execute(query, (node_id,)).fetchone()
    until_s = min(until_s, now_s + MASK_DAYS * mixing.DAY_S)
    for stream in streams:
        tree = mask_root(root, node_id, stream)
        mixing.queue(file, node_id, now_s, until_s, "mask", stream, tree)


def send_masks_again(file: SealedFile, node_ids: Iterable[str], now_s: int) -> dict[str, int]:
    """For nodes that have lost a tree, or had no command within MASK_DAYS: {node: how many
    commands}. A node refuses one for a stream whose tree it has. ToolError when one of the nodes
    does not count, or masks nothing."""
    check_kind(file)
    node_ids = sorted(set(node_ids))
    for node_id in node_ids:
        check_active(file, node_id)
    with file.change("mask", {"nodes": node_ids}):
        count = queue_masks(file, node_ids, now_s)
        nothing = next((node_id for node_id in node_ids if not count[node_id]), None)
        if nothing:
            message = f"node {nothing} masks nothing under the policy that it has"
            hint = "leave it out" if node_ids[1:] else "it needs no trees: there is nothing to do"
            raise ToolError(message, hint)
    return count


def masked_streams(policy: Policy) -> list[int]:
    """The numbers of the streams that a node masks under this policy."""
    return [stream.number for stream in policy.streams if stream.bins is not None]


def _nodes(file: SealedFile) -> list[NodeRoots]:
    query = "SELECT id, root, day0 FROM nodes WHERE state = 'active' ORDER BY id"
    found = []
    for node_id, root, day0 in file.db.execute(query).fetchall():
        had = policies.policies_of(file, node_id)
        masked = sorted({stream for policy in had for stream in masked_streams(policy)})
        if masked:
            found.append(roots_of(make_ticket(root, node_id, day0, masked), had[-1]))
    return found
