# SPDX-License-Identifier: MIT
"""Where on the flash everything lies: the partitions of a MicroPython image, and behind them two
of ours.

A stock image has nvs and the application in its table; MicroPython adds `vfs` when it starts, from
there to the end of the flash, unless the table names it. A node needs two filesystems: `vfs`,
which MicroPython mounts at / (code and configuration, only read), and `lpdata`, which the firmware
mounts at /data. So the table is written anew, with both.
"""

import dataclasses

from host_tools.errors import ToolError
from host_tools.flashing.esp_image import EspImage
from host_tools.flashing.partition_table import (
    DATA,
    FAT,
    NVS,
    SECTOR_BYTES,
    Partition,
    build_table,
)  # fmt: skip
from host_tools.provisioning.node_flash import BLOCK_BYTES, CODE_BLOCKS, DATA_BLOCKS

CODE, OURS = "vfs", "lpdata"  # node/device/storage.py finds the second by its label
_STOCK = (CODE, "ffat")  # where MicroPython looks for its filesystem
NVS_LABEL = "nvs"


@dataclasses.dataclass(frozen=True)
class Layout:
    """table: the sector that tells all this to the application."""

    nvs: Partition
    code: Partition
    data: Partition
    rows: tuple[Partition, ...]
    table: bytes


def lay_out(image: EspImage, name: str = "the image") -> Layout:
    """The places of a node's parts. ToolError when the image leaves no room for them."""
    kept = tuple(row for row in image.table if row.label not in (*_STOCK, OURS))
    nvs = next((row for row in kept if (row.kind, row.subtype) == (DATA, NVS)), None)
    if nvs is None or nvs.label != NVS_LABEL:
        raise ToolError(f"{name} has no partition nvs", "take a stock image of MicroPython")
    code_bytes, data_bytes = CODE_BLOCKS * BLOCK_BYTES, DATA_BLOCKS * BLOCK_BYTES
    at = -(-max(row.end for row in kept) // SECTOR_BYTES) * SECTOR_BYTES
    if at + code_bytes + data_bytes > image.flash_bytes:
        left_kib = (image.flash_bytes - at) // 1024
        raise ToolError(
            f"{name} leaves {left_kib} KiB of the flash, and a node needs 2048",
            "take the image without OTA, or one for a larger flash",
        )
    code = Partition(CODE, DATA, FAT, at, code_bytes)
    data = Partition(OURS, DATA, FAT, code.end, data_bytes)
    rows = (*kept, code, data)
    try:
        return Layout(nvs, code, data, rows, build_table(rows))
    except ValueError as err:
        hint = "take a stock image of MicroPython"
        raise ToolError(f"{name} has a partition table that cannot be: {err}", hint) from err


def is_node(rows: tuple[Partition, ...] | None) -> bool:
    """Whether a board with this table was made a node, whole: the table is written last."""
    return rows is not None and any(row.label == OURS for row in rows)
