# SPDX-License-Identifier: MIT
"""A new policy for nodes that there are: noted for each, so that the next file for a store has it,
and queued, so that the next file of commands brings it to the node.

    a policy ─▶ rows ─┬─▶ grant.update ─▶ stores       first: a store opens what it knows
                      └─▶ mixing.messages ─▶ nodes     then: in force from 00:00 UTC on
"""

import dataclasses
from collections.abc import Iterable

from host_tools.city import grant, mixing, policies, roots
from host_tools.city.vault_keys import check_kind, place_of
from host_tools.errors import ToolError
from host_tools.policy.signed import PublishedPolicy, check_signature
from host_tools.vault.sealed_file import SealedFile
from node.policy.rules import Policy

_DAY_S = 86_400


@dataclasses.dataclass(frozen=True)
class Sending:
    """nodes: that get it; known: that were to get it before; refused: {node: why it cannot have
    it}; stores: that need a new file first."""

    nodes: list[str]
    known: list[str]
    refused: dict[str, str]
    stores: list[str]


def send_policy(file: SealedFile, policy: PublishedPolicy, node_ids: Iterable[str],
                now_s: int) -> Sending:  # fmt: skip
    """Queues a policy for these nodes. One that cannot have it does not stop the others. ToolError
    when no key of this city signed it, when it has ended before it can begin, and for a node that
    is not active."""
    check_kind(file)
    key, rules = _signer(file, policy), policy.policy()
    if rules.until_s <= now_s - now_s % _DAY_S + _DAY_S:
        message = "the policy ends before it can begin, at the next 00:00 UTC"
        raise ToolError(message, "publish one that is valid for longer")
    node_ids = sorted(set(node_ids))
    for node_id in node_ids:
        grant.check_active(file, node_id)
    known = [n for n in node_ids if _newest(file, n).digest == rules.digest]
    reasons = {n: _why_not(file, n, rules, key) for n in node_ids if n not in set(known)}
    refused = {node_id: why for node_id, why in reasons.items() if why}
    nodes = [node_id for node_id, why in reasons.items() if not why]
    if nodes:
        detail = {"policy": rules.digest.hex(), "version": rules.version, "nodes": nodes}
        with file.change("send policy", detail):
            policies.note(file, policy, key)
            for node_id in nodes:
                _queue(file, node_id, rules, key, now_s)
    return Sending(nodes, known, refused, grant.stores_of(file, [*nodes, *known]))


def nodes_of_kit(file: SealedFile, kit: str) -> list[str]:
    """All that are active; ToolError when there are none."""
    check_kind(file)
    query = "SELECT id FROM nodes WHERE kit = ? AND state = 'active' ORDER BY id"
    found = [node_id for (node_id,) in file.db.execute(query, (kit,))]
    if not found:
        raise ToolError(f"there is no active node of kit {kit}", "see `lamppost vault nodes`")
    return found


def _signer(file: SealedFile, policy: PublishedPolicy) -> bytes:
    """Which of the keys that this city has, or had, signed it."""
    present = place_of(file)[2]
    for key in sorted({present, *policies.keys(file)}, key=lambda key: key != present):
        try:
            check_signature(policy.rules, policy.signature, key)
        except ToolError:
            continue
        return key
    message = "the policy is not signed by a key of this city"
    raise ToolError(message, "have it signed by the key that `lamppost vault setup` was given")


def _why_not(file: SealedFile, node_id: str, rules: Policy, key: bytes) -> str | None:
    if policies.key_of(file, node_id) != key:
        return "it was made under another policy key, and knows no other: sign it with that one"
    newest = _newest(file, node_id)
    if (newest.kit, newest.id) != (rules.kit, rules.id):
        return f"it has policy {newest.id} for kit {newest.kit}, and this is another"
    if newest.version >= rules.version:
        return f"it has version {newest.version}, and this is version {rules.version}"
    return None


def _newest(file: SealedFile, node_id: str) -> Policy:
    return policies.policies_of(file, node_id)[-1]


def _queue(file: SealedFile, node_id: str, rules: Policy, key: bytes, now_s: int):
    on_its_way = {stream for stream, _ in mixing.alive(file, node_id, "mask", now_s)}
    fresh = [stream for stream in roots.masked_streams(rules) if stream not in on_its_way]
    row = node_id, rules.digest, key
    file.db.execute("INSERT INTO sent_policies VALUES (?, ?, ?)", row)
    roots.queue_trees(file, node_id, fresh, now_s, rules.until_s)
    mixing.withdraw(file, node_id, "policy")
    mixing.queue(file, node_id, now_s, rules.until_s, "policy", rules.digest)
