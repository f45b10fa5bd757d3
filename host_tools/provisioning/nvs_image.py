# SPDX-License-Identifier: MIT
"""The NVS partition of a new node, made by Espressif's own generator: a board and a simulated node
take the same bytes.

All in memory: no key comes near a file or a command line.
"""

import io

from esp_idf_nvs_partition_gen import nvs_partition_gen
from esp_idf_nvs_partition_gen.nvs_partition_gen import InsufficientSizeError

from host_tools.errors import ToolError
from host_tools.provisioning.ticket import Ticket

_PAGE_BYTES = 4096
_PAGES_MIN = 3
_EPOCH_0 = _VERSION_0 = bytes(4)
_TREE_BYTES = 4 + 24 * 16  # a place, and the seeds from there on: node/crypto/mask.py


def nvs_image(ticket: Ticket, size: int) -> bytes:
    """`size` bytes: the keys of `ticket` at epoch 0, before any policy, as node/device/keys.py
    and mask_keys.py read them. ToolError when NVS cannot have that size, or has no room for as
    many masked streams."""
    if size % _PAGE_BYTES or size < _PAGES_MIN * _PAGE_BYTES:
        raise ToolError(
            f"an NVS partition cannot have {size:#x} bytes",
            "give it a multiple of 0x1000, at least 0x3000, as in the board's partition table",
        )
    blobs = {
        "seal": _EPOCH_0 + _VERSION_0 + ticket.seal,
        "receipt": ticket.receipt,
        "command": ticket.command,
    }
    if ticket.masks:
        bits = sum(1 << number for number in ticket.masks)
        blobs["trees"] = bits.to_bytes(32, "big")
    for number, root in sorted(ticket.masks.items()):
        blobs[f"mask{number:03}"] = _EPOCH_0 + (bytes(4) + root).ljust(_TREE_BYTES, b"\0")
    try:
        return generate("lamppost", blobs, size)
    except InsufficientSizeError as err:
        raise ToolError(
            f"{size:#x} bytes of NVS have no room for {len(ticket.masks)} masked streams",
            "give it more pages of 0x1000 in the board's partition table, or mask fewer streams",
        ) from err


def generate(namespace: str, blobs: dict[str, bytes], size: int) -> bytes:
    """An NVS partition of `size` bytes with these blobs, in their order."""
    image = io.BytesIO()
    # one page stays free for NVS to move others into; the generator adds it to the size
    nvs = nvs_partition_gen.nvs_open(image, size - _PAGE_BYTES, nvs_partition_gen.Page.VERSION2)
    nvs_partition_gen.write_entry(nvs, namespace, "namespace", "", "")
    for key, data in blobs.items():
        nvs_partition_gen.write_entry(nvs, key, "data", "binary", data)
    nvs_partition_gen.nvs_close(nvs)
    return image.getvalue()
