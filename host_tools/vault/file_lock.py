# SPDX-License-Identifier: MIT
"""A lock beside a file, for its one writer: the file itself is replaced, and a lock on it would go
with it."""

import fcntl
import os
from pathlib import Path

from host_tools.errors import ToolError


def take_lock(path: Path) -> int:
    """Locks PATH.lock until what is returned is closed (os.close), or the process ends. ToolError
    when another has it."""
    try:
        name = path.with_name(path.name + ".lock")
        lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as err:
        hint = "see that the folder is there and yours, on a disk of this machine"
        raise ToolError(f"{path}: {err.strerror}", hint) from err
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(lock)
        hint = "let the other command end, or stop it"
        raise ToolError(f"{path} is open in another process", hint) from err
    return lock
