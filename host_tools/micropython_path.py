# SPDX-License-Identifier: MIT
"""Finds the MicroPython that runs simulated nodes: the unix port, 32-bit if it can be had."""

import os
import shutil
from pathlib import Path

from host_tools.errors import ToolError


def micropython_path() -> str:
    """LAMPPOST_MICROPYTHON, what tests/get_micropython.sh brought, or the one on the PATH."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    fetched = cache / "lamppost" / "micropython" / "micropython"
    for candidate in (os.environ.get("LAMPPOST_MICROPYTHON"), fetched, "micropython"):
        found = shutil.which(candidate) if candidate else None
        if found:
            return found
    raise ToolError(
        "MicroPython is not on this machine",
        "run tests/get_micropython.sh, or set LAMPPOST_MICROPYTHON to a unix port ≥ 1.25",
    )
