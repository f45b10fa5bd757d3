# SPDX-License-Identifier: MIT
"""A file that belongs to a change of the vault and cannot be made a second time.

1. one change: the rows, and the file's bytes       (killed here: nothing has happened)
2. the file is written                              (killed here: the vault still has its bytes)
3. another change: the bytes go from the vault

Who runs the same command again goes on at 2, also with another name for the file. What is sealed
for others lies in the vault until then as it will lie in the file.
"""

import json
from collections.abc import Callable
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.vault.sealed_file import SealedFile


def write_once(file: SealedFile, target: Path, verb: str, detail: dict, make: Callable) -> bool:
    """make() changes rows and returns the file's bytes, within a change whose log entry is `verb`
    and `detail`. Returns whether this was done by an earlier run that was cut off, and now only
    ends. ToolError when the target is there, or an earlier run has to end first."""
    target = Path(target)
    target = target.parent.resolve() / target.name  # a link there is a file that is there
    asked = json.dumps([verb, detail], sort_keys=True)
    data = _left(file, target, asked)
    is_again = data is not None
    if not (is_again and _holds(target, data)):  # that of a run which was cut off behind it
        SealedFile.check_new(target)
    if not is_again:
        with file.change(verb, {**detail, "file": target.name}):
            data = make()
            row = asked, str(target), data
            file.db.execute("INSERT INTO outgoing VALUES (?, ?, ?)", row)
    write_derived(target, data)
    with file.change("file written", {"file": target.name}):
        file.db.execute("DELETE FROM outgoing WHERE asked = ?", (asked,))
    return is_again


def write_derived(target: Path, data: bytes):
    """A file that the vault still has, or can make again, for its owner only. ToolError when it
    cannot be written."""
    try:
        write_private(target, data)
    except OSError as err:
        hint = "see that its folder can be written, and run the same command again"
        raise ToolError(f"{target}: {err.strerror}", hint) from err


def _holds(target: Path, data: bytes) -> bool:
    try:
        return target.read_bytes() == data
    except OSError:
        return False


def _left(file: SealedFile, target: Path, asked: str) -> bytes | None:
    """The bytes that a run which was cut off has left, if it was the same command."""
    rows = file.db.execute("SELECT path, asked, data FROM outgoing").fetchall()
    same = [data for _, for_what, data in rows if for_what == asked]
    if not same and any(path == str(target) for path, _, _ in rows):
        message = f"an earlier command was cut off before it had written {target}"
        raise ToolError(message, "run that one again first, or give another -o")
    return same[0] if same else None
