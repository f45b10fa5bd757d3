# SPDX-License-Identifier: MIT
"""Sealing 200 bytes: the node's CCM on 32-bit MicroPython against cryptography's in C."""

import os
import subprocess
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools.micropython_path import micropython_path

ROOT = Path(__file__).parents[2]
ROUNDS, EACH = 20, 500
LIMIT = 30


def _host_us() -> float:
    key, nonce, text, aad = bytes(range(32)), bytes(13), bytes(200), bytes(60)
    best = None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(EACH):
            AESCCM(key, 16).encrypt(nonce, text, aad)
        spent = time.perf_counter() - began
        best = spent if best is None else min(best, spent)
    return best / EACH * 1e6


def _node_us() -> float:
    done = subprocess.run(
        [micropython_path(), "-X", "heapsize=128k", str(ROOT / "tests/bench/seal_node.py")],
        env={**os.environ, "MICROPYPATH": f"{ROOT / 'firmware'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def run() -> dict:
    node_us, host_us = _node_us(), _host_us()
    times = node_us / host_us
    return {
        "node_us": node_us,
        "host_us": host_us,
        "times": times,
        "figures": [
            {
                "figure": "200 bytes, MicroPython against C",
                "measured": f"{node_us:.1f} µs / {host_us:.2f} µs = {times:.1f} ×",
                "wanted": f"≤ {LIMIT} ×",
                "met": times <= LIMIT,
            }
        ],
    }
