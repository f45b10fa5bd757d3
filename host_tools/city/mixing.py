# SPDX-License-Identifier: MIT
"""Mixes: 32 random bytes that a command brings a node, and that the stores get which are to go on
reading it. Who has the node's seal and not them opens nothing from the mix's epoch on.

DESIGN.md, "Keys". A node that is at that epoch already refuses, so it lies ahead: in the first
free epoch from the day after tomorrow on that still leaves a whole day for the command to come. A
node takes mixes in any order of their epochs, and no second one into the same.
"""

import collections
import dataclasses
import os
from collections.abc import Iterable

import cbor2

from host_tools.city import policies
from host_tools.collector.keyring import NodeKeys
from host_tools.errors import ToolError
from host_tools.provisioning.command import seal_command
from host_tools.provisioning.ticket import Ticket, make_ticket
from host_tools.times import iso
from host_tools.vault.sealed_file import SealedFile

DAY_S = 86_400
FAR_DAYS = 30  # what lies further ahead was queued by a wrong clock
_AHEAD_DAYS = 2  # a whole day, at least, for the command to come
_NUMBERS = 1 << 32  # of commands, as a node counts them: Unix seconds until 2106
_LEFT = 1 << 20  # of them for who counts on from there
_MOST_WAITING = 4  # firmware/node/device/mixes.py


@dataclasses.dataclass(frozen=True)
class Mix:
    """epoch: from which on it is in the node's seals; day: the UTC day (2026-03-01) that is it."""

    epoch: int
    day: str


@dataclasses.dataclass(frozen=True, repr=False)  # what it brings may be a key
class Queued:
    """A command that may still be of use. is_held: it goes out with a later file, as more mixes
    are before it than a node lets wait."""

    node_id: str
    number: int
    verb: str
    arguments: list
    until_s: int
    is_held: bool


def mix(file: SealedFile, node_ids: Iterable[str], now_s: int) -> dict[str, Mix]:
    """Within a change: queues a mix for each of these nodes; {node: its mix}."""
    made = {}
    for node_id in node_ids:
        _, day0 = _root_day0(file, node_id)
        epoch, a = _free_epoch(file, node_id, now_s // DAY_S - day0), os.urandom(32)
        file.db.execute("INSERT INTO mixes VALUES (?, ?, ?)", (node_id, epoch, a))
        queue(file, node_id, now_s, (day0 + epoch) * DAY_S, "mix", epoch, a)
        made[node_id] = _mix(day0, epoch)
    return made


def _free_epoch(file: SealedFile, node_id: str, today: int) -> int:
    """One for which no mix was ever meant, also none that is forgotten, and for whose command
    those that wait for later ones leave room in the node."""
    commands = _commands_of(file, node_id)
    meant = {arguments[0] for verb, *arguments in commands if verb == "mix"}
    waiting = mixes_of(file, node_id)
    epoch = today + _AHEAD_DAYS
    while epoch in meant or sum(one > epoch for one in waiting) >= _MOST_WAITING:
        epoch += 1
    return epoch


def drop(file: SealedFile, node_id: str, epoch: int):
    """Within a change: forgets the mix of an epoch, which the node has refused, and its command.
    ToolError when there is none."""
    a = mixes_of(file, node_id).get(epoch)
    if a is None:
        message = f"node {node_id} has no mix for epoch {epoch}"
        raise ToolError(message, "see `lamppost vault nodes --long` for those that it has")
    file.db.execute("DELETE FROM mixes WHERE node = ? AND epoch = ?", (node_id, epoch))
    query = "UPDATE commands SET until_s = 0 WHERE node = ? AND fields = ?"
    file.db.execute(query, (node_id, _fields("mix", epoch, a)))


def days_of(file: SealedFile, node_id: str) -> list[Mix]:
    """The mixes of a node, by epoch."""
    _, day0 = _root_day0(file, node_id)
    return [_mix(day0, epoch) for epoch in mixes_of(file, node_id)]


def far_ahead(file: SealedFile, node_ids: Iterable[str], now_s: int) -> dict[str, list[Mix]]:
    """{node: those of its mixes that lie so far ahead that a clock must have been wrong}"""
    last = iso(now_s + FAR_DAYS * DAY_S)[:10]
    found = {n: [one for one in days_of(file, n) if one.day > last] for n in node_ids}
    return {node_id: mixes for node_id, mixes in found.items() if mixes}


def _mix(day0: int, epoch: int) -> Mix:
    return Mix(epoch, iso((day0 + epoch) * DAY_S)[:10])


def queue(file: SealedFile, node_id: str, now_s: int, until_s: int, verb: str, *arguments):
    """Within a change: a command with a number that is higher than the node's last one, also when
    the vault was restored from a backup; of no use from `until_s` on. ToolError by a clock after
    which a node could be given no more."""
    query = "SELECT max(number) FROM commands WHERE node = ? AND number < ?"
    last = file.db.execute(query, (node_id, _NUMBERS)).fetchone()[0] or 0
    number = max(now_s, 1 + last)
    if now_s >= _NUMBERS - _LEFT or number >= _NUMBERS:
        message = f"this machine's clock says {iso(now_s)[:10]}: nodes count no further"
        raise ToolError(message, "set the clock, and run the same command again")
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


def _commands_of(file: SealedFile, node_id: str) -> list[list]:
    """[[verb, argument, …]] of all that were ever queued for a node."""
    query = "SELECT fields FROM commands WHERE node = ?"
    return [cbor2.loads(fields) for (fields,) in file.db.execute(query, (node_id,))]


def alive(file: SealedFile, node_id: str, verb: str, now_s: int) -> list[list]:
    """[[argument, …]] of a node's commands of this verb that may still be of use."""
    query = "SELECT fields FROM commands WHERE node = ? AND until_s > ? AND number < ?"
    rows = file.db.execute(query, (node_id, now_s, _NUMBERS))
    found = [cbor2.loads(fields) for (fields,) in rows]
    return [arguments for what, *arguments in found if what == verb]


def queued(file: SealedFile, now_s: int) -> list[Queued]:
    """All commands that may still be of use, each node's by rising number. A mix whose epoch has
    begun is none: the node would refuse it. Mixes beyond what a node lets wait are held until
    earlier ones have passed, and with them what was queued behind them."""
    query = (
        "SELECT node, number, fields, until_s FROM commands JOIN nodes ON nodes.id = node"
        " WHERE until_s > ? AND number < ? AND state = 'active' ORDER BY node, number"
    )
    found, waiting = [], collections.Counter()
    for node_id, number, fields, until_s in file.db.execute(query, (now_s, _NUMBERS)).fetchall():
        verb, *arguments = cbor2.loads(fields)
        waiting[node_id] += verb == "mix"
        is_held = waiting[node_id] > _MOST_WAITING
        found.append(Queued(node_id, number, verb, arguments, until_s, is_held))
    return found


def messages(file: SealedFile, now_s: int) -> list[tuple[str, bytes]]:
    """[(node, sealed command)] of all that are queued and not held. A node takes each once, so
    they may be sent again. A policy has no number: it comes as its parts, behind the trees that it
    needs."""
    sealed = []
    for one in queued(file, now_s):
        if not one.is_held:
            found = _sealed(file, one.node_id, one.number, one.verb, one.arguments)
            sealed += [(one.node_id, message) for message in found]
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
