# SPDX-License-Identifier: MIT
"""Writes a file that only its owner can read: durable, and whole or not at all. And reads one: no
other could have read it, it is a file, and not larger than it may be.

The new content is written beside the target, as .NAME.*.partial, and then takes its name. Who is
killed in between leaves such a file, with what may be keys: the next write to the target removes
it, and so does who opens the target to write to it later (remove_leftovers). It is locked as long
as its writer lives, so nobody loses what is still being written.
"""

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path

from host_tools.errors import ToolError

_SUFFIX = ".partial"
_CHECK = "check the path"


def write_private(path: Path, data: bytes, mode: int = 0o600):
    """Replaces `path` in one step: a reader, or a power cut, finds the old content or the new.
    mode: other than for its owner only, of what is not private (public_file.py)."""
    path = Path(path)
    remove_leftovers(path)
    fd, fresh = _locked(path)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)  # the name could be another file's by then
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


def read_private(path: Path, most_bytes: int, hint: str = _CHECK) -> bytes:
    """The content of a file that only its owner can read. ToolError when others can, when it is
    no file (a pipe would not end), or has more than `most_bytes`; hint: what to do then."""
    data, mode = _read(path, most_bytes, hint)
    if os.name == "posix" and mode & 0o077:
        chmod = f"chmod 600 {path}; where that does nothing (FAT): mount it with umask=077"
        raise ToolError(f"{path} can be read by others", chmod)
    return data


def read_bounded(path: Path, most_bytes: int, hint: str = _CHECK) -> bytes:
    """As read_private, of a file that others may read."""
    return _read(path, most_bytes, hint)[0]


def _read(path: Path, most_bytes: int, hint: str) -> tuple[bytes, int]:
    """(content, mode)"""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise ToolError(f"{path} is no file", hint)
            data = file.read(most_bytes + 1) if info.st_size <= most_bytes else None
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", hint) from err
    if data is None or len(data) > most_bytes:
        raise ToolError(f"{path} is too large", hint)
    return data, info.st_mode


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # for who writes into a pipe


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
