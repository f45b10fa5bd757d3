# SPDX-License-Identifier: MIT
"""A file of receipts (*.receipts): which tickets a technician has used.

["lp1 ticket receipts", office's key, technician's name, made_s,
 [[ticket's id, node, used_s, use (16 random bytes)], …]] ‖ the technician's signature

`use` is drawn when a ticket is used: two of them for one ticket show that it was used twice, as
from a laptop that was set back. Nothing in it comes from the board.
"""

import dataclasses
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.handover.tickets import ID_BYTES

SUFFIX = ".receipts"
MOST = 10_000  # tickets that one technician's file may ever use
_MOST_BYTES = 1 << 20  # of so many, with their names
_NEW = "have a new technician's file made, with a card of its own: lamppost technician init"
_AGAIN = "have the technician write it again: lamppost technician receipts"


@dataclasses.dataclass(frozen=True)
class Use:
    id: bytes
    node_id: str
    used_s: int
    use: bytes


@dataclasses.dataclass(frozen=True)
class Receipts:
    office: bytes
    technician: str
    made_s: int
    uses: tuple[Use, ...]

    def signed(self, secret: bytes) -> bytes:
        """ToolError when they are more than an office takes."""
        if len(self.uses) > MOST:
            raise ToolError(f"these are {len(self.uses):,} receipts, of {MOST:,} at most", _NEW)
        rows = [list(dataclasses.astuple(use)) for use in self.uses]
        head = self.office, self.technician, self.made_s
        return document.sign(secret, document.RECEIPTS, *head, rows)


def read_receipts(path: Path) -> bytes:
    """The bytes of a file of receipts, unchecked. ToolError when they are too many."""
    data = document.read(path)
    if len(data) > _MOST_BYTES:
        raise ToolError(f"{path} holds more than {MOST:,} receipts", _NEW)
    return data


def decode_receipts(data: bytes, name: str) -> Receipts:
    """The receipts in these bytes, whose signature is not checked yet: the name in them says by
    whose key. ToolError when they are not whole."""
    fields = document.decode(document.split(data), document.RECEIPTS, 4, name)
    office, technician, made_s, rows = fields
    try:
        receipts = Receipts(office, technician, made_s, tuple(Use(*row) for row in rows))
    except TypeError:
        receipts = None
    if receipts is not None and len(receipts.uses) > MOST:
        raise ToolError(f"{name} holds more than {MOST:,} receipts", _NEW)
    if receipts is None or not _is_whole(receipts):
        raise ToolError(f"{name} is not as this version of Lamppost reads it", _AGAIN) from None
    return receipts


def _is_whole(receipts: Receipts) -> bool:
    return (
        type(receipts.office) is bytes
        and type(receipts.technician) is str
        and type(receipts.made_s) is int
        and all(_is_use(use) for use in receipts.uses)
    )


def _is_use(use: Use) -> bool:
    ids = use.id, use.use
    return (
        all(type(one) is bytes and len(one) == ID_BYTES for one in ids)
        and type(use.node_id) is str
        and type(use.used_s) is int
    )
