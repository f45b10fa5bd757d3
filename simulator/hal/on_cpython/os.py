# SPDX-License-Identifier: MIT
"""MicroPython's `os`, and `open`, over a LittleFS image: the board's flash below /lp.

littlefs-python keeps the very format that the board's VfsLfs2 keeps. Its errors become
OSError(code), as MicroPython raises them.
"""

import os as _host_os

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

ROOT = "/lp"
BLOCK_BYTES = 4096
sep = "/"
_ENOENT, _EINVAL, _EROFS = 2, 22, 30
_mounted = []


class _Image(UserContext):
    """The image file as a block device: every block goes to the file at once."""

    def __init__(self, path):
        self._fd = _host_os.open(path, _host_os.O_RDWR)
        super().__init__(_host_os.fstat(self._fd).st_size)

    def read(self, cfg, block, off, size):
        return bytearray(_host_os.pread(self._fd, size, block * cfg.block_size + off))

    def prog(self, cfg, block, off, data):
        _host_os.pwrite(self._fd, data, block * cfg.block_size + off)
        return 0

    def erase(self, cfg, block):
        _host_os.pwrite(self._fd, b"\xff" * cfg.block_size, block * cfg.block_size)
        return 0

    def sync(self, cfg):
        return 0


def mount_image(path: str):
    """Mounts an image file at /lp. Not part of MicroPython's `os`: the bench calls it."""
    context = _Image(path)
    _mounted[:] = [
        LittleFS(
            context,
            block_size=BLOCK_BYTES,
            block_count=_host_os.stat(path).st_size // BLOCK_BYTES,
            read_size=32,
            prog_size=32,
            lookahead_size=32,
        )
    ]


def _translated(function, *args, **options):
    try:
        return function(*args, **options)
    except LittleFSError as err:
        raise OSError(-err.code) from None
    except FileExistsError:
        raise OSError(17) from None
    except (FileNotFoundError, NotADirectoryError):
        raise OSError(_ENOENT) from None
    except IsADirectoryError:
        raise OSError(21) from None
    except OSError as err:
        raise OSError(err.errno or (err.args[0] if err.args else _EINVAL)) from None


def _inner(path: str) -> str:
    if path != ROOT and not path.startswith(ROOT + "/"):
        raise OSError(_ENOENT)
    return path[len(ROOT) :] or "/"


class _File:
    """A file on the flash, whose errors are translated; its commit point is close()."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        attribute = getattr(self._file, name)
        if not callable(attribute):
            return attribute
        return lambda *args: _translated(attribute, *args)

    def __iter__(self):
        return iter(self._file)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        _translated(self._file.close)


def open(path, mode="r"):
    if isinstance(path, int) or "x" in mode:
        raise OSError(_EINVAL)
    return _File(_translated(_mounted[0].open, _inner(path), mode))


def listdir(path=ROOT) -> list:
    return _translated(_mounted[0].listdir, _inner(path))


def ilistdir(path=ROOT):
    for name in listdir(path):
        info = stat(path + "/" + name)
        yield name, info[0], 0, info[6]


def mkdir(path):
    _translated(_mounted[0].mkdir, _inner(path))


def remove(path):
    _translated(_mounted[0].remove, _inner(path))


unlink = remove
rmdir = remove


def rename(old_path, new_path):
    _translated(_mounted[0].rename, _inner(old_path), _inner(new_path))


def stat(path) -> tuple:
    info = _translated(_mounted[0].stat, _inner(path))
    kind = 0x4000 if info.type == 2 else 0x8000
    return kind, 0, 0, 0, 0, 0, info.size, 0, 0, 0


def statvfs(path) -> tuple:
    fs = _mounted[0]
    free = fs.block_count - fs.used_block_count
    return BLOCK_BYTES, BLOCK_BYTES, fs.block_count, free, free, 0, 0, 0, 0, 255


def urandom(n) -> bytes:
    return _host_os.urandom(n)


def uname():
    return ("esp32", "esp32", "1.26.0", "simulated", "simulated")
