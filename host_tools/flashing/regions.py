# SPDX-License-Identifier: MIT
"""What is written to the flash of one board, and where: the image's parts, and the node's."""

import dataclasses
from pathlib import Path

from host_tools.flashing.esp_image import EspImage
from host_tools.flashing.layout import Layout
from host_tools.flashing.partition_table import DATA, OTA_DATA, TABLE_AT
from host_tools.provisioning.firmware import compile_tree, firmware_sources
from host_tools.provisioning.node_flash import BLOCK_BYTES, flash_image
from host_tools.provisioning.node_parts import NodeParts
from host_tools.provisioning.nvs_image import nvs_image

CONFIG = "lp/"  # below / as node/device/flash_file.py reads it


@dataclasses.dataclass(frozen=True, repr=False)  # it may hold keys
class Region:
    """at: a place of the flash; own: what the running node changes, so that it is written once."""

    name: str
    at: int
    data: bytes
    own: bool = False


def regions(
    image: EspImage, layout: Layout, parts: NodeParts, wifi: tuple[str, str], board: dict
) -> list[Region]:
    """In the order in which they are written. The table comes last: a board on which it names a
    node's partitions is whole, however often the cable came out before."""
    files = {CONFIG + name: data for name, data in parts.files(wifi, board).items()}
    files.update(code_files(board.get("native")))
    return [
        *image_regions(image, layout),
        Region("keys", layout.nvs.at, nvs_image(parts.ticket, layout.nvs.size), own=True),
        Region("data", layout.data.at, flash_image({}, layout.data.size // BLOCK_BYTES), own=True),
        Region("firmware", layout.code.at, flash_image(files, layout.code.size // BLOCK_BYTES)),
        Region("table", TABLE_AT, layout.table),
    ]


def image_regions(image: EspImage, layout: Layout) -> list[Region]:
    """MicroPython's own."""
    made = [
        Region("bootloader", image.start, image.part(image.start, TABLE_AT)),
        Region("micropython", image.app.at, image.part(image.app.at, image.app.end)),
    ]
    return made + [
        Region(row.label, row.at, b"\xff" * row.size)  # blank: the first application is started
        for row in layout.rows
        if (row.kind, row.subtype) == (DATA, OTA_DATA)
    ]


def code_files(native: str | None) -> dict[str, bytes]:
    """{path: content} of boot.py, main.py and node/, compiled; native: the board's architecture
    for machine code."""
    tree = compile_tree(firmware_sources(), native)
    paths = sorted(path for path in Path(tree).rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in paths}
