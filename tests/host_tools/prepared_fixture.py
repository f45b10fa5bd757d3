# SPDX-License-Identifier: MIT
"""Prepared nodes of a made-up city, for tests of the flashing."""

import time

from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.kit import load_kit
from host_tools.provisioning.lms_tree import LmsTree
from host_tools.provisioning.node_parts import NodeParts, write_parts
from host_tools.provisioning.ticket import make_ticket, new_node_id

WIFI = ("city of tests", "correct horse 7")
_MADE = {}  # a key takes a second


def _signed(rules: bytes) -> tuple[bytes, bytes]:
    signer = _MADE.setdefault("signer", LmsTree(bytes(32), bytes(16)))
    leaf = _MADE.setdefault("leaf", {})
    if rules not in leaf:
        leaf[rules] = rules + signer.sign(len(leaf), rules, bytes(32))
    return leaf[rules], signer.public_key


def authority() -> Authority:
    """The one that the nodes and their broker have."""
    return _MADE.setdefault("authority", Authority.create())


def make_parts(kit: str = "air", node_id: str = "", root: bytes = bytes(32)) -> NodeParts:
    node_id = node_id or new_node_id()
    loaded = load_kit(kit)
    policy, key = _signed(compile_policy(loaded.policy_path).rules)
    now_s = int(time.time())
    return NodeParts(
        make_ticket(root, node_id, now_s // 86_400), authority().issue(node_id, "node"),
        authority().der()[0], ("broker.test", 8883), "time.test", now_s, loaded.data, policy, key,
    )  # fmt: skip


def prepare(folder, *kits: str) -> list[NodeParts]:
    """A folder with one prepared node for each of the kits."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [make_parts(kit, f"000000000{n}") for n, kit in enumerate(kits)]
    for parts in made:
        write_parts(folder, parts)
    return made
