# SPDX-License-Identifier: MIT
"""Which policies a vault knows, which key signed each, and which a node has or is to have.

A node checks policies by the key that its ticket brought, for all its life: a city that takes
another key signs policies for the nodes that it has with the former one.
"""

import functools

from host_tools.policy.signed import PublishedPolicy, read_published
from host_tools.provisioning.command import policy_parts
from host_tools.vault.sealed_file import SealedFile
from node.policy.rules import Policy


def note(file: SealedFile, published: PublishedPolicy, key: bytes) -> bytes:
    """Within a change: knows a policy that this key signed, which was checked; its digest."""
    digest = published.policy().digest
    query = "INSERT OR IGNORE INTO policies VALUES (?, ?, ?)"
    file.db.execute(query, (digest, key, published.encode()))
    return digest


def keys(file: SealedFile) -> list[bytes]:
    """By which the nodes of this city check policies."""
    return [key for (key,) in file.db.execute("SELECT DISTINCT policy_key FROM tickets")]


def key_of(file: SealedFile, node_id: str) -> bytes:
    """By which a node checks policies."""
    query = "SELECT policy_key FROM tickets WHERE node = ?"
    return file.db.execute(query, (node_id,)).fetchone()[0]


def policies_of(file: SealedFile, node_id: str) -> list[Policy]:
    """All that a node has had or is to have, by rising version."""
    query = (
        "SELECT published FROM node_policies JOIN policies ON digest = policy AND key = policy_key"
        " WHERE node = ?"
    )
    found = [_policy(published) for (published,) in file.db.execute(query, (node_id,))]
    return sorted(found, key=lambda policy: policy.version)


def versions(file: SealedFile) -> dict[str, int]:
    """{node: the version of the newest that it has or is to have}"""
    known = file.db.execute("SELECT digest, published FROM policies").fetchall()
    version = {digest: _policy(published).version for digest, published in known}
    found = {}
    for node_id, digest in file.db.execute("SELECT node, policy FROM node_policies"):
        found[node_id] = max(version[digest], found.get(node_id, 0))
    return found


def newest_version(file: SealedFile, kit: str, policy_id: str) -> int | None:
    """The highest of a policy that this vault has had; None when it has had none."""
    known = [_policy(row[0]) for row in file.db.execute("SELECT published FROM policies")]
    return max((p.version for p in known if (p.kit, p.id) == (kit, policy_id)), default=None)


def parts(file: SealedFile, node_id: str, command_key: bytes, digest: bytes) -> list[bytes]:
    """The messages that bring a node a policy which the vault knows."""
    query = "SELECT published FROM policies WHERE digest = ? AND key = ?"
    published = file.db.execute(query, (digest, key_of(file, node_id))).fetchone()[0]
    return policy_parts(command_key, node_id, _published(published).signed())


@functools.lru_cache(64)  # a city's nodes share a few
def _policy(published: bytes) -> Policy:
    return _published(published).policy()


@functools.lru_cache(64)
def _published(published: bytes) -> PublishedPolicy:
    return read_published(published)
