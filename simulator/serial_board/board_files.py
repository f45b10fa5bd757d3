# SPDX-License-Identifier: MIT
"""A folder of a filesystem, as a filesystem of its own. In the firmware's dialect.

A board mounts `vfs` at /, and the node's configuration lies in /lp of it. In the simulator / is
the computer's, so that folder alone is mounted, for reading.
"""

_FOLDER = "/lp"


def configuration_of(code):
    """What is to be mounted at /lp: that folder, or all where a flash was made without it."""
    try:
        code.stat(_FOLDER)
    except OSError:
        return code
    return Folder(code, _FOLDER)


class Folder:
    """path: of a folder of the filesystem `files`."""

    def __init__(self, files, path: str):
        self._files = files
        self._path = path

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        return self._files.open(self._path + path, mode)

    def stat(self, path):
        return self._files.stat(self._path + path.rstrip("/"))

    def ilistdir(self, path):
        return self._files.ilistdir(self._path + path.rstrip("/"))
