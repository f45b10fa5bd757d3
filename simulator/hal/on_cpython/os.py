# SPDX-License-Identifier: MIT
"""MicroPython's `os`, and `open`, over what is mounted (see vfs.py): the firmware sees no other
file of this computer."""

import os as _host_os

from simulator.hal.on_cpython import vfs

sep = "/"
_ENOENT, _EINVAL = 2, 22


def _place(path: str):
    """(file system, path within it)"""
    top, _, rest = path.strip("/").partition("/")
    fs = vfs.mounted.get("/" + top)
    if fs is None or not path.startswith("/"):
        raise OSError(_ENOENT)
    return fs, "/" + rest


class _File:
    """A file on the flash, whose errors are translated; its commit point is close()."""

    def __init__(self, fs, file):
        self._fs = fs
        self._file = file

    def __getattr__(self, name):
        attribute = getattr(self._file, name)
        if not callable(attribute):
            return attribute
        return lambda *args: self._fs.call(attribute, *args)

    def __iter__(self):
        return iter(self._file)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        try:
            self._fs.call(self._file.close)
        except BaseException:
            # LittleFS has closed it all the same, and aborts when it is closed once more.
            setattr(getattr(self._file, "raw", self._file), "__IOBase_closed", True)
            raise


def open(path, mode="r"):
    if isinstance(path, int) or "x" in mode:
        raise OSError(_EINVAL)
    fs, inner = _place(path)
    return _File(fs, fs.call(fs.fs.open, inner, mode))


def _call(name: str, path: str, *args):
    fs, inner = _place(path)
    return fs.call(getattr(fs.fs, name), inner, *args)


def listdir(path="/") -> list:
    return _call("listdir", path)


def ilistdir(path="/"):
    for name in listdir(path):
        info = stat(path + "/" + name)
        yield name, info[0], 0, info[6]


def mkdir(path):
    _call("mkdir", path)


def remove(path):
    _call("remove", path)


unlink = remove
rmdir = remove


def rename(old_path, new_path):
    _call("rename", old_path, _place(new_path)[1])


def stat(path) -> tuple:
    info = _call("stat", path)
    kind = 0x4000 if info.type == 2 else 0x8000
    return kind, 0, 0, 0, 0, 0, info.size, 0, 0, 0


def statvfs(path) -> tuple:
    fs = _place(path)[0].fs
    free = fs.block_count - fs.used_block_count
    size = fs.cfg.block_size
    return size, size, fs.block_count, free, free, 0, 0, 0, 0, 255


def urandom(n) -> bytes:
    return _host_os.urandom(n)


def uname():
    return ("esp32", "esp32", "1.26.0", "simulated", "simulated")
