# SPDX-License-Identifier: MIT
"""The keys that a store holds: per node the receipt key, the policies with their terms, and the
seal of the oldest epoch that is still expected, with what is mixed into seals to come. Earlier
seals are forgotten, and with them what was mixed in, so that who takes the keyring opens nothing
that came before.

One JSON file that only its owner can read. Provisioning adds nodes to it while a collector runs;
a lock beside it keeps their changes apart.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from host_tools.collector.kept_policy import KeptPolicy
from host_tools.errors import ToolError
from host_tools.policy.signed import check_signature
from host_tools.private_file import read_private, remove_leftovers, write_private
from host_tools.provisioning.seal_chain import EPOCH_MAX, MIX_BYTES, seal_at
from host_tools.provisioning.ticket import Ticket
from host_tools.vault.file_lock import turn

_MOST_BYTES = 256 << 20  # some hundred thousand nodes


@dataclasses.dataclass(repr=False)  # no key in a log or a traceback
class NodeKeys:
    """epoch, seal: the oldest that is held; receipt: the key, or b"" for who may only read;
    policies: all under which records may come; mixes:
    {a later epoch: the 32 bytes that the vault has the node mix into its seal}."""

    day0: int
    epoch: int
    seal: bytes
    receipt: bytes
    policies: list[KeptPolicy]
    mixes: dict[int, bytes] = dataclasses.field(default_factory=dict)

    def seal_at(self, epoch: int, is_mixed: bool = True) -> bytes:
        """The seal of `epoch`, which is not before the oldest that is held. is_mixed=False: as it
        would be had the node mixed nothing in."""
        return seal_at(self.seal, self.epoch, epoch, self.mixes if is_mixed else {})

    def is_mixed_by(self, epoch: int) -> bool:
        """Whether anything is to be mixed in after the oldest epoch and up to this one."""
        return any(mixed <= epoch for mixed in self.mixes)

    def step_to(self, epoch: int):
        """Forgets the seals before `epoch`, and what is mixed into any up to it."""
        self.seal, self.epoch = self.seal_at(epoch), epoch
        self.mixes = {mixed: a for mixed, a in self.mixes.items() if mixed > epoch}


@dataclasses.dataclass(repr=False)
class GrantedKeys:
    """keys: as granted, without a seal when the store has one. since: their mixes are all that are
    mixed in after this epoch, which is not after that of the seal."""

    keys: NodeKeys
    since: int


class Keyring:
    """The keyring in the file `path`; an empty one where there is none."""

    def __init__(self, path: Path):
        # A link may not be replaced: what it names would keep the seals that are forgotten here.
        self.path = Path(path).resolve()
        remove_leftovers(self.path)
        self._seen = None
        self.is_changed = False  # by somebody else, and refresh() has not said so yet
        self._nodes: dict[str, NodeKeys] = {}
        self.refresh()

    def node(self, node_id: str) -> NodeKeys | None:
        return self._nodes.get(node_id)

    def node_ids(self) -> list[str]:
        return sorted(self._nodes)

    def refresh(self) -> bool:
        """Reads the file again if somebody changed it; whether that was so since the last call."""
        self.read_again()
        changed, self.is_changed = self.is_changed, False
        return changed

    def read_again(self) -> bool:
        """Reads the file again if it has changed, and says so; refresh() will say so as well."""
        state = self._state()
        if state == self._seen:
            return False
        self._nodes = self._read() if state else {}
        self._seen, self.is_changed = state, True
        return True

    def add_node(
        self, ticket: Ticket, rules: bytes, terms: bytes, signed: tuple[bytes, bytes] | None = None
    ):
        """Takes a node, or takes it anew, with its compiled policy: ToolError when that cannot be
        used. signed: (signature, public key), which are checked; who has them gives them."""
        policy = _policy(rules, terms, signed)
        keys = NodeKeys(ticket.day0, 0, ticket.seal, ticket.receipt, [policy])
        with self._changing():
            self._nodes[ticket.node_id] = keys

    def add_policy(
        self, node_id: str, rules: bytes, terms: bytes, signed: tuple[bytes, bytes] | None = None
    ):
        """Lets records of a node come under one more policy; ToolError when it cannot be used, or
        when the node has another of this version. signed: see add_node."""
        policy = _policy(rules, terms, signed)
        with self._changing():
            policies = self._known(node_id).policies
            if all(known.digest != policy.digest for known in policies):
                _check_version(node_id, policy, policies)
                policies.append(policy)

    def add_mix(self, node_id: str, epoch: int, a: bytes):
        """Mixes `a` (32 bytes) into the seal of an epoch to come. Before the node is told, so that
        nothing comes that does not open. ToolError when the node is not known, or has sent from
        that epoch already, or something else is to be mixed in."""
        if not 0 < epoch <= EPOCH_MAX or len(a) != MIX_BYTES:
            raise ValueError("not an epoch to come, or not 32 bytes")
        with self._changing():
            keys = self._known(node_id)
            if epoch <= keys.epoch:
                message = f"node {node_id} is at epoch {keys.epoch}, so none goes into {epoch}"
                raise ToolError(message, "mix into an epoch that is to come")
            if keys.mixes.get(epoch, a) != a:
                message = f"something else is to be mixed into epoch {epoch} of node {node_id}"
                raise ToolError(message, "take another epoch, or drop that first")
            keys.mixes[epoch] = a

    def drop_mix(self, node_id: str, epoch: int):
        """For a node that has not mixed in what it was to: what it sends then opens without it.
        ToolError when nothing waits for that epoch."""
        with self._changing():
            if self._known(node_id).mixes.pop(epoch, None) is None:
                message = f"nothing waits to be mixed into epoch {epoch} of node {node_id}"
                raise ToolError(message, "once anything from that epoch has come, it stays")

    def _known(self, node_id: str) -> NodeKeys:
        if node_id not in self._nodes:
            raise ToolError(f"node {node_id} is not in the keyring", "add the node first")
        return self._nodes[node_id]

    def take(self, granted: dict[str, GrantedKeys], revoked: Iterable[str] = ()):
        """Takes what was granted to this store, {node: keys}; keys without a seal are of a node
        that it has. A node that it has keeps its oldest epoch, wherever the grant begins: nothing
        comes back that was forgotten. revoked: nodes that go. ToolError, and nothing taken, when a
        seal is missing."""
        with self._changing():
            joined = {n: _joined(n, self._nodes.get(n), keys) for n, keys in granted.items()}
            self._nodes.update(joined)
            for node_id in revoked:
                self._nodes.pop(node_id, None)

    def forget_before(self, epochs: dict[str, int]):
        """Steps seals forward: {node: the oldest epoch that is still expected}."""
        if not any(self._is_behind(node_id, epoch) for node_id, epoch in epochs.items()):
            return
        with self._changing():
            for node_id, epoch in epochs.items():
                if self._is_behind(node_id, epoch):
                    self._nodes[node_id].step_to(epoch)

    def _is_behind(self, node_id: str, epoch: int) -> bool:
        return node_id in self._nodes and self._nodes[node_id].epoch < epoch

    @contextlib.contextmanager
    def _changing(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with turn(self.path):
            self.read_again()
            yield
            self._write()

    def _state(self):
        try:
            info = self.path.stat()
        except FileNotFoundError:
            return None
        return info.st_ino, info.st_mtime_ns, info.st_size

    def _read(self) -> dict[str, NodeKeys]:
        data = read_private(self.path, _MOST_BYTES)
        try:
            content = json.loads(data)
            policies = {
                digest: KeptPolicy(bytes.fromhex(kept["rules"]), bytes.fromhex(kept["terms"]))
                for digest, kept in content["policies"].items()
            }
            return {
                node_id: NodeKeys(
                    item["day0"],
                    item["epoch"],
                    bytes.fromhex(item["seal"]),
                    bytes.fromhex(item["receipt"]),
                    [policies[digest] for digest in item["policies"]],
                    _mixes(item.get("mixes", {})),
                )
                for node_id, item in content["nodes"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, ToolError):
            hint = "restore it from a backup, or provision the nodes again"
            raise ToolError(f"{self.path} is not a keyring", hint) from None

    def _write(self):
        policies = {p.digest.hex(): p for keys in self._nodes.values() for p in keys.policies}
        content = {
            "policies": {
                digest: {"rules": policy.rules.hex(), "terms": policy.encoded_terms.hex()}
                for digest, policy in policies.items()
            },
            "nodes": {
                node_id: {
                    "day0": keys.day0,
                    "epoch": keys.epoch,
                    "seal": keys.seal.hex(),
                    "receipt": keys.receipt.hex(),
                    "policies": [policy.digest.hex() for policy in keys.policies],
                    "mixes": {str(epoch): a.hex() for epoch, a in keys.mixes.items()},
                }
                for node_id, keys in self._nodes.items()
            },
        }
        write_private(self.path, json.dumps(content).encode())
        self._seen = self._state()


def _joined(node_id: str, held: NodeKeys | None, granted: GrantedKeys) -> NodeKeys:
    """What a store holds of a node after a grant."""
    joined = dataclasses.replace(granted.keys)
    if held is not None and held.day0 != joined.day0:  # provisioned anew
        held = None
    if held is None:
        if not joined.seal:
            message = f"the grant has no seal of node {node_id}, which the keyring does not hold"
            raise ToolError(message, "have it granted: lamppost vault grant")
        joined.step_to(joined.epoch)
        return joined
    digests = {policy.digest for policy in joined.policies}
    more = [policy for policy in held.policies if policy.digest not in digests]
    joined.policies = [*joined.policies, *more]
    untold = {epoch: a for epoch, a in held.mixes.items() if epoch <= granted.since}
    joined.mixes = {**untold, **joined.mixes}
    if not joined.seal or held.epoch < joined.epoch:
        joined.seal, joined.epoch = held.seal, held.epoch
    joined.step_to(held.epoch)
    return joined


def _mixes(written: dict[str, str]) -> dict[int, bytes]:
    """ValueError when they are none."""
    mixes = {int(epoch): bytes.fromhex(a) for epoch, a in written.items()}
    if any(len(a) != MIX_BYTES for a in mixes.values()):
        raise ValueError
    return mixes


def _policy(rules: bytes, terms: bytes, signed: tuple[bytes, bytes] | None) -> KeptPolicy:
    policy = KeptPolicy(rules, terms)
    if signed is not None:
        check_signature(rules, *signed, f"policy {policy.id}")
    return policy


def _check_version(node_id: str, policy: KeptPolicy, policies: list[KeptPolicy]):
    """ToolError when the node has other rules as this version: no node takes both."""
    for known in policies:
        if (known.kit, known.id, known.version) == (policy.kit, policy.id, policy.version):
            message = f"node {node_id} has other rules as {policy.id} version {policy.version}"
            hint = "one of the two is not what was published: find out who signed it"
            raise ToolError(message, hint)
