# SPDX-License-Identifier: MIT
"""Makes nodes: root, id, certificate, keys, signed policy; and of each a ticket for a technician.

The root stays in the vault, the private key of the certificate does not: it leaves with the
ticket.
"""

import os
from pathlib import Path

from host_tools.city import outgoing, policies
from host_tools.city.people import technician_of
from host_tools.city.vault_keys import (
    authority_of,
    note_certificate,
    office_of,
    office_secret,
    place_of,
)
from host_tools.errors import ToolError
from host_tools.handover.tickets import ID_BYTES, SealedTicket, TicketFile
from host_tools.policy.signed import PublishedPolicy, check_signature
from host_tools.provisioning.kit import Kit
from host_tools.provisioning.node_parts import NodeParts
from host_tools.provisioning.ticket import make_ticket, new_node_id, new_root
from host_tools.vault.sealed_file import SealedFile

DAY_S = 86_400
_MOST_DAYS = 400


def issue(file: SealedFile, kit: Kit, policy: PublishedPolicy, technician: str, count: int,
          valid_s: int, target: Path, now_s: int) -> bool:  # fmt: skip
    """Writes `count` tickets that are valid for `valid_s` seconds to a new file. Returns whether
    an earlier run had issued them, and was cut off before they were written. ToolError when the
    policy is not signed by the city's key, or for another kit, or when the vault knows a higher
    version of it."""
    if not 0 < valid_s <= _MOST_DAYS * DAY_S:
        raise ToolError(f"--expires: not between 1 s and {_MOST_DAYS} days", "give 30d", 2)
    to = technician_of(file, technician)
    _check_policy(policy, kit, now_s)
    check_signature(policy.rules, policy.signature, place_of(file)[2])
    detail = {"technician": technician, "kit": kit.name, "count": count, "valid_s": valid_s,
              "policy": policy.policy().digest.hex()}  # fmt: skip

    def make() -> bytes:
        _check_version(file, policy)
        maker = _Maker(file, kit, policy, now_s, now_s + valid_s)
        tickets = tuple(maker.ticket(to) for _ in range(count))
        office = office_of(file).sign
        return TicketFile(office, to.name, to.box, tickets).signed(office_secret(file))

    return outgoing.write_once(file, target, "issue", detail, make)


def _check_policy(policy: PublishedPolicy, kit: Kit, now_s: int):
    rules = policy.policy()
    if rules.kit != kit.name:
        message = f"the policy is for kit {rules.kit}, and these are nodes of kit {kit.name}"
        raise ToolError(message, "give the policy of this kit")
    if now_s >= rules.until_s:
        raise ToolError("the policy has ended: nothing may leave under it", "publish a new one")


def _check_version(file: SealedFile, policy: PublishedPolicy):
    """An earlier version may let out what the city has since thought better of."""
    rules = policy.policy()
    newest = policies.newest_version(file, rules.kit, rules.id)
    if newest is not None and rules.version < newest:
        message = f"policy {rules.id} is version {rules.version}, and this vault knows {newest}"
        raise ToolError(message, "give the newest, or publish what you want as a higher one")


class _Maker:
    """Makes the rows of nodes and tickets within a change."""

    def __init__(self, file: SealedFile, kit: Kit, policy: PublishedPolicy, now_s, expires_s):
        self._file, self._kit, self._times = file, kit, (now_s, expires_s)
        self._authority = authority_of(file)
        self._place = place_of(file)
        self._signed = policy.signed()
        self._digest = policies.note(file, policy, self._place[2])

    def ticket(self, to) -> SealedTicket:
        node_id, root, db = self._new_id(), new_root(), self._file.db
        now_s, expires_s = self._times
        identity = self._authority.issue(node_id, "node")
        broker, sntp, policy_key = self._place
        parts = NodeParts(
            # Without roots of masked streams: no mix would end what a laptop has of them.
            make_ticket(root, node_id, now_s // DAY_S), identity, self._authority.der()[0],
            broker, sntp, now_s, self._kit.data, self._signed, policy_key,
        )  # fmt: skip
        ticket = SealedTicket(os.urandom(ID_BYTES), node_id, self._kit.name, now_s, expires_s)
        row = node_id, root, now_s // DAY_S, self._kit.name, "issued"
        db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
        row = ticket.id, node_id, to.name, self._digest, policy_key, now_s, expires_s, "issued"
        db.execute("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)", row)
        note_certificate(self._file, identity, node_id, "node")
        return ticket.sealed(parts, to.name, to.box)

    def _new_id(self) -> str:
        while True:
            node_id = new_node_id()
            query = "SELECT 1 FROM nodes WHERE id = ?"
            if self._file.db.execute(query, (node_id,)).fetchone() is None:
                return node_id
