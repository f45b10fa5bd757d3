# SPDX-License-Identifier: MIT
"""Takes back what was given: a node, a ticket, a technician, a store or reader, a certificate.

Certificates go on the list for the broker. Who had seals of nodes that go on loses them by a mix
(mixing.py), for which the stores that remain get a file each.

A technician's nodes each get a mix, also where one lies ahead: their tickets have the nodes'
certificates and keys of commands, so who has them could have been the node at the broker and read
that one, and can read this one, too, until the certificate is on the list (README.md, "What a
technician can").
"""

import dataclasses

from host_tools.city import mixing
from host_tools.city.grant import stores_of
from host_tools.city.people import store_of, technician_of
from host_tools.city.vault_keys import check_kind
from host_tools.errors import ToolError
from host_tools.handover.tickets import ID_BYTES
from host_tools.vault.sealed_file import SealedFile

KINDS = ("node", "ticket", "technician", "store", "reader", "certificate")


@dataclasses.dataclass(frozen=True)
class Revoked:
    """nodes: that count no more; mixed: that go on, with a mix; days: {such a node: the UTC day
    from which on it is in}; stores: that need a new file; certificates: how many are on the list
    now that were not."""

    nodes: list[str]
    mixed: list[str]
    days: dict[str, str]
    stores: list[str]
    certificates: int


def revoke(file: SealedFile, kind: str, name: str, now_s: int) -> Revoked:
    """name: a node's, a ticket's (its id in hex), a technician's, a store's, that of certificates
    for others than nodes, which all end. ToolError when there is none, or it is revoked
    already."""
    check_kind(file)
    if kind == "node":
        return _end(file, kind, name, [_node(file, name)], [], now_s)
    if kind == "ticket":
        return _end(file, kind, name, [_ticket(file, name)], [], now_s)
    if kind == "certificate":
        _check_certificate(file, name)
        return _end(file, kind, name, [], [], now_s)
    if kind == "technician":
        technician_of(file, name)
        query = "SELECT node FROM tickets WHERE technician = ? AND state = 'issued'"
        unused = [node for (node,) in file.db.execute(query, (name,))]
        query = _ACTIVE.format("tickets", "technician")
    else:
        if store_of(file, name)[1] != {"store": "home", "reader": "reader"}[kind]:
            raise ToolError(f"{name} is no {kind}", "see `lamppost vault nodes`")
        unused, query = [], _ACTIVE.format("grants", "store")
    installed = [node for (node,) in file.db.execute(query, (name,))]
    return _end(file, kind, name, unused, installed, now_s)


_ACTIVE = (
    "SELECT node FROM {} AS t JOIN nodes ON nodes.id = node"
    " WHERE t.{} = ? AND nodes.state = 'active' ORDER BY node"
)


def _end(file: SealedFile, kind: str, name: str, nodes: list, mixed: list, now_s: int) -> Revoked:
    db = file.db
    with file.change("revoke", {"kind": kind, "name": name, "nodes": nodes, "mixed": mixed}):
        db.executemany("UPDATE nodes SET state = 'revoked' WHERE id = ?", [(n,) for n in nodes])
        query = "UPDATE tickets SET state = 'revoked' WHERE node = ? AND state = 'issued'"
        db.executemany(query, [(n,) for n in nodes])
        count = sum(_end_certificates(db, "name", node_id, now_s) for node_id in nodes)
        query = "UPDATE rotations SET content = NULL WHERE node = ?"
        db.executemany(query, [(n,) for n in nodes])
        if kind == "technician":
            db.execute("UPDATE technicians SET state = 'revoked' WHERE name = ?", (name,))
        if kind in ("store", "reader"):
            db.execute("UPDATE stores SET state = 'revoked' WHERE name = ?", (name,))
            count += _end_certificates(db, "store", name, now_s)
        if kind == "certificate":
            count += _end_certificates(db, "name", name, now_s)
        mixes = mixing.mix(file, mixed, now_s)
    days = {node_id: one.day for node_id, one in mixes.items()}
    return Revoked(nodes, mixed, days, stores_of(file, [*nodes, *mixed]), count)


def _end_certificates(db, column: str, name: str, now_s: int) -> int:
    query = f"UPDATE certificates SET revoked_s = ? WHERE {column} = ? AND revoked_s IS NULL"
    return db.execute(query, (now_s, name)).rowcount


def _check_certificate(file: SealedFile, name: str):
    query = "SELECT role, revoked_s FROM certificates WHERE name = ?"
    rows = file.db.execute(query, (name,)).fetchall()
    if any(role == "node" for role, _ in rows):
        raise ToolError(f"{name} is a node's", f"lamppost vault revoke {file.path} node {name}")
    if all(revoked_s is not None for _, revoked_s in rows):
        what = "is revoked" if rows else "was not given out by this vault"
        hint = "give the name that stands in it (CN), as at `lamppost vault certificate`"
        raise ToolError(f"certificate {name} {what}", hint)


def _node(file: SealedFile, node_id: str) -> str:
    row = file.db.execute("SELECT state FROM nodes WHERE id = ?", (node_id,)).fetchone()
    if row is None or row[0] == "revoked":
        what = f"there is no node {node_id}" if row is None else f"node {node_id} is revoked"
        raise ToolError(what, "see `lamppost vault nodes`")
    return node_id


def _ticket(file: SealedFile, name: str) -> str:
    hint = "see `lamppost vault nodes`"
    try:
        id_ = bytes.fromhex(name)
    except ValueError:
        id_ = b""
    query = "SELECT node, state FROM tickets WHERE id = ?"
    row = file.db.execute(query, (id_,)).fetchone() if len(id_) == ID_BYTES else None
    if row is None:
        raise ToolError(f"there is no ticket {name}", hint)
    if row[1] == "used":
        raise ToolError(f"ticket {name} is used", f"revoke its node: {row[0]}")
    if row[1] == "revoked":
        raise ToolError(f"ticket {name} is revoked", hint)
    return row[0]
