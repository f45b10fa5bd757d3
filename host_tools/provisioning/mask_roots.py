# SPDX-License-Identifier: MIT
"""The roots of masked streams on their way from the vault to the controller: a file that only the
controller can open, and only the vault can have written. Else anybody could add nodes of their
own, among which a sum is that of a single dwelling.

plaintext  Ed25519 signature of what follows by the vault's office (64 bytes) ‖ deterministic CBOR
           of ["lp1 mask roots", SHA-256 of the controller's key, [[node, day0, policy id, kit,
           {stream: root of 16 bytes}], …]], nodes rising
file       "lp1 sealed mask roots\\n" ‖ HPKE of the plaintext to the controller's key, whose info
           is that first line (controller_key.py)
"""

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.provisioning.controller_key import ControllerKey, unseal
from host_tools.provisioning.ticket import Ticket, is_node_id
from node.policy.rules import Policy

SUFFIX = ".roots"
_LABEL = "lp1 mask roots"
_HEAD = b"lp1 sealed mask roots\n"
_SIGNATURE = 64
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


def write_roots(
    path: Path, nodes: Iterable[NodeRoots], key: ControllerKey, office: Ed25519PrivateKey
):
    """Seals them for the controller of this key, signed by the vault's office. ToolError when it
    cannot be written."""
    fields = [
        [node.node_id, node.day0, node.policy, node.kit, node.roots]
        for node in sorted(nodes, key=lambda node: node.node_id)
    ]
    content = cbor2.dumps([_LABEL, _digest(key), fields], canonical=True)
    try:
        write_private(path, _HEAD + key.seal(office.sign(content) + content, _HEAD))
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "take a path that can be written") from err


def read_roots(path: Path, secret: bytes, key: ControllerKey, office: bytes) -> list[NodeRoots]:
    """What the office (Ed25519, 32 bytes) sealed for the controller that holds `secret`, whose
    public key is `key`. ToolError when it did not."""
    try:
        sealed = Path(path).read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    if not sealed.startswith(_HEAD):
        raise ToolError(f"{path} holds no sealed roots", _AGAIN)
    plaintext = unseal(sealed[len(_HEAD) :], secret, _HEAD)
    if plaintext is None:
        raise ToolError(f"{path} was sealed for another controller, or is damaged", _AGAIN)
    content = plaintext[_SIGNATURE:]
    try:
        Ed25519PublicKey.from_public_bytes(office).verify(plaintext[:_SIGNATURE], content)
    except InvalidSignature as err:
        message = f"{path} is not signed by the office that this controller believes"
        raise ToolError(message, "take no nodes of it, and find out who wrote it") from err
    try:
        label, controller, fields = cbor2.loads(content)
        nodes = [NodeRoots(*node) for node in fields]
        if (label, controller) == (_LABEL, _digest(key)) and all(map(_is_whole, nodes)):
            return nodes
    except (cbor2.CBORError, ValueError, TypeError):
        pass
    raise ToolError(f"{path} holds what is no list of roots", _AGAIN) from None


def _digest(key: ControllerKey) -> bytes:
    return hashlib.sha256(key.encode()).digest()


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
