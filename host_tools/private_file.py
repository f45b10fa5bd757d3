# SPDX-License-Identifier: MIT
"""Writes a file that only its owner can read: durable, and whole or not at all.

The new content is written beside the target, as .NAME.*.partial, and then takes its name. Who is
killed in between leaves such a file, with what may be keys: the next write to the target removes
it, and so does who opens the target to write to it later (remove_leftovers). It is locked as long
as its writer lives, so nobody loses what is still being written.
"""

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

_SUFFIX = ".partial"


def write_private(path: Path, data: bytes):
    """Replaces `path` in one step: a reader, or a power cut, finds the old content or the new."""
    path = Path(path)
    remove_leftovers(path)
    fd, fresh = _locked(path)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_leftovers(path: Path):
    """Removes what writes of `path` have left that were killed."""
    path = Path(path)
    prefix = _prefix(path)
    with contextlib.suppress(OSError):  # no such folder: the write will say so
        for name in os.listdir(path.parent):
            if name.startswith(prefix) and name.endswith(_SUFFIX):
                _remove_if_dead(path.parent / name)


def _prefix(path: Path) -> str:
    return f".{path.name}."


def _locked(path: Path) -> tuple[int, str]:
    """A new file beside `path`, mode 0600, and locked: (file descriptor, name)."""
    while True:
        fd, fresh = tempfile.mkstemp(_SUFFIX, _prefix(path), path.parent)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:  # else another took it for a leftover before it was locked
                return fd, fresh
            os.close(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise


def _remove_if_dead(leftover: Path):
    with contextlib.suppress(OSError):  # gone by now, or another's
        fd = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: its writer lives
            leftover.unlink()
        finally:
            os.close(fd)
