# SPDX-License-Identifier: MIT
"""Small files on the LittleFS flash, replaced in one step: a power cut leaves the old or the new.

The commit point of LittleFS is `close()`; `os.rename` over an existing file is atomic.
"""

import json
import os

ROOT = "/lp/"  # everything a node owns but its code lies below here

_ENOENT = 2
_EEXIST = 17


def read(name: str):
    """The whole file as bytes; None when there is none."""
    try:
        with open(ROOT + name, "rb") as file:
            return file.read()
    except OSError as err:
        if err.args[0] != _ENOENT:
            raise
        return None


def read_json(name: str):
    """The file's JSON value; OSError when it is missing, ValueError when it is not JSON."""
    data = read(name)
    if data is None:
        raise OSError(_ENOENT)
    return json.loads(data)


def replace(name: str, data: bytes):
    """Writes the whole file; a reader sees the old content or the new, never a part."""
    with open(ROOT + name + ".new", "wb") as file:
        file.write(data)
    os.rename(ROOT + name + ".new", ROOT + name)


def make_folder(name: str):
    """Makes a folder; it may be there already."""
    try:
        os.mkdir(ROOT + name)
    except OSError as err:
        if err.args[0] != _EEXIST:
            raise


def names(folder: str) -> list:
    """The names in a folder, sorted."""
    return sorted(os.listdir(ROOT + folder))


def remove(name: str):
    os.remove(ROOT + name)
