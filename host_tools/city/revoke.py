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
class Ending:
    """What a revocation ends, before it is done. nodes: that will count no more; mixed: that go
    on, with a mix; certificates: {serial: name} of those that go on the list."""

    nodes: list[str]
    mixed: list[str]
    certificates: dict[str, str]


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


def ending(file: SealedFile, kind: str, name: str) -> Ending:
    """name: a node's, a ticket's (its id in hex), a technician's, a store's, that of certificates
    for others than nodes, which all end. ToolError when there is none, or it is revoked
    already."""
    check_kind(file)
    if kind == "certificate":
        _check_certificate(file, name)
        return Ending([], [], _that_count(file, "name", [name]))
    if kind in ("node", "ticket"):
        nodes = [_node(file, name) if kind == "node" else _ticket(file, name)]
        return Ending(nodes, [], _that_count(file, "name", nodes))
    if kind == "technician":
        technician_of(file, name)
        query = "SELECT node FROM tickets WHERE technician = ? AND state = 'issued' ORDER BY node"
        unused = [node for (node,) in file.db.execute(query, (name,))]
        query, column = _ACTIVE.format("tickets", "technician"), "technician"
    else:
        if store_of(file, name)[1] != {"store": "home", "reader": "reader"}[kind]:
            raise ToolError(f"{name} is no {kind}", f"see `lamppost vault nodes {file.path}`")
        unused, query, column = [], _ACTIVE.format("grants", "store"), "store"
    installed = [node for (node,) in file.db.execute(query, (name,))]
    certificates = _that_count(file, "name", unused) | _that_count(file, column, [name])
    return Ending(unused, installed, certificates)


def revoke(file: SealedFile, kind: str, name: str, now_s: int) -> Revoked:
    """As ending(), and does it."""
    end, db = ending(file, kind, name), file.db
    detail = {"kind": kind, "name": name, "nodes": end.nodes, "mixed": end.mixed}
    with file.change("revoke", detail):
        nodes = [(node_id,) for node_id in end.nodes]
        db.executemany("UPDATE nodes SET state = 'revoked' WHERE id = ?", nodes)
        query = "UPDATE tickets SET state = 'revoked' WHERE node = ? AND state = 'issued'"
        db.executemany(query, nodes)
        query = "UPDATE certificates SET revoked_s = ? WHERE serial = ?"
        db.executemany(query, [(now_s, serial) for serial in end.certificates])
        db.executemany("UPDATE rotations SET content = NULL WHERE node = ?", nodes)
        if kind == "technician":
            db.execute("UPDATE technicians SET state = 'revoked' WHERE name = ?", (name,))
        if kind in ("store", "reader"):
            db.execute("UPDATE stores SET state = 'revoked' WHERE name = ?", (name,))
        mixes = mixing.mix(file, end.mixed, now_s)
    days = {node_id: one.day for node_id, one in mixes.items()}
    stores = stores_of(file, [*end.nodes, *end.mixed])
    return Revoked(end.nodes, end.mixed, days, stores, len(end.certificates))


_ACTIVE = (
    "SELECT node FROM {} AS t JOIN nodes ON nodes.id = node"
    " WHERE t.{} = ? AND nodes.state = 'active' ORDER BY node"
)


def _that_count(file: SealedFile, column: str, names: list[str]) -> dict[str, str]:
    """{serial: name}"""
    query = f"SELECT serial, name FROM certificates WHERE {column} = ? AND revoked_s IS NULL"
    return dict(row for name in names for row in file.db.execute(query, (name,)))


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
        raise ToolError(what, f"see `lamppost vault nodes {file.path}`")
    return node_id


def _ticket(file: SealedFile, name: str) -> str:
    hint = f"see `lamppost vault nodes {file.path}`"
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
