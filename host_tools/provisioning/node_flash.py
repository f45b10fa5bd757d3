# SPDX-License-Identifier: MIT
"""Makes what one node's flash and NVS hold before its first start: a folder that is whole or not
there. A simulated node runs from it; a board's partitions have the same content."""

import os
import shutil
import tempfile
from pathlib import Path

from littlefs import LittleFS

from host_tools.errors import ToolError
from host_tools.provisioning.node_parts import NodeParts
from host_tools.provisioning.nvs_image import nvs_image

BLOCK_BYTES = 4096
CODE_BLOCKS = DATA_BLOCKS = 256
NVS_BYTES = 0x6000  # of the stock partition table


def make_node(folder: Path, parts: NodeParts, wifi: tuple[str, str], board: dict) -> Path:
    """Makes FOLDER/<node>/ with the partitions flash.img, data.img and nvs.img, and returns it.

    wifi: (ssid, password); board: the content of board.json. ToolError when the policy is not
    signed by the policy key of the parts.
    """
    files = parts.files(wifi, board)
    target = Path(folder) / parts.ticket.node_id
    if target.exists():
        raise ToolError(f"{target} is there already", "remove it, or take another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix="."))  # for its owner only
    try:
        (fresh / "flash.img").write_bytes(flash_image(files, CODE_BLOCKS))
        (fresh / "data.img").write_bytes(flash_image({}, DATA_BLOCKS))
        (fresh / "nvs.img").write_bytes(nvs_image(parts.ticket, NVS_BYTES))
        os.rename(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def flash_image(files: dict[str, bytes], blocks: int) -> bytes:
    """A LittleFS image with these files ({path: content}), as MicroPython's VfsLfs2 mounts it."""
    fs = LittleFS(
        block_size=BLOCK_BYTES, block_count=blocks, read_size=32, prog_size=32, lookahead_size=32
    )
    for name, data in files.items():
        if "/" in name:
            fs.makedirs(name.rpartition("/")[0], exist_ok=True)
        with fs.open(name, "wb") as file:
            file.write(data)
    fs.unmount()
    return bytes(fs.context.buffer)
