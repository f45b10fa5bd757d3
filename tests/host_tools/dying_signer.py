# SPDX-License-Identifier: MIT
"""Forked processes that are killed by SIGKILL at an exact system call of what they do."""

import fcntl
import os
import signal
import traceback
from pathlib import Path

_CALLS = ((os, "open"), (os, "close"), (os, "fsync"), (os, "replace"), (os, "mkdir"),
          (fcntl, "flock"))  # fmt: skip


class Dying:
    """Dies at the `point`-th place: before or after a call, or in the middle of a write."""

    def __init__(self, point: int):
        self._left = point

    def reach(self):
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1

    def install(self):
        for module, name in _CALLS:
            setattr(module, name, self._wrapped(getattr(module, name)))
        fdopen = os.fdopen
        os.fdopen = lambda fd, mode: _Writer(fdopen(fd, mode), self)

    def _wrapped(self, call):
        def wrapped(*arguments, **named):
            self.reach()
            result = call(*arguments, **named)
            self.reach()
            return result

        return wrapped


class _Writer:
    """A file whose content is written in two halves."""

    def __init__(self, file, dying: Dying):
        self._file, self._dying = file, dying

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data: bytes):
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._dying.reach()
            self._file.write(part)
            self._file.flush()
        self._dying.reach()


def died_at(point: int, work, sent: Path) -> bool:
    """Does work() in a process that dies at `point`; what it returns goes to the file `sent` in
    one write. False when it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            out = os.open(sent, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            dying = Dying(point)
            dying.install()
            result = work()
            os.write(out, result)
            dying.reach()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status != 0:
        raise AssertionError(f"the process failed at place {point}: see what it printed")
    return False
