# SPDX-License-Identifier: MIT
"""Nodes from a file of tickets: each ticket makes one board a node (`lamppost flash`).

A ticket is noted as used, durably, before anything is written to the board. The same board gets
its own ticket again, after a cable fault: the technician's sealed file knows it by a keyed hash of
its MAC, which goes nowhere else.

A MAC is only what a board says. So once the board was whole, or its receipt has gone out, one that
says the same gets nothing unasked; and if it does, that is another use of the ticket, with 16
random bytes of its own in the receipts, so the office sees it.
"""

import collections
import hmac
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.handover.tickets import ID_BYTES, SealedTicket, TicketFile, read_tickets
from host_tools.provisioning.node_parts import NodeParts
from host_tools.technician import technician_file
from host_tools.times import short
from host_tools.vault.sealed_file import SealedFile

USED, EXPIRED, FREE = "used", "expired", "free"
_CLOCK_S = 86_400  # by so much the two clocks may differ
_AGAIN = (
    "another board could say so, too. If it is the same one, erased, and you can answer for it: "
    "--yes, and the office sees that its ticket was used twice; else use another ticket"
)


class TicketNodes:
    """file: the technician's, open for writing (for reading only it can look and not take); kit:
    only nodes with the kit of this name, or None for any; clock: Unix time. Threads may share it.
    ToolError when the tickets are altered, another office's, or another technician's."""

    NAMED = "these tickets"  # in messages

    def __init__(
        self, file: SealedFile, path: Path, kit: str | None = None,
        clock: Callable[[], float] = time.time,
    ):  # fmt: skip
        technician_file.check_kind(file)
        self._file, self._path, self._kit, self._clock = file, Path(path), kit, clock
        self._lock = threading.Lock()
        self._tickets = _own(file, self._path)

    def states(self) -> list[tuple[SealedTicket, str]]:
        """Each ticket of the file, and what it is."""
        with self._lock:
            used = technician_file.used_tickets(self._file)
            return [(ticket, self._state(ticket, used)) for ticket in self._tickets.tickets]

    def bound_to(self, mac: str) -> NodeParts | None:
        """The node that this board became by a ticket of this file; None when it did not."""
        with self._lock:
            found = self._bound(mac)
            return None if found is None else self._open(found[0])

    def look(self, mac: str, again: bool = False) -> NodeParts:
        """What take() would give. ToolError says why there is none."""
        with self._lock:
            return self._open(self._next(mac, again)[0])

    def take(self, mac: str, again: bool = False) -> NodeParts:
        """The node whose keys the board with this MAC is about to get: its own, when it was cut
        off, else one that no board is yet, whose ticket is used from now on. again: also its own
        when it was whole, or its receipt has gone out; without it that is a ToolError."""
        with self._lock:
            ticket, is_same_use = self._next(mac, again)
            parts = self._open(ticket)  # first: what does not open is not used up
            if not is_same_use:
                row = ticket.id, ticket.node_id, int(self._clock()), os.urandom(ID_BYTES)
                with self._file.change("use ticket", {"node": ticket.node_id}):
                    query = "INSERT INTO used (ticket, node, used_s, use, board)"
                    query += " VALUES (?, ?, ?, ?, ?)"
                    self._file.db.execute(query, (*row, self._board(mac)))
            return parts

    def note_whole(self, mac: str):
        """Notes that the board with this MAC has all that its node has."""
        with self._lock:
            found = self._bound(mac)
            if found is not None and not found[1]["is_whole"]:
                with self._file.change("whole", {"node": found[0].node_id}):
                    query = "UPDATE used SET is_whole = 1 WHERE number = ?"
                    self._file.db.execute(query, (found[1]["number"],))

    def of_node(self, node_id: str) -> NodeParts:
        """The node with this id, whether its ticket is used or not. ToolError when none of these
        tickets is its."""
        with self._lock:
            for ticket in self._tickets.tickets:
                if ticket.node_id == node_id:
                    return self._open(ticket)
        message = f"{self._path} has no ticket of node {node_id}"
        raise ToolError(message, "give the file with the ticket by which it was flashed")

    def is_used(self, node_id: str) -> bool:
        """Whether a board got the keys of this node by a ticket of this file."""
        with self._lock:
            used = technician_file.used_tickets(self._file)
            return any(t.id in used for t in self._tickets.tickets if t.node_id == node_id)

    def _free(self) -> SealedTicket:
        used, left = technician_file.used_tickets(self._file), collections.Counter()
        for ticket in self._tickets.tickets:
            state = self._state(ticket, used)
            if state == FREE and self._kit in (None, ticket.kit):
                return ticket
            left["of another kit" if state == FREE else state] += 1
        what = ", ".join(f"{count} {state}" for state, count in sorted(left.items()))
        message = f"{self._path} has no ticket left: {what or 'it is empty'}"
        raise ToolError(message, "each ticket works once: ask the office for more")

    def _state(self, ticket: SealedTicket, used: set) -> str:
        now_s = self._clock()
        if ticket.id in used:
            return USED
        if now_s < ticket.issued_s - _CLOCK_S:
            message = f"{self._path} was issued at {short(ticket.issued_s)}, later than it is now"
            raise ToolError(message, "set this machine's clock")
        return EXPIRED if now_s > ticket.expires_s else FREE

    def _next(self, mac: str, again: bool) -> tuple[SealedTicket, bool]:
        """(ticket for the board with this MAC, whether that is the use that was begun)"""
        found = self._bound(mac)
        if found is None:
            return self._free(), False
        ticket, use = found
        if not (use["is_whole"] or use["is_out"]):
            return ticket, True
        if not again:
            was = "was written whole" if use["is_whole"] else "has its receipt"
            message = f"node {ticket.node_id} {was}, and a board that says it is that one would"
            raise ToolError(f"{message} get its keys once more", _AGAIN)
        return ticket, False

    def _bound(self, mac: str) -> tuple[SealedTicket, dict] | None:
        """The ticket of this file that the board was written with last, and that use."""
        known = {ticket.id: ticket for ticket in self._tickets.tickets}
        names = "number", "is_whole", "is_out"
        query = f"SELECT ticket, {', '.join(names)} FROM used WHERE board = ? ORDER BY number DESC"
        for id_, *use in self._file.db.execute(query, (self._board(mac),)):
            if id_ in known:
                return known[id_], dict(zip(names, use, strict=True))
        return None

    def _open(self, ticket: SealedTicket) -> NodeParts:
        secret, _ = technician_file.key(self._file, "tickets")
        return ticket.open(self._tickets.technician, secret)

    def _board(self, mac: str) -> bytes:
        secret, _ = technician_file.key(self._file, "boards")
        return hmac.digest(secret, b"lp1 board" + mac.lower().encode(), "sha256")


def _own(file: SealedFile, path: Path) -> TicketFile:
    tickets = read_tickets(path, technician_file.office_of(file).sign)
    own = technician_file.card(file)
    if (tickets.technician, tickets.public) != (own.name, own.box):
        message = f"{path} is for {tickets.technician}, with another key than {file.path}'s"
        raise ToolError(message, "take your own tickets, or have them issued to your present key")
    return tickets
