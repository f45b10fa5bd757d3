# SPDX-License-Identifier: MIT
"""Collects a new certificate, which a command of the vault brings in parts.

    [0, "certificate", serial, tag, length, at, bytes]   a part of CBOR [certificate, key]

tag: the first 8 bytes of the SHA-256 of all `length` bytes. Parts state a fact: they come in any
order, and may come again; a restart forgets them. A serial that is not higher than what is there
is passed over, so that no recording brings back an old certificate.

As little as can be, since the link stands while it is read: once all parts are there, the link
ends, and new_identity.py does the rest.
"""

from node.errors import CommandError

NEW = -1  # as identity.py has it
LENGTH_MAX = 1394  # of what identity.py keeps, without its head
_SERIAL_END = 1 << 16  # as `certificate` in a node's health
_TAG_BYTES = 8
_PART_MIN = 64  # but for the last: each costs an entry in RAM
_FORM = 1  # why a part is refused: firmware/README.md


def run(link, arguments: list):
    """Takes a part: [serial, tag, length, at, bytes]. CommandError when it is none."""
    head, at, part = _checked(arguments)
    arriving = getattr(link, "arriving", None)
    if head[0] <= link.newest or (arriving and head[0] < arriving[0][0]):
        return  # it has this one, or a later one arrives
    if not arriving or arriving[0] != head:
        arriving = link.arriving = head, bytearray(head[2]), {}
    _, content, lengths = arriving
    content[at : at + len(part)] = part
    lengths[at] = len(part)
    if sum(lengths.values()) >= head[2]:
        link.turn = NEW


def _checked(arguments: list):
    """((serial, tag, length), at, part)"""
    if [type(argument) for argument in arguments] != [int, bytes, int, int, bytes]:
        raise CommandError(_FORM, "not a part of a certificate")
    serial, tag, length, at, part = arguments
    is_whole = 0 < serial < _SERIAL_END and len(tag) == _TAG_BYTES
    end = at + len(part)
    is_long = len(part) >= _PART_MIN or (part and end == length)
    if not (is_whole and at >= 0 and is_long and end <= length <= LENGTH_MAX):
        raise CommandError(_FORM, "not a part of a certificate")
    return (serial, tag, length), at, part
