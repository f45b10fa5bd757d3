# SPDX-License-Identifier: MIT
"""Checking LMS signatures: the node on 32-bit MicroPython, beside one SHA-256 of the same
interpreter, and beside pyhsslms on CPython."""

import json
import os
import subprocess
import time
from pathlib import Path

from host_tools.micropython_path import micropython_path
from host_tools.provisioning.firmware import compile_tree, firmware_sources

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests/vectors/lms.json"
ROUNDS, EACH = 30, 5
HEAP_LIMIT = 6 * 1024


def _peer_us() -> float:
    """pyhsslms on CPython: the mean of all vectors, each the best of several rounds."""
    import pyhsslms  # of the extra `test`: the other parts do without

    total, vectors = 0, json.loads(VECTORS.read_text())
    for vector in vectors:
        message, signature = bytes.fromhex(vector["message"]), bytes.fromhex(vector["signature"])
        key = pyhsslms.HssPublicKey.deserialize(bytes.fromhex(vector["public_key"]))
        best = None
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for _ in range(EACH):
                if not key.verify(message, signature):
                    raise ValueError(f"pyhsslms refuses {vector['name']}")
            spent = time.perf_counter() - began
            best = spent if best is None else min(best, spent)
        total += best / EACH * 1e6
    return total / len(vectors)


def run() -> dict:
    tree, script = compile_tree(firmware_sources()), ROOT / "tests/bench/lms_node.py"
    done = subprocess.run(
        [micropython_path(), "-X", "heapsize=512k", script, VECTORS],
        env={**os.environ, "MICROPYPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    node = json.loads(done.stdout)
    peer_us = _peer_us()
    hashes, times = node["verify_us"] / node["sha256_us"], node["verify_us"] / peer_us
    compiled = (tree / "node/crypto/lms.mpy").stat().st_size
    return {
        **node,
        "pyhsslms_us": peer_us,
        "mpy_bytes": compiled,
        "figures": [
            {
                "figure": "LMS check, MicroPython",
                "measured": f"{node['verify_us'] / 1000:.2f} ms, longest "
                f"{node['longest_us'] / 1000:.2f} ms, as {hashes:.0f} SHA-256 of "
                f"{node['sha256_us']:.2f} µs",
            },
            {
                "figure": "pyhsslms on CPython, the same signatures",
                "measured": f"{peer_us / 1000:.2f} ms: the node takes {times:.1f} × as long",
            },
            {
                "figure": "peak heap of the check",
                "measured": f"{node['peak_bytes']:,} bytes",
                "wanted": f"≤ {HEAP_LIMIT:,} bytes",
                "met": node["peak_bytes"] <= HEAP_LIMIT,
            },
            {
                "figure": "module lms: .mpy, and heap once imported",
                "measured": f"{compiled:,} bytes, {node['module_bytes']:,} bytes",
            },
        ],
    }
