# SPDX-License-Identifier: MIT
"""Folders in the user's cache that are made once: whole or not at all, also by two at once."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs

from host_tools.errors import ToolError

_KEPT = 8  # folders of one kind, such as mpy-…; older ones that lie unused for a day are removed
_DAY_S = 86_400


def kept(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """The folder KIND-NAME, made by make(folder) when it is not there; it is only read."""
    cache = platformdirs.user_cache_path("lamppost")
    folder = cache / f"{kind}-{name}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
    except OSError as err:
        hint = "set XDG_CACHE_HOME to a folder that you can write"
        raise ToolError(f"{cache}: {err.strerror}", hint) from err
    try:
        make(fresh)
        os.chmod(fresh, 0o755)
        os.rename(fresh, folder)
    except OSError as err:
        if not folder.is_dir():  # else another process was first
            raise ToolError(f"{folder}: {err.strerror}", "free some space") from err
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _prune(cache, kind)
    return folder


def _prune(cache: Path, kind: str):
    made = sorted(cache.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[_KEPT:]:
        if time.time() - path.stat().st_mtime > _DAY_S:
            shutil.rmtree(path, ignore_errors=True)
