# SPDX-License-Identifier: MIT
"""Writes a file for everybody to read: whole or not at all, never over its own sources."""

import tempfile
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import write_private

_HINT = "take a path that can be written"


def write_public(path: Path, data: bytes):
    """Replaces `path` in one step. ToolError when it cannot be written."""
    path = Path(path)
    try:
        write_private(path, data, 0o644)
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", _HINT) from err


def check_target(path: Path, suffix: str, sources: dict[Path, str]):
    """ToolError for a target that is one of `sources` (file: what it is), or (usage) that ends in
    another suffix: a key, say, has none, so no slip of the hand writes over it."""
    path = Path(path)
    for source, what in sources.items():
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ToolError(f"{path} is {what} itself", "give another name with -o")
    if path.suffix != suffix:
        message = f"{path} does not end in {suffix}"
        hint = f"give a name with -o that does: {path.stem or 'name'}{suffix}"
        raise ToolError(message, hint, 2)


def check_room(path: Path, size: int):
    """ToolError unless so many bytes can be written beside `path`: for who must not find out after
    something was spent."""
    try:
        with tempfile.TemporaryFile(dir=Path(path).parent) as file:
            file.write(bytes(size))
            file.flush()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", _HINT) from err
