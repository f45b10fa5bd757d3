# SPDX-License-Identifier: MIT
"""A store's own key, to which the vault seals what the store may open: KEYRING.key, beside the
keyring, for its owner only. And what is granted, on its way from the vault into the keyring.
"""

import contextlib
import dataclasses
import hmac
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from host_tools.collector.kept_policy import KeptPolicy
from host_tools.collector.keyring import GrantedKeys, Keyring, NodeKeys
from host_tools.errors import ToolError
from host_tools.handover.cards import Office, Store
from host_tools.handover.grants import Grant, read_grant
from host_tools.private_file import read_private, write_private
from host_tools.vault.file_lock import turn

_FORMAT = "lp1 store key"
_MOST_BYTES = 1 << 16
_TAG_DIGITS = 32


@dataclasses.dataclass(frozen=True, repr=False)  # no key in a log or a traceback
class StoreKey:
    """office: whose grants count; serial: of the last grant that was taken."""

    name: str
    office: Office
    secret: bytes
    serial: int

    def card(self) -> Store:
        key = X25519PrivateKey.from_private_bytes(self.secret)
        return Store(self.name, key.public_key().public_bytes_raw())


@dataclasses.dataclass(frozen=True)
class Taken:
    """Node ids: opened from now on, known before, gone; mixes, policies: how many of them came for
    those that were known."""

    new: list[str]
    known: list[str]
    revoked: list[str]
    mixes: int
    policies: int


def make_store_key(keyring: Path, name: str, office: Office) -> StoreKey:
    """A new key beside a keyring that may not be there yet. ToolError when there is one."""
    path = key_path(keyring)
    if os.path.lexists(path):
        raise ToolError(f"{path} is there already", "its card: lamppost keyring card")
    key = StoreKey(name, office, X25519PrivateKey.generate().private_bytes_raw(), 0)
    _write(path, key)
    return key


def read_store_key(keyring: Path) -> StoreKey:
    """ToolError when there is none, or others can read it."""
    path, found = key_path(keyring), None
    data = read_private(path, _MOST_BYTES, "make it: lamppost keyring init")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        item = json.loads(data)
        office = Office(item["office"], bytes.fromhex(item["office_key"]))
        secret = bytes.fromhex(item["secret"])
        if item["format"] == _FORMAT and len(secret) == 32:
            found = StoreKey(item["name"], office, secret, item["serial"])
    if found is None:
        raise ToolError(f"{path} is not a store's key", "bring it back from a backup")
    return found


def share_tag(keyring: Path) -> str:
    """What this store's workers put behind the name of their group, so that nobody else can join
    it; "" of a keyring without a store's key. ToolError when that cannot be read."""
    if not key_path(keyring).exists():
        return ""
    secret = read_store_key(keyring).secret
    return "-" + hmac.digest(secret, b"lp1 share", "sha256").hex()[:_TAG_DIGITS]


def take_grant(keyring: Path, grant: Path) -> Taken:
    """Takes a file of granted keys into the keyring. ToolError when it is altered, another
    store's, or older than one that was taken before, also at the same time by another process."""
    if not key_path(keyring).exists():
        read_store_key(keyring)  # says so, and leaves no lock beside
    with turn(key_path(keyring)):
        return _take(keyring, grant)


def _take(keyring: Path, grant: Path) -> Taken:
    """Within the turn of the store's key: what it says is newest, and what is in the keyring, may
    not part."""
    key = read_store_key(keyring)
    serial, granted = read_grant(grant, key.office.sign, key.name, key.secret)
    if serial < key.serial:
        message = f"{grant} is older than what was taken before"
        raise ToolError(message, "take the newest: revocations and mixes count in their order")
    ring = Keyring(keyring)
    held = set(ring.node_ids())
    nodes = _node_keys(granted)
    before = {n: _parts_of(ring, n) for n in held.intersection(nodes)}
    ring.take(nodes, granted.revoked)
    # After the keyring: who is cut off here takes the same file again.
    _write(key_path(keyring), dataclasses.replace(key, serial=serial))
    gone = sorted(held.intersection(granted.revoked))
    mixes, policies = (
        sum(len(_parts_of(ring, n)[part] - had[part]) for n, had in before.items())
        for part in (0, 1)
    )
    return Taken(sorted(set(nodes) - held), sorted(before), gone, mixes, policies)


def _parts_of(ring: Keyring, node_id: str) -> tuple[set, set]:
    """(epochs of its mixes, digests of its policies)"""
    keys = ring.node(node_id)
    return set(keys.mixes), {policy.digest for policy in keys.policies}


def key_path(keyring: Path) -> Path:
    keyring = Path(keyring).resolve()  # as the keyring itself: both are changed in one turn
    return keyring.with_name(keyring.name + ".key")


def _node_keys(granted: Grant) -> dict[str, GrantedKeys]:
    known = {
        digest: KeptPolicy(policy.rules, policy.terms)
        for digest, policy in granted.policies().items()
    }
    return {
        node.node_id: GrantedKeys(
            NodeKeys(
                node.day0, node.epoch, node.seal, node.receipt,
                [known[digest] for digest in node.policies], node.mixes,
            ),
            node.since,
        )
        for node in granted.nodes
    }  # fmt: skip


def _write(path: Path, key: StoreKey):
    content = {
        "format": _FORMAT, "name": key.name, "office": key.office.name,
        "office_key": key.office.sign.hex(), "secret": key.secret.hex(), "serial": key.serial,
    }  # fmt: skip
    try:
        write_private(path, json.dumps(content).encode())
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "see that its folder can be written") from err
