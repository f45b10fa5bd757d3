# SPDX-License-Identifier: MIT
"""Writes a file for everybody to read: whole or not at all."""

from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import write_private


def write_public(path: Path, data: bytes):
    """Replaces `path` in one step. ToolError when it cannot be written."""
    path = Path(path)
    try:
        write_private(path, data)
        path.chmod(0o644)
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "take a path that can be written") from err
