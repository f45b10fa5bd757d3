# SPDX-License-Identifier: MIT
"""The board's flash: an image file as a block device, mounted at /lp with VfsLfs2."""

import vfs

BLOCK_BYTES = 4096


class _Image:
    """Block device over a file (the extended interface of MicroPython's vfs.AbstractBlockDev)."""

    def __init__(self, path: str):
        self._file = open(path, "r+b")  # the image is used as long as the process runs
        self._blocks = self._file.seek(0, 2) // BLOCK_BYTES

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.write(buf)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:  # erase: VfsLfs2 asks for it before it writes a block anew
            return 0
        return 0


def mount_image(path: str):
    """Mounts an image file at /lp."""
    vfs.mount(vfs.VfsLfs2(_Image(path), readsize=32, progsize=32, lookahead=32), "/lp")
