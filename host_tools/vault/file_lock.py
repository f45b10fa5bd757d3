# SPDX-License-Identifier: MIT
"""A lock beside a file, for its one writer: the file itself is replaced, and a lock on it would go
with it."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from host_tools.errors import ToolError


class LockedError(ToolError):
    """Another process has it open."""


def take_lock(path: Path) -> int:
    """Locks PATH.lock until what is returned is closed (os.close), or the process ends.
    LockedError when another has it, ToolError when it cannot be made."""
    try:
        lock = _open(path)
    except OSError as err:
        hint = "see that the folder is there and yours, on a disk of this machine"
        if err.errno == errno.ELOOP:
            hint = "remove it: a lock is a file, and somebody put a link there"
        raise ToolError(f"{_name(path)}: {err.strerror}", hint) from err
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(lock)
        hint = "let the other command end, or stop it"
        raise LockedError(f"{path} is open in another process", hint) from err
    return lock


@contextlib.contextmanager
def turn(path: Path):
    """Within it PATH.lock is locked; who comes meanwhile waits. OSError."""
    with _held(_open(path)):
        yield


@contextlib.contextmanager
def folder_turn(folder: Path):
    """Within it the folder is locked, by itself: a medium gets no file for it. OSError."""
    with _held(os.open(folder, os.O_RDONLY | os.O_CLOEXEC)):
        yield


@contextlib.contextmanager
def _held(lock: int):
    """An open file, locked within it and closed behind it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    # A link could name any file, which would be made, or kept from its owner.
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(_name(path), flags, 0o600)


def _name(path: Path) -> Path:
    return path.with_name(path.name + ".lock")
