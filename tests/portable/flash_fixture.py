# SPDX-License-Identifier: MIT
"""An empty LittleFS at /lp for one test, on CPython and on MicroPython."""

import sys

BLOCK_BYTES = 4096
_BLOCKS = 64
_mounted = []


def fresh_flash():
    """Mounts a new, empty flash of 256 KiB at /lp; what was mounted before is gone."""
    if sys.implementation.name == "micropython":
        _fresh_on_micropython()
    else:
        _fresh_on_cpython()


def flash_open(path, mode):
    """Opens a file on the flash, as the firmware does."""
    if sys.implementation.name == "micropython":
        return open(path, mode)
    from simulator.hal.on_cpython import os as flash_os

    return flash_os.open(path, mode)


def _fresh_on_cpython():
    import os
    import tempfile

    from littlefs import LittleFS

    from simulator.hal.on_cpython import os as flash_os

    image = LittleFS(
        block_size=BLOCK_BYTES, block_count=_BLOCKS, read_size=32, prog_size=32, lookahead_size=32
    )
    fd, path = tempfile.mkstemp()
    with os.fdopen(fd, "wb") as file:
        file.write(image.context.buffer)
    flash_os.mount_image(path)
    os.unlink(path)  # the mounted image keeps it open


def _fresh_on_micropython():
    import vfs

    class Ram:
        def __init__(self):
            self.blocks = [bytearray(b"\xff" * BLOCK_BYTES) for _ in range(_BLOCKS)]

        def readblocks(self, block, buf, offset=0):
            buf[:] = memoryview(self.blocks[block])[offset : offset + len(buf)]

        def writeblocks(self, block, buf, offset=0):
            self.blocks[block][offset : offset + len(buf)] = buf

        def ioctl(self, operation, argument):
            return {4: _BLOCKS, 5: BLOCK_BYTES}.get(operation, 0)

    if _mounted:
        vfs.umount("/lp")
    else:
        _mounted.append(Ram())  # one for all tests: it is most of the heap
    options = {"readsize": 32, "progsize": 32, "lookahead": 32}
    vfs.VfsLfs2.mkfs(_mounted[0], **options)
    vfs.mount(vfs.VfsLfs2(_mounted[0], **options), "/lp")
