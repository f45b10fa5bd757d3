# SPDX-License-Identifier: MIT
"""An empty LittleFS at /data for one test, on CPython and on MicroPython."""

import sys

from simulator.world.flash import PowerCut

BLOCK_BYTES = 4096
_BLOCKS = 64
_ERASED = b"\xff" * 512
_OPTIONS = {"readsize": 32, "progsize": 32, "lookahead": 32}
_made = []  # one for all tests: on MicroPython it is most of the heap


class Ram:
    """A block device in RAM, whose power can be cut."""

    def __init__(self):
        self.blocks = [bytearray(b"\xff" * BLOCK_BYTES) for _ in range(_BLOCKS)]
        self.cut(0, 2)

    def cut(self, after: int, halves: int):
        """PowerCut at the `after`-th write or erase from now, with so much of it done."""
        self.left, self.halves, self.dead = after, halves, False

    def _begin(self, size: int) -> int:
        """How many of so many bytes are changed."""
        if self.dead:
            raise PowerCut
        self.left -= 1
        self.dead = self.left == 0
        return size * self.halves // 2 if self.dead else size

    def _end(self):
        if self.dead:
            raise PowerCut

    def readblocks(self, block, buf, offset=0):
        buf[:] = memoryview(self.blocks[block])[offset : offset + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        size = self._begin(len(buf))
        self.blocks[block][offset : offset + size] = memoryview(buf)[:size]
        self._end()

    def ioctl(self, operation, argument):
        if operation == 6:
            size = self._begin(BLOCK_BYTES)
            for at in range(0, size, 512):
                self.blocks[argument][at : at + 512] = _ERASED
            self._end()
        return {4: _BLOCKS, 5: BLOCK_BYTES}.get(operation, 0)


def fresh_flash():
    """Mounts a new, empty flash of 256 KiB at /data, and returns it; what was mounted before is
    gone."""
    if not _made:
        _made.append(Ram())
    _made[0].cut(0, 2)
    _vfs().VfsLfs2.mkfs(_made[0], **_OPTIONS)
    mount_again()
    return _made[0]


def mount_again():
    """Powers the flash up, and mounts what a cut has left."""
    vfs = _vfs()
    _made[0].cut(0, 2)
    try:
        vfs.umount("/data")
    except OSError:
        pass  # it is the first
    vfs.mount(vfs.VfsLfs2(_made[0], **_OPTIONS), "/data")


def unmount():
    """From now on all calls to the flash fail, until mount_again()."""
    _vfs().umount("/data")


def flash_open(path, mode):
    """Opens a file on the flash, as the firmware does."""
    if sys.implementation.name == "micropython":
        return open(path, mode)
    from simulator.hal.on_cpython import os as flash_os

    return flash_os.open(path, mode)


def _vfs():
    if sys.implementation.name == "micropython":
        import vfs
    else:
        from simulator.hal.on_cpython import vfs
    return vfs
