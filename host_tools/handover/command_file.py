# SPDX-License-Identifier: MIT
"""A file of commands (*.commands) on their way from the vault to the broker, each sealed for its
node: who carries it can drop them, and nothing else.

["lp1 commands", until_s, [[node, message], …]]

until_s: when the first mix in it comes too late, in Unix seconds, or null.
"""

from pathlib import Path

import cbor2

from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.provisioning.ticket import is_node_id
from host_tools.times import short

SUFFIX = ".commands"
_HEAD = b"\x83" + cbor2.dumps(document.COMMANDS)
_NULL = 0xF6
_ID_CHARS = 10
_ROW = bytes([0x82, 0x60 | _ID_CHARS])
MOST = 1 << 20  # commands in one file
_AGAIN = "have it written again: lamppost vault commands"


def encode(messages: list[tuple[str, bytes]], until_s: int | None = None) -> bytes:
    """ToolError when they are more than read_commands() takes."""
    data = document.encode(document.COMMANDS, until_s, [list(row) for row in messages])
    if len(messages) > MOST or len(data) > document.MOST_BYTES:
        message = f"these are {len(messages):,} commands, more than fit one file"
        raise ToolError(message, "send what is queued before you queue more")
    return data


def read_commands(path: Path, now_s: int | None = None) -> list[tuple[str, bytes]]:
    """[(node, message)] in their order. now_s: when they are sent. ToolError when the file is not
    whole, or has a mix that comes too late."""
    data = document.read(path)
    try:
        until_s, rows = _decode(data)
    except (ValueError, IndexError):
        message = f"{path} is not a file of commands, or not whole"
        raise ToolError(message, _AGAIN) from None
    if None not in (until_s, now_s) and now_s >= until_s:
        message = f"{path} has a mix that was due at {short(until_s)} UTC: a node refuses it"
        raise ToolError(message, _AGAIN)
    return rows


def _decode(data: bytes) -> tuple[int | None, list[tuple[str, bytes]]]:
    """(until_s, rows); ValueError or IndexError. Row by row, each known to be one before it is
    made: nobody signs this file, and other CBOR is a hundred times as large in memory."""
    if not data.startswith(_HEAD):
        raise ValueError
    at, until_s, rows = len(_HEAD), None, []
    if data[at] == _NULL:
        at += 1
    else:
        until_s, at = _argument(data, at, 0)
    count, at = _argument(data, at, 4)
    if count > MOST:
        raise ValueError
    for _ in range(count):
        start = at + len(_ROW) + _ID_CHARS
        node_id = data[at + len(_ROW) : start].decode("ascii")
        size, message_at = _argument(data, start, 2)
        if data[at : at + len(_ROW)] != _ROW or not is_node_id(node_id):
            raise ValueError
        at = message_at + size
        rows.append((node_id, data[message_at:at]))
    if encode(rows, until_s) != data:  # cut off, longer, or another encoding
        raise ValueError
    return until_s, rows


def _argument(data: bytes, at: int, major: int) -> tuple[int, int]:
    """(what the head of an item of this major type says, where the head ends)"""
    info = data[at] - (major << 5)
    if 0 <= info < 24:
        return info, at + 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info)
    if size is None:
        raise ValueError
    end = at + 1 + size
    return int.from_bytes(data[at + 1 : end]), end
