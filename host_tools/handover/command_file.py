# SPDX-License-Identifier: MIT
"""A file of commands (*.commands) on their way from the vault to the broker, each sealed for its
node: who carries it can drop them, and nothing else.

["lp1 commands", [[node, message], …]]
"""

from pathlib import Path

from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.provisioning.ticket import is_node_id

SUFFIX = ".commands"


def encode(messages: list[tuple[str, bytes]]) -> bytes:
    return document.encode(document.COMMANDS, [list(row) for row in messages])


def read_commands(path: Path) -> list[tuple[str, bytes]]:
    """[(node, message)] in their order. ToolError when the file is not whole."""
    (rows,) = document.decode(document.read(path), document.COMMANDS, 1, str(path))
    if type(rows) is not list or not all(_is_row(row) for row in rows):
        message = f"{path} is not as this version of Lamppost reads it"
        raise ToolError(message, "have it written again: lamppost vault commands")
    return [tuple(row) for row in rows]


def _is_row(row) -> bool:
    if type(row) is not list or [type(one) for one in row] != [str, bytes]:
        return False
    return is_node_id(row[0])
