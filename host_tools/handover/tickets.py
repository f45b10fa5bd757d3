# SPDX-License-Identifier: MIT
"""A file of tickets (*.tickets): nodes that a technician may make, each sealed to them alone.

["lp1 tickets", office's key, technician's name, technician's X25519 key,
 [[id (16), node, kit, issued_s, expires_s, box], …]] ‖ the office's signature

box: host_tools/provisioning/node_parts.py, by HPKE, info = CBOR of all of the ticket before it
with the technician's name. What a thief of the file sees: names, kits, times.
"""

import contextlib
import dataclasses
import re
from pathlib import Path

import cbor2

from host_tools.errors import ToolError
from host_tools.handover import document, sealed_box
from host_tools.handover.cards import is_name
from host_tools.provisioning.checked import NAME
from host_tools.provisioning.node_parts import MOST_BYTES, NodeParts, decode_parts
from host_tools.provisioning.ticket import is_node_id

SUFFIX = ".tickets"
ID_BYTES = 16
MOST = 500  # in one file
_END_S = 1 << 33
_MORE_BYTES = 1024  # of a ticket, than what is in its box
_AGAIN = "ask the office for another ticket"


@dataclasses.dataclass(frozen=True)
class SealedTicket:
    """Of one node; times in Unix seconds."""

    id: bytes
    node_id: str
    kit: str
    issued_s: int
    expires_s: int
    box: bytes = dataclasses.field(repr=False, default=b"")

    def info(self, technician: str) -> bytes:
        head = [document.TICKETS, technician, *dataclasses.astuple(self)[:-1]]
        return cbor2.dumps(head, canonical=True)

    def sealed(self, parts: NodeParts, technician: str, public: bytes) -> "SealedTicket":
        box = sealed_box.seal(parts.encode(), public, self.info(technician))
        return dataclasses.replace(self, box=box)

    def open(self, technician: str, secret: bytes) -> NodeParts:
        """ToolError when it is another technician's, or altered."""
        name = f"the ticket of node {self.node_id}"
        plain = sealed_box.unseal(self.box, secret, self.info(technician))
        if plain is None:
            raise ToolError(f"{name} does not open: it is altered, or another's", _AGAIN)
        parts = decode_parts(plain, name)
        if (parts.ticket.node_id, parts.kit["kit"]) != (self.node_id, self.kit):
            raise ToolError(f"{name} holds another node", _AGAIN)
        return parts


@dataclasses.dataclass(frozen=True)
class TicketFile:
    office: bytes
    technician: str
    public: bytes
    tickets: tuple[SealedTicket, ...]

    def signed(self, secret: bytes) -> bytes:
        rows = [list(dataclasses.astuple(ticket)) for ticket in self.tickets]
        head = self.office, self.technician, self.public
        return document.sign(secret, document.TICKETS, *head, rows)


def read_tickets(path: Path, office: bytes) -> TicketFile:
    """The tickets in a file. ToolError when they are not whole, or not from this office."""
    data = document.read(path, MOST * (MOST_BYTES + _MORE_BYTES))
    fields = document.decode_signed(data, office, document.TICKETS, 4, str(path), "your office")
    key, technician, public, rows = fields
    tickets = None
    with contextlib.suppress(TypeError):
        tickets = tuple(SealedTicket(*row) for row in rows)
    is_whole = key == office and is_name(technician) and type(public) is bytes
    if not is_whole or tickets is None or not all(map(_is_whole, tickets)):
        raise ToolError(f"{path} is not as this version of Lamppost reads it", _AGAIN)
    if len(tickets) > MOST:
        raise ToolError(f"{path} holds more than {MOST} tickets", _AGAIN)
    return TicketFile(key, technician, public, tickets)


def _is_whole(ticket: SealedTicket) -> bool:
    blobs, texts = (ticket.id, ticket.box), (ticket.node_id, ticket.kit)
    numbers = ticket.issued_s, ticket.expires_s
    return (
        all(type(one) is bytes for one in blobs)
        and all(type(one) is str for one in texts)
        and all(type(one) is int for one in numbers)
        and all(0 <= one < _END_S for one in numbers)
        and len(ticket.id) == ID_BYTES
        and len(ticket.box) <= MOST_BYTES + sealed_box.MORE_BYTES
        and is_node_id(ticket.node_id)
        and re.fullmatch(NAME, ticket.kit) is not None
    )
