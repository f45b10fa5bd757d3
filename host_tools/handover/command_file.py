# SPDX-License-Identifier: MIT
"""A file of commands (*.commands) on their way from the vault to the broker, each sealed for its
node: who carries it can drop them, and nothing else.

["lp1 commands", until_s, [[node, message], …]]

until_s: when the first mix in it comes too late, in Unix seconds, or null.
"""

from pathlib import Path

from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.provisioning.ticket import is_node_id
from host_tools.times import short

SUFFIX = ".commands"
_AGAIN = "have it written again: lamppost vault commands"


def encode(messages: list[tuple[str, bytes]], until_s: int | None = None) -> bytes:
    return document.encode(document.COMMANDS, until_s, [list(row) for row in messages])


def read_commands(path: Path, now_s: int | None = None) -> list[tuple[str, bytes]]:
    """[(node, message)] in their order. now_s: when they are sent. ToolError when the file is not
    whole, or has a mix that comes too late."""
    until_s, rows = document.decode(document.read(path), document.COMMANDS, 2, str(path))
    is_whole = type(rows) is list and all(_is_row(row) for row in rows)
    if not is_whole or type(until_s) not in (int, type(None)):
        message = f"{path} is not as this version of Lamppost reads it"
        raise ToolError(message, _AGAIN)
    if None not in (until_s, now_s) and now_s >= until_s:
        message = f"{path} has a mix that was due at {short(until_s)} UTC: a node refuses it"
        raise ToolError(message, _AGAIN)
    return [tuple(row) for row in rows]


def _is_row(row) -> bool:
    if type(row) is not list or [type(one) for one in row] != [str, bytes]:
        return False
    return is_node_id(row[0])
