# SPDX-License-Identifier: MIT
"""Gives a program files with keys in them, without a file.

On Linux they are in memory (memfd_create(2)) and go with the last process that holds them; their
names, /dev/fd/N, tell nothing. Elsewhere they lie for the time of one call in a folder that only
their owner can enter, and are overwritten before they are removed: what a disk keeps of them then
is beyond us, so a technician's laptop has an encrypted disk.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


@contextlib.contextmanager
def secret_files(contents: list[bytes]):
    """Gives (paths, fds): paths for the child's command line, fds for `pass_fds` of subprocess."""
    if hasattr(os, "memfd_create"):
        fds = []
        try:
            for data in contents:
                fds.append(os.memfd_create("region", os.MFD_CLOEXEC))
                _write(fds[-1], data)
            yield [f"/dev/fd/{fd}" for fd in fds], fds
        finally:
            for fd in fds:
                os.close(fd)
        return
    folder = Path(tempfile.mkdtemp(prefix="lamppost-"))  # mode 0700
    try:
        paths = [folder / str(number) for number in range(len(contents))]
        for path, data in zip(paths, contents, strict=True):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            _write(fd, data)
            os.close(fd)
        yield [str(path) for path in paths], []
    finally:
        for path in folder.iterdir():
            with open(path, "r+b") as file:
                file.write(bytes(path.stat().st_size))
                os.fsync(file.fileno())
        shutil.rmtree(folder, ignore_errors=True)


def _write(fd: int, data: bytes):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
