# SPDX-License-Identifier: MIT
"""Mixes: 32 random bytes that a command brings a node, and that the stores get which are to go on
reading it. Who has the node's seal and not them opens nothing from the mix's epoch on.

DESIGN.md, "Keys". A node that is at that epoch already refuses, so it lies ahead.
"""

import collections
import os
from collections.abc import Iterable, Mapping

import cbor2

from host_tools.city import policies
from host_tools.collector.keyring import NodeKeys
from host_tools.provisioning.command import seal_command
from host_tools.provisioning.ticket import Ticket, make_ticket
from host_tools.vault.sealed_file import SealedFile

DAY_S = 86_400
_AHEAD_DAYS = 2  # a whole day, at least, for the command to come
_MOST_WAITING = 4  # firmware/node/device/mixes.py


def mix(
    file: SealedFile, node_ids: Iterable[str], now_s: int, after: Mapping[str, int] | None = None
):
    """Within a change: queues a mix for each of these nodes. after: {node: an epoch that it must
    not go into}, since a node takes no second one there."""
    for node_id in node_ids:
        _, day0 = _root_day0(file, node_id)
        query = "SELECT max(epoch) FROM mixes WHERE node = ?"
        last = file.db.execute(query, (node_id,)).fetchone()[0] or 0
        last = max(last, (after or {}).get(node_id) or 0)
        epoch, a = max(now_s // DAY_S - day0 + _AHEAD_DAYS, last + 1), os.urandom(32)
        file.db.execute("INSERT INTO mixes VALUES (?, ?, ?)", (node_id, epoch, a))
        queue(file, node_id, now_s, (day0 + epoch) * DAY_S, "mix", epoch, a)


def drop_newest(file: SealedFile, node_id: str) -> int | None:
    """Within a change: forgets the newest mix, which the node has refused since it came too late,
    and its command; returns its epoch, or None when there is none."""
    mixes = mixes_of(file, node_id)
    if not mixes:
        return None
    epoch = max(mixes)
    file.db.execute("DELETE FROM mixes WHERE node = ? AND epoch = ?", (node_id, epoch))
    query = "UPDATE commands SET until_s = 0 WHERE node = ? AND fields = ?"
    file.db.execute(query, (node_id, _fields("mix", epoch, mixes[epoch])))
    return epoch


def has_ahead(file: SealedFile, node_id: str, now_s: int) -> bool:
    """Whether a mix is to come for the node."""
    _, day0 = _root_day0(file, node_id)
    query = "SELECT 1 FROM mixes WHERE node = ? AND epoch > ?"
    return file.db.execute(query, (node_id, now_s // DAY_S - day0)).fetchone() is not None


def queue(file: SealedFile, node_id: str, now_s: int, until_s: int, verb: str, *arguments):
    """Within a change: a command with a number that is higher than the node's last one, also when
    the vault was restored from a backup; of no use from `until_s` on."""
    query = "SELECT max(number) FROM commands WHERE node = ?"
    number = max(now_s, 1 + (file.db.execute(query, (node_id,)).fetchone()[0] or 0))
    row = node_id, number, _fields(verb, *arguments), until_s
    file.db.execute("INSERT INTO commands VALUES (?, ?, ?, ?)", row)


def withdraw(file: SealedFile, node_id: str, verb: str):
    """Within a change: what was queued of this verb is of no use any more."""
    query = "SELECT number, fields FROM commands WHERE node = ?"
    for number, fields in file.db.execute(query, (node_id,)).fetchall():
        if cbor2.loads(fields)[0] == verb:
            query = "UPDATE commands SET until_s = 0 WHERE node = ? AND number = ?"
            file.db.execute(query, (node_id, number))


def _fields(verb: str, *arguments) -> bytes:
    return cbor2.dumps([verb, *arguments], canonical=True)


def messages(file: SealedFile, now_s: int) -> list[tuple[str, bytes]]:
    """[(node, sealed command)] of all that may still be of use, each node's by rising number. A
    node takes each once, so they may be sent again. Mixes beyond what a node lets wait come when
    earlier ones have passed, and with them what was queued behind them. A policy has no number: it
    comes as its parts, behind the trees that it needs."""
    query = (
        "SELECT node, number, fields FROM commands JOIN nodes ON nodes.id = node"
        " WHERE until_s > ? AND state = 'active' ORDER BY node, number"
    )
    sealed, waiting = [], collections.Counter()
    for node_id, number, fields in file.db.execute(query, (now_s,)).fetchall():
        verb, *arguments = cbor2.loads(fields)
        waiting[node_id] += verb == "mix"
        if waiting[node_id] <= _MOST_WAITING:
            found = _sealed(file, node_id, number, verb, arguments)
            sealed += [(node_id, message) for message in found]
    return sealed


def _sealed(file: SealedFile, node_id: str, number: int, verb: str, arguments: list):
    key = ticket_of(file, node_id).command
    if verb == "policy":
        return policies.parts(file, node_id, key, *arguments)
    return [seal_command(key, node_id, number, verb, *arguments)]


def mixes_of(file: SealedFile, node_id: str) -> dict[int, bytes]:
    """{epoch: what is mixed into its seal}"""
    query = "SELECT epoch, a FROM mixes WHERE node = ? ORDER BY epoch"
    return dict(file.db.execute(query, (node_id,)))


def seal_at(file: SealedFile, node_id: str, epoch: int) -> bytes:
    """The seal of an epoch, with all that is mixed in up to there."""
    ticket = ticket_of(file, node_id)
    keys = NodeKeys(ticket.day0, 0, ticket.seal, b"", [], mixes_of(file, node_id))
    return keys.seal_at(epoch)


def ticket_of(file: SealedFile, node_id: str) -> Ticket:
    """The node's first keys, without its masks."""
    root, day0 = _root_day0(file, node_id)
    return make_ticket(root, node_id, day0)


def _root_day0(file: SealedFile, node_id: str) -> tuple[bytes, int]:
    query = "SELECT root, day0 FROM nodes WHERE id = ?"
    return file.db.execute(query, (node_id,)).fetchone()
