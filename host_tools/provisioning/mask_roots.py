# SPDX-License-Identifier: MIT
"""The roots of masked streams on their way from the vault to the controller: a file that only the
controller can open.

plaintext  deterministic CBOR of ["lp1 mask roots", [[node, day0, policy id, kit, {stream: root
           of 16 bytes}], …]], nodes rising
file       "lp1 sealed mask roots\\n" ‖ HPKE of the plaintext to the controller's key, whose info
           is that first line (controller_key.py)
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import cbor2

from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.provisioning.controller_key import ControllerKey, unseal
from host_tools.provisioning.ticket import Ticket, is_node_id
from node.policy.rules import Policy

SUFFIX = ".roots"
_LABEL = "lp1 mask roots"
_HEAD = b"lp1 sealed mask roots\n"
_AGAIN = "have the vault write it again, for this controller's public key"


@dataclasses.dataclass(frozen=True, repr=False)  # no key in a log or a traceback
class NodeRoots:
    """policy, kit: those that the node's policies have, in all versions; roots: {number of a
    masked stream: the root of its tree, 16 bytes}."""

    node_id: str
    day0: int
    policy: str
    kit: str
    roots: dict[int, bytes]


def roots_of(ticket: Ticket, policy: Policy) -> NodeRoots:
    """What the controller is to know of a node with this ticket and policy."""
    return NodeRoots(ticket.node_id, ticket.day0, policy.id, policy.kit, dict(ticket.masks))


def write_roots(path: Path, nodes: Iterable[NodeRoots], key: ControllerKey):
    """Seals them for the controller of this key. ToolError when it cannot be written."""
    fields = [
        [node.node_id, node.day0, node.policy, node.kit, node.roots]
        for node in sorted(nodes, key=lambda node: node.node_id)
    ]
    plaintext = cbor2.dumps([_LABEL, fields], canonical=True)
    try:
        write_private(path, _HEAD + key.seal(plaintext, _HEAD))
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "take a path that can be written") from err


def read_roots(path: Path, secret: bytes) -> list[NodeRoots]:
    """What was sealed for the controller that holds `secret`. ToolError when it was not."""
    try:
        sealed = Path(path).read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    if not sealed.startswith(_HEAD):
        raise ToolError(f"{path} holds no sealed roots", _AGAIN)
    plaintext = unseal(sealed[len(_HEAD) :], secret, _HEAD)
    if plaintext is None:
        raise ToolError(f"{path} was sealed for another controller, or is damaged", _AGAIN)
    try:
        label, fields = cbor2.loads(plaintext)
        nodes = [NodeRoots(*node) for node in fields]
        if label == _LABEL and all(map(_is_whole, nodes)):
            return nodes
    except (cbor2.CBORError, ValueError, TypeError):
        pass
    raise ToolError(f"{path} holds what is no list of roots", _AGAIN) from None


def _is_whole(node: NodeRoots) -> bool:
    texts = all(type(text) is str for text in (node.node_id, node.policy, node.kit))
    return (
        texts
        and is_node_id(node.node_id)
        and type(node.day0) is int
        and 0 <= node.day0 < 1 << 20
        and type(node.roots) is dict
        and all(type(n) is int and 0 < n < 256 for n in node.roots)
        and all(type(root) is bytes and len(root) == 16 for root in node.roots.values())
    )
