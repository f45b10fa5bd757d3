# SPDX-License-Identifier: MIT
"""Makes what one node's flash and NVS hold before its first start: a folder that is whole or not
there. A simulated node runs from it; a board's partitions have the same content."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from littlefs import LittleFS

from host_tools.errors import ToolError
from host_tools.policy.signed import check_signature, rules_of
from host_tools.provisioning.certificates import Identity
from host_tools.provisioning.kit import node_kit
from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import Ticket

BLOCK_BYTES = 4096
CODE_BLOCKS = DATA_BLOCKS = 256
NVS_BYTES = 0x6000  # of the stock partition table


def make_node(
    folder: Path, *, ticket: Ticket, identity: Identity, ca_der: bytes, broker: tuple[str, int],
    wifi: tuple[str, str], sntp: str, floor_s: int, board: dict, kit: dict, policy: bytes,
    policy_key: bytes,
) -> Path:  # fmt: skip
    """Makes FOLDER/<node>/ with the partitions flash.img, data.img and nvs.img, and returns it.

    broker: (host as in its certificate, port); wifi: (ssid, password); sntp: host; floor_s: Unix
    time before which it cannot be; policy: rules and signature; policy_key: the public key (60
    bytes) by which this policy and those to come are signed. ToolError when this one is not.
    """
    rules = rules_of(policy)
    check_signature(rules, policy[len(rules) :], policy_key)
    certificate, key = identity.der()
    config = {
        "node": ticket.node_id,
        "day0": ticket.day0,
        "floor_s": floor_s,
        "broker": {"host": broker[0], "port": broker[1]},
        "wifi": {"ssid": wifi[0], "password": wifi[1]},
        "sntp": sntp,
    }
    files = {
        "config.json": json.dumps(config).encode(),
        "board.json": json.dumps(board).encode(),
        "kit.json": json.dumps(node_kit(kit)).encode(),
        "policy": policy,
        "policy.key": policy_key,
        "ca.der": ca_der,
        "node.der": certificate,
        "node.key.der": key,
    }
    target = Path(folder) / ticket.node_id
    if target.exists():
        raise ToolError(f"{target} is there already", "remove it, or take another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix="."))  # for its owner only
    try:
        (fresh / "flash.img").write_bytes(flash_image(files, CODE_BLOCKS))
        (fresh / "data.img").write_bytes(flash_image({}, DATA_BLOCKS))
        (fresh / "nvs.img").write_bytes(nvs_image(ticket, NVS_BYTES))
        os.rename(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def flash_image(files: dict[str, bytes], blocks: int) -> bytes:
    """A LittleFS image with these files at its top, as MicroPython's VfsLfs2 mounts it."""
    fs = LittleFS(
        block_size=BLOCK_BYTES, block_count=blocks, read_size=32, prog_size=32, lookahead_size=32
    )
    for name, data in files.items():
        with fs.open(name, "wb") as file:
            file.write(data)
    fs.unmount()
    return bytes(fs.context.buffer)
