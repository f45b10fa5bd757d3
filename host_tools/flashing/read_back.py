# SPDX-License-Identifier: MIT
"""What lies on a board's flash now, read into memory: it may hold keys, so no file has it."""

from host_tools.errors import ToolError
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.secret_files import secret_files


def read_back(esptool: Esptool, at: int, size: int) -> bytes:
    """`size` bytes of the flash from `at`, as esptool checked them against the board's MD5.
    ToolError when they do not come whole."""
    with secret_files([b""]) as (paths, fds):
        esptool.run("read-flash", f"{at:#x}", f"{size:#x}", paths[0], fds=fds)
        with open(paths[0], "rb") as file:
            data = file.read()
    if len(data) != size:
        hint = "run the command again"
        raise ToolError(f"{esptool.port}: {len(data)} of {size} bytes came back", hint)
    return data
