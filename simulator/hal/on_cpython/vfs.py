# SPDX-License-Identifier: MIT
"""MicroPython's `vfs`, as far as boards need it: LittleFS on a block device, mounted at a path.

littlefs-python keeps the very format that the board's VfsLfs2 keeps, and calls the block device
for every read, program and erase, as that does.
"""

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from simulator.world.flash import PowerCut

mounted = {}  # path: VfsLfs2; one level below the root, as the firmware has them
_EIO, _EPERM = 5, 1


class _Device(UserContext):
    """A block device of MicroPython's (extended interface) as littlefs-python wants it."""

    def __init__(self, device):
        self._device = device
        self.cut = False  # the power has failed within a call: no exception can pass through C

    def _call(self, function, *args) -> int:
        try:
            function(*args)
        except PowerCut:
            self.cut = True
            return -_EIO
        except OSError as err:
            return -err.args[0]
        return 0

    def read(self, cfg, block, off, size):
        data = bytearray(size)
        self._device.readblocks(block, data, off)
        return data

    def prog(self, cfg, block, off, data):
        return self._call(self._device.writeblocks, block, data, off)

    def erase(self, cfg, block):
        return self._call(self._device.ioctl, 6, block)

    def sync(self, cfg):
        return 0


class VfsLfs2:
    """A LittleFS on `device`; OSError when there is none, or it is damaged."""

    def __init__(self, device, readsize=32, progsize=32, lookahead=32, mtime=True):
        self.context = _Device(device)
        self.fs = _on(self.context, device, readsize, progsize, lookahead)
        self.call(self.fs.mount)

    @staticmethod
    def mkfs(device, readsize=32, progsize=32, lookahead=32):
        context = _Device(device)
        _call(context, _on(context, device, readsize, progsize, lookahead).format)

    def call(self, function, *args, **options):
        """Calls a function of littlefs-python; its errors become MicroPython's OSError(code)."""
        return _call(self.context, function, *args, **options)


def _call(context, function, *args, **options):
    try:
        return function(*args, **options)
    except LittleFSError as err:
        error = OSError(-err.code)
    except FileExistsError:
        error = OSError(17)
    except (FileNotFoundError, NotADirectoryError):
        error = OSError(2)
    except IsADirectoryError:
        error = OSError(21)
    except OSError as err:
        error = OSError(err.errno or (err.args[0] if err.args else 22))
    finally:
        if context.cut:
            raise PowerCut from None
    raise error


def _on(context, device, readsize, progsize, lookahead) -> LittleFS:
    return LittleFS(
        context,
        mount=False,  # it would make a filesystem where there is none
        block_size=device.ioctl(5, 0),
        block_count=device.ioctl(4, 0),
        read_size=readsize,
        prog_size=progsize,
        cache_size=4 * max(readsize, progsize),  # this and the next as VfsLfs2 has them
        block_cycles=100,
        lookahead_size=lookahead,
    )


def mount(fs, path):
    if path in mounted:
        raise OSError(_EPERM)
    mounted[path] = fs


def umount(path):
    if path not in mounted:
        raise OSError(22)
    del mounted[path]
