# SPDX-License-Identifier: MIT
"""A new certificate for a node that runs, in two steps, so that no node is ever locked out:

1. rotate()  issues it, and keeps its private key, so that messages() can bring it to the node as
             often as it takes. The certificates before go on to serve.
2. finish()  once the office has seen a record under it: those before go on the list for the
             broker, and the vault forgets the key.

told() finds that record in a home store's file: its newest value of `certificate` is the serial
under way, of a window that ended after rotate(). What a node told earlier proves nothing, nor does
an earlier one of the same serial, as a node goes back to the certificate before when the new one
fails it.

A serial tells a node's certificates apart, 0 the one of its ticket. It also rises by the clock,
every 2 hours from the node's second day on: a vault that was restored from a backup must not give
one again, which the node would pass over. It can within these 2 hours, or on the first day.
"""

import dataclasses
from collections.abc import Iterable

import cbor2

from host_tools import chained_log
from host_tools.city import mixing
from host_tools.city.grant import check_active
from host_tools.city.vault_keys import authority_of, check_kind, note_certificate
from host_tools.errors import ToolError
from host_tools.provisioning.certificates import Identity
from host_tools.provisioning.command import CERTIFICATE_BYTES, SERIAL_END, certificate_parts
from host_tools.vault.sealed_file import SealedFile

_PERIOD_S = 7200  # serials of 16 bits last for 14 years


@dataclasses.dataclass(frozen=True)
class Told:
    """serial: that under way; last: the one that the node told last, and end_s when that window
    ended (Unix time), or None twice; is_proved: whether its rotation may end."""

    serial: int
    last: int | None
    end_s: int | None
    is_proved: bool


def rotate(file: SealedFile, node_ids: Iterable[str], now_s: int) -> dict[str, int]:
    """Gives each of these nodes a new certificate and a mix; {node: its serial}. ToolError, and
    nothing is changed, when a node does not count, or its last rotation has not ended."""
    check_kind(file)
    serials = {}
    for node_id in sorted(set(node_ids)):
        day0 = check_active(file, node_id)
        _check_ended(file, node_id)
        serials[node_id] = _next_serial(file, node_id, now_s - (day0 + 1) * mixing.DAY_S)
    authority = authority_of(file)
    with file.change("rotate", {"nodes": serials}):
        for node_id, serial in serials.items():
            identity = authority.issue(node_id, "node")
            note_certificate(file, identity, node_id, "node")
            row = node_id, serial, f"{identity.certificate.serial_number:x}", _content(identity)
            file.db.execute("INSERT INTO rotations VALUES (?, ?, ?, ?)", row)
        mixing.mix(file, serials, now_s)
    return serials


def ending(file: SealedFile, node_ids: Iterable[str]) -> dict[str, int]:
    """{node: how many certificates finish() would revoke}; ToolError as it."""
    under_way, nodes = waiting(file), sorted(set(node_ids))
    _check_under_way(file, nodes, under_way)
    return {node_id: len(_before(file, node_id, under_way[node_id])) for node_id in nodes}


def finish(file: SealedFile, node_ids: Iterable[str], now_s: int) -> dict[str, int]:
    """Ends the rotation of each of these nodes; {node: how many certificates are revoked}.
    ToolError, and nothing is changed, when there is none under way."""
    under_way = waiting(file)
    nodes = sorted(set(node_ids))
    _check_under_way(file, nodes, under_way)
    revoked = {}
    with file.change("rotated", {"nodes": {n: under_way[n] for n in nodes}}):
        for node_id in nodes:
            serials = _before(file, node_id, under_way[node_id])
            query = "UPDATE certificates SET revoked_s = ? WHERE serial = ?"
            file.db.executemany(query, [(now_s, serial) for serial in serials])
            revoked[node_id] = len(serials)
            query = "UPDATE rotations SET content = NULL WHERE node = ?"
            file.db.execute(query, (node_id,))
    return revoked


def told(file: SealedFile, certificates: dict, nodes=()) -> dict[str, Told]:
    """What a store has heard of these nodes since their rotation, or the day before it; without
    nodes: of all whose rotation is under way. certificates: of that store (store_tells.py).
    ToolError when one has none under way."""
    under_way = waiting(file)
    chosen = sorted(set(nodes)) or list(under_way)
    _check_under_way(file, chosen, under_way)
    if not chosen:
        return {}
    issued_s = _issued_s(file, chosen)
    found = {}
    for node_id in chosen:
        serial, (end_s, last) = under_way[node_id], certificates.get(node_id, (0, None))
        if end_s <= issued_s[node_id] - mixing.DAY_S:
            end_s = last = None
        is_proved = last == serial and end_s > issued_s[node_id]
        found[node_id] = Told(serial, last, end_s, is_proved)
    return found


def waiting(file: SealedFile) -> dict[str, int]:
    """{node: serial} of the rotations that are under way."""
    check_kind(file)
    query = "SELECT node, serial FROM rotations WHERE content IS NOT NULL ORDER BY node"
    return dict(file.db.execute(query))


def messages(file: SealedFile) -> list[tuple[str, bytes]]:
    """[(node, sealed command)] of the rotations that are under way. They may be sent again at any
    time: a node passes over what it has."""
    query = (
        "SELECT node, serial, content FROM rotations JOIN nodes ON nodes.id = node"
        " WHERE content IS NOT NULL AND state = 'active' ORDER BY node"
    )
    found = []
    for node_id, serial, content in file.db.execute(query).fetchall():
        key = mixing.ticket_of(file, node_id).command
        parts = certificate_parts(key, node_id, serial, content)
        found += [(node_id, message) for message in parts]
    return found


def _check_under_way(file: SealedFile, nodes: list[str], under_way: dict[str, int]):
    for node_id in nodes:
        check_active(file, node_id)
        if node_id not in under_way:
            hint = "see which are: lamppost vault rotate FILE"
            raise ToolError(f"no rotation of node {node_id} is under way", hint)


def _before(file: SealedFile, node_id: str, serial: int) -> list[str]:
    """The serials (hex) of those of its certificates that count, but that under way."""
    query = (
        "SELECT serial FROM certificates WHERE name = ? AND revoked_s IS NULL AND serial <>"
        " (SELECT certificate FROM rotations WHERE node = ? AND rotations.serial = ?)"
    )
    return [one for (one,) in file.db.execute(query, (node_id, node_id, serial))]


def _issued_s(file: SealedFile, nodes: list[str]) -> dict[str, int]:
    """{node: when its latest rotation began}"""
    found = {}
    for _, time_s, verb, detail, _ in chained_log.entries(file.db):
        if verb == "rotate":
            found |= dict.fromkeys(set(nodes) & set(detail["nodes"]), time_s)
    return found


def _check_ended(file: SealedFile, node_id: str):
    serial = waiting(file).get(node_id)
    if serial is not None:
        hint = (
            f"once its health tells certificate {serial}: lamppost vault rotate FILE {node_id}"
            " --done; until then `lamppost vault commands` has it brought again"
        )
        raise ToolError(f"a rotation of node {node_id} is under way: certificate {serial}", hint)


def _next_serial(file: SealedFile, node_id: str, age_s: int) -> int:
    """age_s: since the node's second day began."""
    query = "SELECT max(serial) FROM rotations WHERE node = ?"
    last = file.db.execute(query, (node_id,)).fetchone()[0] or 0
    serial = max(last + 1, age_s // _PERIOD_S)
    if serial >= SERIAL_END:
        raise ToolError(f"node {node_id} can have no more certificates", "install it anew")
    return serial


def _content(identity: Identity) -> bytes:
    """CBOR [certificate, its private key], both DER."""
    content = cbor2.dumps(list(identity.der()), canonical=True)
    if len(content) > CERTIFICATE_BYTES:
        message = f"a certificate of {len(content)} bytes is too long for a node"
        raise ToolError(message, "give the authority a shorter name, and a key on P-256")
    return content
