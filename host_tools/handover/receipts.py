# SPDX-License-Identifier: MIT
"""A file of receipts (*.receipts): which tickets a technician has used.

["lp1 ticket receipts", office's key, technician's name, made_s,
 [[ticket's id, node, used_s, use (16 random bytes)], …]] ‖ the technician's signature

`use` is drawn when a ticket is used: two of them for one ticket show that it was used twice, as
from a laptop that was set back. Nothing in it comes from the board.
"""

import dataclasses

from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.handover.tickets import ID_BYTES

SUFFIX = ".receipts"
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
        rows = [list(dataclasses.astuple(use)) for use in self.uses]
        head = self.office, self.technician, self.made_s
        return document.sign(secret, document.RECEIPTS, *head, rows)


def decode_receipts(data: bytes, name: str) -> Receipts:
    """The receipts in these bytes, whose signature is not checked yet: the name in them says by
    whose key. ToolError when they are not whole."""
    fields = document.decode(document.split(data), document.RECEIPTS, 4, name)
    office, technician, made_s, rows = fields
    try:
        receipts = Receipts(office, technician, made_s, tuple(Use(*row) for row in rows))
    except TypeError:
        receipts = None
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
