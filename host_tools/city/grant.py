# SPDX-License-Identifier: MIT
"""Who may open what: the keys of nodes for a store, from an epoch on, sealed to its key.

What a store may open is rows in the vault; its file is made of them, so a file that is lost is
made again. Seals go out only for the nodes that are asked for, and from the epoch that is asked
for, whatever was granted before: keyrings forget, and the vault gives nothing back unasked. A file
with mixes and revocations alone opens nothing by itself.
"""

from collections.abc import Iterable, Mapping

from host_tools.city import mixing
from host_tools.city.people import HOME, store_of
from host_tools.city.vault_keys import office_secret
from host_tools.errors import ToolError
from host_tools.handover.grants import Grant, GrantedNode
from host_tools.provisioning.seal_chain import EPOCH_MAX
from host_tools.times import iso
from host_tools.vault.sealed_file import SealedFile

ASK_DAYS = 31  # who asks for what is further back is asked in turn
_DAY_S = mixing.DAY_S
_NOT_ACTIVE = {  # state: what to do
    "issued": "take in the technician's receipts first: lamppost vault accept",
    "revoked": "that is for good: its board can become another node, by a new ticket",
}


def grant(file: SealedFile, epochs: dict[str, int], store: str, now_s: int) -> bytes:
    """Lets a store open these nodes, {node: from which epoch on}, and returns its file, which has
    the seals of these epochs. ToolError for a node that does not count, or an epoch that is not
    there yet."""
    card, kind = store_of(file, store)
    days_of(file, epochs, now_s)
    with file.change("grant", {"store": store, "nodes": sorted(epochs), "epochs": epochs}):
        add_rows(file, epochs, store)
        return _file(file, card, kind, epochs, now_s)


def days_of(file: SealedFile, epochs: dict[str, int], now_s: int) -> dict[str, str]:
    """{node: the UTC day (2026-03-01) that is its epoch}. ToolError for a node that does not
    count, or an epoch after tomorrow's: what will be mixed in up to there is not known."""
    days = {}
    for node_id, epoch in epochs.items():
        day0 = check_active(file, node_id)
        last = min(EPOCH_MAX, now_s // _DAY_S - day0 + 1)
        if epoch > last:
            message = f"node {node_id}: epoch {epoch} is not there yet; tomorrow is {last}"
            raise ToolError(message, "grant it from an earlier day on")
        days[node_id] = iso((day0 + epoch) * _DAY_S)[:10]
    return days


def far_back(days: dict[str, str], now_s: int) -> list[str]:
    """Nodes that are granted from so far back that it may not be what is meant."""
    first = iso(now_s - ASK_DAYS * _DAY_S)[:10]
    return [node_id for node_id, day in days.items() if day < first]


def update(file: SealedFile, store: str, now_s: int) -> bytes:
    """What a store needs beside the seals that it has: mixes, policies, revocations."""
    card, kind = store_of(file, store)
    with file.change("update", {"store": store}):
        return _file(file, card, kind, {}, now_s)


def add_rows(file: SealedFile, epochs: dict[str, int], store: str):
    """Within a change. The earliest epoch stays: the store may hold its seal, and needs all that
    is mixed in after it."""
    file.db.executemany(
        "INSERT INTO grants VALUES (?, ?, ?) ON CONFLICT (node, store)"
        " DO UPDATE SET epoch = min(epoch, excluded.epoch)",
        [(node_id, store, epoch) for node_id, epoch in epochs.items()],
    )


def keys_file(file: SealedFile, store: str, epochs: Mapping[str, int], now_s: int) -> bytes:
    """Within a change: a store's file, with the seals of {node: epoch}."""
    card, kind = store_of(file, store)
    return _file(file, card, kind, epochs, now_s)


def stores_of(file: SealedFile, node_ids: Iterable[str]) -> list[str]:
    """Which stores that count have keys of any of these nodes."""
    query = (
        "SELECT DISTINCT store, node FROM grants JOIN stores ON stores.name = store"
        " WHERE state = 'active'"
    )
    wanted = set(node_ids)
    return sorted({store for store, node in file.db.execute(query) if node in wanted})


def epochs_from(file: SealedFile, node_ids: Iterable[str], from_s: int) -> dict[str, int]:
    """{node: its epoch at that time}, 0 when it was not there yet."""
    return {n: max(0, from_s // _DAY_S - check_active(file, n)) for n in node_ids}


def check_active(file: SealedFile, node_id: str) -> int:
    """The node's day0. ToolError when there is no such node, or it is not active."""
    query = "SELECT day0, state FROM nodes WHERE id = ?"
    row = file.db.execute(query, (node_id,)).fetchone()
    if row is None:
        raise ToolError(f"there is no node {node_id}", "see `lamppost vault nodes`")
    if row[1] != "active":
        raise ToolError(f"node {node_id} is {row[1]}, not active", _NOT_ACTIVE.get(row[1], ""))
    return row[0]


def _file(file: SealedFile, card, kind: str, epochs: Mapping[str, int], now_s: int) -> bytes:
    db = file.db
    # By the clock, too: a vault that was restored must not give a serial again.
    query = "UPDATE stores SET serial = max(serial + 1, ?) WHERE name = ?"
    db.execute(query, (now_s, card.name))
    query = "SELECT serial FROM stores WHERE name = ?"
    serial = db.execute(query, (card.name,)).fetchone()[0]
    rows = db.execute(
        "SELECT node, day0, epoch, state FROM grants JOIN nodes ON nodes.id = node"
        " WHERE store = ? ORDER BY node",
        (card.name,),
    ).fetchall()
    nodes = [
        _granted(file, node_id, day0, since, kind, epochs.get(node_id))
        for node_id, day0, since, state in rows
        if state == "active"
    ]
    wanted = {digest for node in nodes for digest in node.policies}
    published = db.execute("SELECT digest, published, key FROM policies ORDER BY digest, key")
    granted = Grant(
        tuple(nodes),
        tuple(pair for digest, *pair in published if digest in wanted),
        tuple(node_id for node_id, _, _, state in rows if state == "revoked"),
    )
    return granted.signed(card.name, card.box, serial, now_s, office_secret(file))


def _granted(file, node_id: str, day0: int, since: int, kind: str, asked: int | None):
    """asked: the epoch whose seal goes out, or None."""
    ticket = mixing.ticket_of(file, node_id)
    seal = b"" if asked is None else mixing.seal_at(file, node_id, asked)
    epoch = since if asked is None else asked
    receipt = ticket.receipt if kind == HOME else b""
    mixes = {e: a for e, a in mixing.mixes_of(file, node_id).items() if e > since}
    query = "SELECT policy FROM node_policies WHERE node = ?"
    policies = [digest for (digest,) in file.db.execute(query, (node_id,))]
    return GrantedNode(node_id, day0, epoch, seal, receipt, mixes, policies, since)
