# SPDX-License-Identifier: MIT
"""Files on flash, replaced in one step: a power cut leaves the old or the new.

What was provisioned lies below CONFIG and is read only; what the node writes lies below DATA, a
filesystem of its own (see storage.py). The commit point of LittleFS is `close()`; `os.rename` over
an existing file is atomic.
"""

import json
import os

CONFIG = "/lp/"
DATA = "/data/"

ENOENT = 2
_EEXIST = 17


def read(path: str):
    """The whole file as bytes; None when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as err:
        if err.args[0] != ENOENT:
            raise
        return None


def read_json(path: str):
    """The file's JSON value; OSError when it is missing, ValueError when it is not JSON."""
    data = read(path)
    if data is None:
        raise OSError(ENOENT)
    return json.loads(data)


def replace(path: str, data: bytes):
    """Writes the whole file; a reader sees the old content or the new, never a part."""
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.rename(path + ".new", path)


def make_folder(path: str):
    """Makes a folder; it may be there already."""
    try:
        os.mkdir(path)
    except OSError as err:
        if err.args[0] != _EEXIST:
            raise


def names(folder: str) -> list:
    """The names in a folder, sorted."""
    return sorted(os.listdir(folder))


def remove(path: str):
    os.remove(path)
