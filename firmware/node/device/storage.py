# SPDX-License-Identifier: MIT
"""Mounts /data, the filesystem that the node writes to. Its code and configuration lie in another
partition, which is only read: no power cut, and no damage here, keeps the node from starting.
"""

import esp32
import vfs

LABEL = "lpdata"
_PATH = "/data"
_ENODEV = 19


def _partition():
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=LABEL)
    if not found:
        raise OSError(_ENODEV)
    return found[0]


def mount():
    """Mounts it, also anew. OSError when the partition is not there, or holds no filesystem."""
    try:
        vfs.umount(_PATH)
    except OSError:
        pass  # it was not mounted
    vfs.mount(vfs.VfsLfs2(_partition(), readsize=32, progsize=32, lookahead=32), _PATH)


def format():
    """Makes the filesystem anew, and mounts it. What it held is lost."""
    vfs.VfsLfs2.mkfs(_partition(), readsize=32, progsize=32, lookahead=32)
    mount()
