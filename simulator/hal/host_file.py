# SPDX-License-Identifier: MIT
"""Files of the computer that simulates, for the look-alikes themselves. The firmware's `open` and
`os` see the simulated flash only; a look-alike that is loaded with them needs the originals."""

import os as _os
from builtins import open as _open


def open_host(path: str, mode: str):
    return _open(path, mode)


def rename_host(old: str, new: str):
    _os.rename(old, new)
