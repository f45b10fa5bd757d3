# SPDX-License-Identifier: MIT
"""Takes a technician's receipts back: what they have installed counts from now on.

Each node that is accepted becomes active; the home store gets its keys; commands are queued that
give it the trees of its masked streams, and a mix, after which what lies on the technician's
laptop opens nothing any more.
"""

import dataclasses
import itertools

from host_tools.city import grant, mixing, roots
from host_tools.city.people import HOME, home_of, store_of, technician_of
from host_tools.city.vault_keys import office_of
from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.handover.receipts import Use, decode_receipts
from host_tools.times import short
from host_tools.vault.sealed_file import SealedFile

_CLOCK_S = 86_400  # by so much a laptop's clock may differ
_AGAIN_DAYS = 7  # so long a file that was lost is written again, with all seals
_LOGGED = 20  # of what is refused, the first: a technician may sign any number
_TWICE = "it was used twice: on another laptop, or board"
_SET_CLOCK = "the laptop's clock was wrong when it was used"


@dataclasses.dataclass(frozen=True)
class Accepted:
    """nodes: active from now on; days: {such a node: the UTC day of its mix}; known: were accepted
    before; refused: {ticket's id in hex: why}; epochs: {node whose seal is in the home store's
    file: from which epoch on}; keys: that file."""

    technician: str
    nodes: list[str]
    days: dict[str, str]
    known: list[str]
    refused: dict[str, str]
    store: str
    epochs: dict[str, int]
    keys: bytes = dataclasses.field(repr=False)


def accept(file: SealedFile, data: bytes, name: str, now_s: int, store: str = "") -> Accepted:
    """data: a file of receipts, which messages call `name`; store: the home store that gets the
    keys, by default the only one. Tickets that are refused do not stop the others. ToolError when
    the file as a whole does not count."""
    receipts = decode_receipts(data, name)
    technician = technician_of(file, receipts.technician)
    document.check_signature(data, technician.sign, name, technician.name)
    if receipts.office != office_of(file).sign:
        raise ToolError(f"{name} is for another office", "take it to that one")
    store = store or home_of(file)
    if store_of(file, store)[1] != HOME:
        raise ToolError(f"{store} is a reader, and nodes need a home store", "name that one: --to")
    fresh, known, refused, seen = [], [], {}, {}
    for use in receipts.uses:
        why = _why_not(file, use, technician.name, now_s)
        if seen.setdefault(use.id, use) is not use:
            why = "the receipts name it twice" if seen[use.id].use == use.use else _TWICE
        if why:
            refused[use.id.hex()] = why
        elif _state(file, use.id) == "used":
            known.append(use.node_id)
        else:
            fresh.append(use)
    fresh = [use for use in fresh if use.id.hex() not in refused]
    nodes = [use.node_id for use in fresh]
    first = dict(itertools.islice(refused.items(), _LOGGED))
    detail = {"technician": technician.name, "nodes": nodes, "refused": first}
    detail |= {"refused_count": len(refused)}
    with file.change("accept", detail):
        _activate(file, fresh)
        roots.queue_masks(file, nodes, now_s)
        mixes = mixing.mix(file, nodes, now_s)
        grant.add_rows(file, dict.fromkeys(nodes, 0), store)
        epochs = dict.fromkeys(nodes or _last(file, technician.name, store, now_s), 0)
        keys = grant.keys_file(file, store, epochs, now_s)
    days = {node_id: one.day for node_id, one in mixes.items()}
    return Accepted(technician.name, nodes, days, known, refused, store, epochs, keys)


def _why_not(file: SealedFile, use: Use, technician: str, now_s: int) -> str | None:
    """Why a ticket's use does not count; None when it does, also when it is known already."""
    query = "SELECT node, technician, issued_s, expires_s, state, use FROM tickets WHERE id = ?"
    row = file.db.execute(query, (use.id,)).fetchone()
    if row is None or row[0] != use.node_id:
        return "this vault has not issued it"
    _, to, issued_s, expires_s, state, known_use = row
    if to != technician:
        return f"it was issued to {to}"
    if state == "revoked":
        return "it is revoked"
    if state == "used":
        return None if known_use == use.use else _TWICE
    if use.used_s > expires_s:
        return f"it had expired when it was used, at {short(expires_s)}"
    if use.used_s < issued_s - _CLOCK_S:
        return f"it was used before it was issued: {_SET_CLOCK}"
    if use.used_s > now_s + _CLOCK_S:
        return f"it was used in the future: {_SET_CLOCK}"
    return None


def _state(file: SealedFile, id_: bytes) -> str:
    query = "SELECT state FROM tickets WHERE id = ?"
    return file.db.execute(query, (id_,)).fetchone()[0]


def _last(file: SealedFile, technician: str, store: str, now_s: int) -> list[str]:
    """The nodes that were accepted last, for who was cut off then: neither all nor for long, as
    each file with a seal opens what keyrings forget."""
    query = (
        "SELECT nodes.id FROM tickets JOIN nodes ON nodes.id = tickets.node"
        " JOIN log ON log.number = accepted JOIN grants ON grants.node = nodes.id"
        " WHERE technician = ?1 AND store = ?2 AND nodes.state = 'active' AND time_s > ?3"
        " AND accepted = (SELECT max(accepted) FROM tickets WHERE technician = ?1)"
    )
    given = technician, store, now_s - _AGAIN_DAYS * 86_400
    return [node_id for (node_id,) in file.db.execute(query, given)]


def _activate(file: SealedFile, uses: list[Use]):
    entry = file.newest[0] + 1
    for use in uses:
        query = "UPDATE tickets SET state = 'used', used_s = ?, use = ?, accepted = ? WHERE id = ?"
        file.db.execute(query, (use.used_s, use.use, entry, use.id))
        query = "UPDATE nodes SET state = 'active' WHERE id = ?"
        file.db.execute(query, (use.node_id,))
