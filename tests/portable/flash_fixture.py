# SPDX-License-Identifier: MIT
"""An empty LittleFS at /data for one test, on CPython and on MicroPython."""

import sys

BLOCK_BYTES = 4096
_BLOCKS = 64
_OPTIONS = {"readsize": 32, "progsize": 32, "lookahead": 32}
_made = []  # one for all tests: on MicroPython it is most of the heap


class Ram:
    """A block device in RAM."""

    def __init__(self):
        self.blocks = [bytearray(b"\xff" * BLOCK_BYTES) for _ in range(_BLOCKS)]

    def readblocks(self, block, buf, offset=0):
        buf[:] = memoryview(self.blocks[block])[offset : offset + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        self.blocks[block][offset : offset + len(buf)] = buf

    def ioctl(self, operation, argument):
        return {4: _BLOCKS, 5: BLOCK_BYTES}.get(operation, 0)


def fresh_flash():
    """Mounts a new, empty flash of 256 KiB at /data; what was mounted before is gone."""
    vfs = _vfs()
    if not _made:
        _made.append(Ram())
    try:
        vfs.umount("/data")
    except OSError:
        pass  # it is the first
    vfs.VfsLfs2.mkfs(_made[0], **_OPTIONS)
    vfs.mount(vfs.VfsLfs2(_made[0], **_OPTIONS), "/data")


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
