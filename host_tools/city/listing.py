# SPDX-License-Identifier: MIT
"""What a vault says of its nodes, and of certificates of others, without a key."""

import dataclasses

from host_tools.city import mixing, policies
from host_tools.city.claim import Claim, claims
from host_tools.city.vault_keys import check_kind
from host_tools.vault.sealed_file import SealedFile


def nodes_of(file: SealedFile) -> list[dict]:
    """By id; policy: the version of the newest that it has or is to have; stores: {name: the first
    epoch that it may open}; mixes: [{epoch, day}]; claimed_by, post, claimed_s: who put it up,
    None where nobody said so."""
    check_kind(file)
    stores = {}
    query = (
        "SELECT node, store, epoch FROM grants JOIN stores ON stores.name = store"
        " WHERE stores.state = 'active' ORDER BY store"
    )
    for node_id, store, epoch in file.db.execute(query):
        stores.setdefault(node_id, {})[store] = epoch
    query = (
        "SELECT nodes.id, kit, nodes.state, technician, tickets.id, issued_s, expires_s, used_s"
        " FROM nodes LEFT JOIN tickets ON node = nodes.id ORDER BY nodes.id"
    )
    names = "node", "kit", "state", "technician", "ticket", "issued_s", "expires_s", "used_s"
    found, versions, claimed = [], policies.versions(file), claims(file)
    for row in file.db.execute(query):
        one = dict(zip(names, row, strict=True))
        one["ticket"] = one["ticket"].hex() if one["ticket"] else None
        one["policy"] = versions.get(one["node"])
        put_up = claimed.get(one["node"], Claim(None, None, None))
        one.update(claimed_by=put_up.technician, post=put_up.post, claimed_s=put_up.claimed_s)
        mixes = [dataclasses.asdict(mix) for mix in mixing.days_of(file, one["node"])]
        found.append({**one, "stores": stores.get(one["node"], {}), "mixes": mixes})
    return found


def certificates_of(file: SealedFile) -> list[dict]:
    """Of all but nodes, by name and end; owner: the store or technician that it ends with, or
    None; until_s, revoked_s: Unix time, the latter None where it counts."""
    check_kind(file)
    query = (
        "SELECT name, role, coalesce(store, technician), serial, until_s, revoked_s"
        " FROM certificates WHERE role <> 'node' ORDER BY name, until_s, serial"
    )
    names = "name", "role", "owner", "serial", "until_s", "revoked_s"
    return [dict(zip(names, row, strict=True)) for row in file.db.execute(query)]
