# SPDX-License-Identifier: MIT
"""The roots of the trees that mask: for the nodes, by command, and for a controller, which opens
sums with them, and no single value, as it has no envelopes.

They are in no ticket. A tree serves for all of a node's life, and a mix does not change it: who
has a ticket would open the node's values for ever. So a node gets its trees once it counts, and
its masked streams tell nothing before. Who has the ticket must now read the command at the broker:
by a recording of its traffic, or in the node's place."""

from collections.abc import Iterable
from pathlib import Path

from host_tools.city import mixing
from host_tools.city.grant import check_active
from host_tools.city.vault_keys import check_kind, office_secret
from host_tools.errors import ToolError
from host_tools.policy.signed import read_published
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
    """Within a change: a command for each masked stream of each of these nodes; {node: how many}.
    Of use until its policy ends, and for MASK_DAYS at most: the vault does not hear that a node
    has its trees, and as long as it repeats them, who is the node at the broker gets them."""
    count = {}
    for node_id in node_ids:
        query = (
            "SELECT root, published FROM nodes JOIN tickets ON node = nodes.id"
            " JOIN policies ON digest = policy WHERE nodes.id = ?"
        )
        root, published = file.db.execute(query, (node_id,)).fetchone()
        policy = read_published(published).policy()
        streams = masked_streams(policy)
        until_s = min(policy.until_s, now_s + MASK_DAYS * mixing.DAY_S)
        for stream in streams:
            tree = mask_root(root, node_id, stream)
            mixing.queue(file, node_id, now_s, until_s, "mask", stream, tree)
        count[node_id] = len(streams)
    return count


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
            raise ToolError(message, "leave it out")
    return count


def masked_streams(policy: Policy) -> list[int]:
    """The numbers of the streams that a node masks under this policy."""
    return [stream.number for stream in policy.streams if stream.bins is not None]


def _nodes(file: SealedFile) -> list[NodeRoots]:
    query = "SELECT digest, published FROM policies"
    policies = {digest: read_published(data).policy() for digest, data in file.db.execute(query)}
    query = (
        "SELECT nodes.id, root, day0, policy FROM nodes JOIN tickets ON node = nodes.id"
        " WHERE nodes.state = 'active' ORDER BY nodes.id"
    )
    found = []
    for node_id, root, day0, digest in file.db.execute(query):
        masked = masked_streams(policies[digest])
        if masked:
            ticket = make_ticket(root, node_id, day0, masked)
            found.append(roots_of(ticket, policies[digest]))
    return found
