# SPDX-License-Identifier: MIT
"""Writes a file that only its owner can read: durable, and whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_private(path: Path, data: bytes):
    """Replaces `path` in one step: a reader, or a power cut, finds the old content or the new."""
    path = Path(path)
    fd, fresh = tempfile.mkstemp(dir=path.parent, prefix=".")  # mode 0600
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
