# SPDX-License-Identifier: MIT
"""What a controller keeps secret, in a file that opens with two factors only (../vault): the roots
of its nodes' trees, the key of its noise, the key that signs tokens, and that of its TLS.

Beside them lies what nobody may exchange: whose policies it believes, and how far its ledger was
when this was last open.
"""

import dataclasses
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.errors import ToolError
from host_tools.provisioning.controller_key import (
    ControllerKey,
    is_name,
    new_sealing_secret,
    sealing_public,
)
from host_tools.provisioning.mask_roots import NodeRoots
from host_tools.vault.sealed_file import SealedFile

FILE = "controller.vault"
_SCHEMA = """
CREATE TABLE kept (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE nodes (
    node TEXT PRIMARY KEY, day0 INTEGER NOT NULL, policy TEXT NOT NULL, kit TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE trees (
    node TEXT NOT NULL, stream INTEGER NOT NULL, root BLOB NOT NULL, PRIMARY KEY (node, stream)
) WITHOUT ROWID;
"""


@dataclasses.dataclass(frozen=True, repr=False)  # no key in a log or a traceback
class Keys:
    """All that the vault holds, as the rest works with it. policy_key: of who signs policies (LMS,
    60 bytes); office: of whose nodes are believed (Ed25519, 32 bytes); ahead_s: how far the
    nodes' clocks may be before this one's: 0 but for a simulated city; head: (number, hash) of
    the ledger's log when the vault was last open."""

    name: str
    policy_key: bytes
    office: bytes
    ahead_s: int
    noise: bytes
    signing: Ed25519PrivateKey
    sealing: bytes
    tls: tuple[bytes, bytes, bytes] | None
    head: tuple[int, bytes]
    nodes: dict[str, NodeRoots]

    def public(self) -> ControllerKey:
        signing = self.signing.public_key().public_bytes_raw()
        return ControllerKey(self.name, signing, sealing_public(self.sealing))


class KeyVault:
    """The vault of a controller's folder, open. Made by create() and open(); close() it."""

    def __init__(self, sealed: SealedFile):
        self._sealed = sealed

    @classmethod
    def create(cls, folder: Path, passphrase: str, factor, name: str, policy_key: bytes,
               office: bytes, ahead_s: int = 0) -> "KeyVault":  # fmt: skip
        """With new keys. ToolError when the name is none, or the folder has a vault."""
        if not is_name(name):
            raise ToolError("the name of a controller has 1 to 64 characters", "give a --name", 2)
        vault = cls(SealedFile.create(Path(folder) / FILE, passphrase, factor, _SCHEMA))
        try:
            with vault._sealed.change("init", {"name": name}):
                vault._keep("name", name.encode())
                vault._keep("policy key", policy_key)
                vault._keep("office", office)
                vault._keep("ahead", str(ahead_s).encode())
                vault._keep("noise", os.urandom(32))
                vault._keep("signing", Ed25519PrivateKey.generate().private_bytes_raw())
                vault._keep("sealing", new_sealing_secret())
        except BaseException:
            vault.close()
            raise
        return vault

    @classmethod
    def open(cls, folder: Path, passphrase: str, factor) -> "KeyVault":
        return cls(SealedFile.open(Path(folder) / FILE, passphrase, factor))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._sealed.close()

    def keys(self) -> Keys:
        """As they are now."""
        kept = dict(self._sealed.db.execute("SELECT name, value FROM kept"))
        parts = tuple(kept.get(part) for part in _TLS)
        head = kept.get("head", bytes(40))
        if "sealing" not in kept:
            message = "the controller's vault was not made to the end"
            raise ToolError(message, "delete its folder, and make it again: it has no keys yet")
        return Keys(
            kept["name"].decode(), kept["policy key"], kept["office"], int(kept["ahead"]),
            kept["noise"],
            Ed25519PrivateKey.from_private_bytes(kept["signing"]), kept["sealing"],
            parts if all(parts) else None, (int.from_bytes(head[:8], "big"), head[8:]),
            self._nodes(),
        )  # fmt: skip

    def _nodes(self) -> dict[str, NodeRoots]:
        db = self._sealed.db
        nodes = {row[0]: NodeRoots(*row, {}) for row in db.execute("SELECT * FROM nodes")}
        for node_id, stream, root in db.execute("SELECT * FROM trees"):
            nodes[node_id].roots[stream] = root
        return nodes

    def add(self, nodes: list[NodeRoots]) -> int:
        """Takes what is new of these nodes; how many had something new. ToolError, and nothing is
        taken, when a node is known with another root, day or policy."""
        known = self._nodes()
        fresh = [node for node in nodes if _is_new(node, known.get(node.node_id))]
        if fresh:
            ids = sorted(node.node_id for node in fresh)
            with self._sealed.change("add", {"nodes": ids}):
                for node in fresh:
                    self._add(node)
        return len(fresh)

    def _add(self, node: NodeRoots):
        row = node.node_id, node.day0, node.policy, node.kit
        self._sealed.db.execute("INSERT OR IGNORE INTO nodes VALUES (?, ?, ?, ?)", row)
        rows = [(node.node_id, stream, root) for stream, root in node.roots.items()]
        self._sealed.db.executemany("INSERT OR IGNORE INTO trees VALUES (?, ?, ?)", rows)

    def set_tls(self, authority: bytes, certificate: bytes, key: bytes):
        """PEM of the authority, of this controller's certificate, and of its key."""
        with self._sealed.change("certificate", {}):
            for name, value in zip(_TLS, (authority, certificate, key), strict=True):
                self._keep(name, value)

    def note_head(self, number: int, digest: bytes):
        """Remembers how far the ledger's log is: an older one put in its place is found."""
        with self._sealed.change("ledger", {"entry": number, "hash": digest.hex()}):
            self._keep("head", number.to_bytes(8, "big") + digest)

    def _keep(self, name: str, value: bytes):
        self._sealed.db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))


_TLS = ("tls authority", "tls certificate", "tls key")


def _is_new(node: NodeRoots, known: NodeRoots | None) -> bool:
    """ToolError when it is another one than the known one of its id."""
    if known is None:
        return True
    same = (node.day0, node.policy, node.kit) == (known.day0, known.policy, known.kit)
    if not same or any(known.roots.get(n, root) != root for n, root in node.roots.items()):
        message = f"node {node.node_id} is known with another root, first day or policy"
        hint = "a node that is made anew takes a new id; find out which of both is the true one"
        raise ToolError(message, hint)
    return any(n not in known.roots for n in node.roots)
