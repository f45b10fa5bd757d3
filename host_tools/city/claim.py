# SPDX-License-Identifier: MIT
"""Notes who put a node up, and at which post. The post stays in the vault: it is in no log entry
and in no file.

The code of a node's label has 35 bits, and after ten wrong ones the next is looked at with `force`
only: so who guesses is seen before they are right.
"""

import dataclasses
import json

from host_tools.city.people import technician_of
from host_tools.city.vault_keys import check_kind
from host_tools.errors import ToolError
from host_tools.handover.claim_code import claim_code, is_code
from host_tools.provisioning.ticket import make_ticket
from host_tools.times import short
from host_tools.vault.schema import CLAIMS
from host_tools.vault.sealed_file import SealedFile

_MOST_WRONG = 10
_POST_MAX = 200
_DONE, _WRONG = "claim", "wrong claim code"


@dataclasses.dataclass(frozen=True)
class Claim:
    """Who put a node up, where and when (Unix time)."""

    technician: str
    post: str
    claimed_s: int


def claim(file: SealedFile, node_id: str, code: str, technician: str, post: str, now_s: int,
          again: bool = False, force: bool = False):  # fmt: skip
    """code: from read_code(); again: also when it was claimed before; force: also after too many
    wrong codes. ToolError when the node cannot be claimed: a wrong code is noted in the log."""
    technician_of(file, technician)
    _check_post(post)
    command, _ = _node(file, node_id)
    wrong = _wrong_codes(file, node_id)
    if wrong >= _MOST_WRONG and not force:
        message = f"node {node_id}: {wrong} wrong codes since it was claimed last"
        hint = "find out who guesses (lamppost vault log), then claim it with --force"
        raise ToolError(message, hint)
    if not is_code(code, command, node_id):
        with file.change(_WRONG, {"node": node_id, "technician": technician}):
            pass
        message = f"the code is not that of node {node_id}"
        raise ToolError(message, "compare id and code with the node's label: one of both differs")
    known = claims(file).get(node_id)
    if known is not None and not again:
        when = f"{short(known.claimed_s)} UTC"
        message = f"node {node_id} was claimed by {known.technician} on {when}"
        raise ToolError(message, "if it was moved since, say so with --again")
    with file.change(_DONE, {"node": node_id, "technician": technician, "again": again}):
        file.db.execute(CLAIMS)  # a vault that was made before has no such table
        query = "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)"
        file.db.execute(query, (node_id, technician, post, now_s))


def code_of(file: SealedFile, node_id: str) -> tuple[str, str]:
    """(its kit, its claim code), for its label. ToolError when there is no such node."""
    check_kind(file)
    command, kit = _node(file, node_id)
    return kit, claim_code(command, node_id)


def claims(file: SealedFile) -> dict[str, Claim]:
    """{node: its claim}"""
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'claims'"
    if file.db.execute(query).fetchone() is None:
        return {}
    rows = file.db.execute("SELECT node, technician, post, claimed_s FROM claims")
    return {node_id: Claim(*row) for node_id, *row in rows}


def _check_post(post: str):
    if len(post) > _POST_MAX or not post.isprintable():
        message = f"--post: not a text of at most {_POST_MAX} characters that can be shown"
        raise ToolError(message, "give the post's number or name", 2)


def _node(file: SealedFile, node_id: str) -> tuple[bytes, str]:
    """(its key of commands, its kit)"""
    query = "SELECT root, day0, state, kit FROM nodes WHERE id = ?"
    row = file.db.execute(query, (node_id,)).fetchone()
    if row is None or row[2] == "revoked":
        what = f"there is no node {node_id}" if row is None else f"node {node_id} is revoked"
        raise ToolError(what, "see `lamppost vault nodes`")
    return make_ticket(row[0], node_id, row[1]).command, row[3]


def _wrong_codes(file: SealedFile, node_id: str) -> int:
    """Since it was claimed last."""
    count = 0
    query = "SELECT verb, detail FROM log WHERE verb IN (?, ?) ORDER BY number"
    for verb, detail in file.db.execute(query, (_DONE, _WRONG)):
        if json.loads(detail)["node"] == node_id:
            count = count + 1 if verb == _WRONG else 0
    return count
