# SPDX-License-Identifier: MIT
"""Masking a value beside sealing it, on 32-bit MicroPython in one run; its bytes on the wire."""

import json
import os
import subprocess
from pathlib import Path

import cbor2

from host_tools.micropython_path import micropython_path

ROOT = Path(__file__).parents[2]
LIMIT = 10
WINDOW = [1, 1_977_701, 1_977_701]  # stream, slot and from of a quarter of an hour


def _wire_bytes(elements: int) -> int:
    return len(cbor2.dumps([*WINDOW, bytes(8 * elements)]))


def run() -> dict:
    done = subprocess.run(
        [micropython_path(), "-X", "heapsize=128k", str(ROOT / "tests/bench/mask_node.py")],
        env={**os.environ, "MICROPYPATH": f"{ROOT / 'firmware'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    one_us, seal_us = found["one_us"], found["seal_us"]
    times = one_us / seal_us
    in_the_open = len(cbor2.dumps([*WINDOW[:2], 2500]))
    return {
        **found,
        "figures": [
            {
                "figure": "one element, beside sealing 200 bytes",
                "measured": f"{one_us:.0f} µs / {seal_us:.0f} µs = {times:.1f} ×",
                "wanted": f"≤ {LIMIT} ×",
                "met": times <= LIMIT,
            },
            {
                "figure": "each further element of a record",
                "measured": f"{(found['many_us'] - found['one_us']) / 20:.1f} µs",
            },
            {
                "figure": "heap of crypto/mask.py; used and freed for one record",
                "measured": f"{found['heap_bytes']} bytes (compiled on the spot); "
                f"{found['passing_bytes']} bytes",
            },
            {
                "figure": "on the wire: a record of one element, each further one",
                "measured": f"{_wire_bytes(1)} bytes ({in_the_open} in the open), "
                f"{(_wire_bytes(20) - _wire_bytes(10)) // 10} bytes",
            },
        ],
    }
