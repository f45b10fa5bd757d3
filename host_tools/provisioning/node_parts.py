# SPDX-License-Identifier: MIT
"""All that makes one node what it is, but for the board and the Wi-Fi that it meets on the spot.

Written as deterministic CBOR: ["lp1 node parts", node id, day0, [seal, receipt, command], masks,
[certificate, its key, authority], [broker's host, its port, SNTP host], floor_s, kit.json, policy,
policy key]. It holds keys: who has the file has the node.
"""

import contextlib
import dataclasses
import json
import re
from pathlib import Path

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from host_tools.errors import ToolError
from host_tools.policy.signed import check_signature, rules_of
from host_tools.private_file import read_bounded, write_private
from host_tools.provisioning.certificates import Identity
from host_tools.provisioning.kit import check_kit, node_kit
from host_tools.provisioning.ticket import Ticket, is_node_id
from node.crypto import lms

LABEL = "lp1 node parts"
SUFFIX = ".parts"
MOST_BYTES = 1 << 16
_HOST = re.compile("[!-~]{1,253}")
_NOT_WHOLE = cbor2.CBORError, ValueError, TypeError, AttributeError, RecursionError
_AGAIN = "get it again from who prepared the node"


@dataclasses.dataclass(frozen=True, repr=False)  # no key in a log or a traceback
class NodeParts:
    """broker: (host as in its certificate, port); sntp: host; floor_s: Unix time before which it
    cannot be; kit: the content of kit.json; policy: rules and signature; policy_key: the public
    key (60 bytes) by which this policy and those to come are signed."""

    ticket: Ticket
    identity: Identity
    ca_der: bytes
    broker: tuple[str, int]
    sntp: str
    floor_s: int
    kit: dict
    policy: bytes
    policy_key: bytes

    def files(self, wifi: tuple[str, str], board: dict) -> dict[str, bytes]:
        """{name below /lp: content} of what a node reads at its start; wifi: (ssid, password).
        ToolError when the policy is not signed by the policy key: the node would refuse it."""
        rules = rules_of(self.policy)
        check_signature(rules, self.policy[len(rules) :], self.policy_key)
        certificate, key = self.identity.der()
        config = {
            "node": self.ticket.node_id,
            "day0": self.ticket.day0,
            "floor_s": self.floor_s,
            "broker": {"host": self.broker[0], "port": self.broker[1]},
            "wifi": {"ssid": wifi[0], "password": wifi[1]},
            "sntp": self.sntp,
        }
        return {
            "config.json": json.dumps(config).encode(),
            "board.json": json.dumps(board).encode(),
            "kit.json": json.dumps(node_kit(self.kit)).encode(),
            "policy": self.policy,
            "policy.key": self.policy_key,
            "ca.der": self.ca_der,
            "node.der": certificate,
            "node.key.der": key,
        }

    def encode(self) -> bytes:
        ticket = self.ticket
        keys = [ticket.seal, ticket.receipt, ticket.command]
        fields = [
            LABEL, ticket.node_id, ticket.day0, keys, ticket.masks,
            [*self.identity.der(), self.ca_der], [*self.broker, self.sntp], self.floor_s,
            json.dumps(self.kit), self.policy, self.policy_key,
        ]  # fmt: skip
        return cbor2.dumps(fields, canonical=True)


def decode_parts(data: bytes, name: str) -> NodeParts:
    """The parts in these bytes, which messages call `name`. ToolError when they are not whole, or
    their kit is not sound; whether it fits a board is for who has one."""
    parts = None
    if len(data) <= MOST_BYTES:
        with contextlib.suppress(*_NOT_WHOLE):
            parts = _decoded(cbor2.loads(data))
            if parts is not None and parts.encode() != data:
                parts = None
    if parts is None:
        raise ToolError(f"{name} is not a prepared node, or not whole", _AGAIN) from None
    check_kit(name, parts.kit)
    return parts


def _decoded(fields) -> NodeParts | None:
    label, node_id, day0, keys, masks, chain, place, floor_s, kit, policy, policy_key = fields
    certificate, key, ca_der = chain
    host, port, sntp = place
    numbers = (day0, 1 << 20), (port, 1 << 16), (floor_s, 1 << 33)
    whole = label == LABEL and is_node_id(node_id) and port != 0
    whole = whole and all(_is_below(number, end) for number, end in numbers)
    whole = whole and all(_is_host(text) for text in (host, sntp)) and type(kit) is str
    whole = whole and len(keys) == 3 and all(_is_blob(key, 32) for key in keys)
    whole = whole and all(_is_below(stream, 256) and stream for stream in masks)
    whole = whole and all(_is_blob(root, 16) for root in masks.values())
    whole = whole and type(policy) is bytes and _is_blob(policy_key, lms.PUBLIC_KEY_LENGTH)
    if not whole:
        return None
    identity = Identity(
        x509.load_der_x509_certificate(certificate), serialization.load_der_private_key(key, None)
    )
    if identity.certificate.public_key() != identity.key.public_key():
        return None
    x509.load_der_x509_certificate(ca_der)
    ticket = Ticket(node_id, day0, *keys, masks)
    return NodeParts(
        ticket, identity, ca_der, (host, port), sntp, floor_s, json.loads(kit), policy, policy_key
    )


def _is_host(text) -> bool:
    return type(text) is str and _HOST.fullmatch(text) is not None


def _is_blob(value, length: int) -> bool:
    return type(value) is bytes and len(value) == length


def _is_below(number, end: int) -> bool:
    return type(number) is int and 0 <= number < end


def write_parts(folder: Path, parts: NodeParts) -> Path:
    """Writes FOLDER/<node>.parts, for its owner only, and returns its path."""
    folder = Path(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / (parts.ticket.node_id + SUFFIX)
    write_private(path, parts.encode())
    return path


def read_parts(path: Path) -> NodeParts:
    """The parts in a file. ToolError when they are not whole, or when others can read them."""
    path = Path(path)
    try:
        if path.stat().st_mode & 0o077:
            message = f"{path} holds keys, and others than its owner can read it"
            raise ToolError(message, f"chmod 600 {path}")
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    return decode_parts(read_bounded(path, MOST_BYTES), str(path))
