# SPDX-License-Identifier: MIT
"""The air node for 24 simulated hours in a heap of 128 KiB, as .mpy on 32-bit MicroPython.

Its own share is what is in use after a collection, less the same with only look-alikes and chips
loaded, as a board has neither.
"""

import json
import subprocess
from pathlib import Path

import boards
from host_tools.micropython_path import micropython_path
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.conductor import with_chips
from simulator.micropython_tree import (
    micropython_command,
    micropython_environment,
    micropython_tree,
)

HEAP = "128k"
SHARE_LIMIT_KIB = 80
_BASELINE = """
import sys
sys.modules["boot"] = sys.modules["main"] = sys
from simulator.node_process import main, heap_used
import machine, network, esp32, time, socket, select, json, hashlib, binascii, struct, os
main({!r}, "")
del main
print(heap_used())
"""


def baseline_bytes(folder: Path) -> int:
    """Heap in use with look-alikes and the air kit's chips, and no firmware."""
    root = Path(boards.__path__[0])
    kit = json.loads((root / "kits/air/kit.json").read_text())
    board = json.loads((root / "esp32-devkitc/board.json").read_text())
    first = {"start_s": 1_800_000_000, "now_ms": 0, "cause": "power"}
    first |= {"kit": with_chips(kit), "board": board}
    first["nvs_blocks"] = 6
    grant = {"until": 300_000, "known": 300_000, "times": [], "levels": 0, "events": {}}
    code = _BASELINE.format(str(folder.resolve()))
    done = subprocess.run(
        micropython_command(micropython_path(), HEAP, micropython_tree(), f"exec({code!r})"),
        input=json.dumps(first) + "\n" + json.dumps(grant) + "\n",
        env=micropython_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1])


def run(hours: int = 24) -> dict:
    plan = Plan(
        kits=choose_kits(["air"], None), for_s=hours * 3600, interpreter="micropython", heap=HEAP
    )
    heaps, errors = [], []
    with CityRun(plan) as city:
        city.start()
        node = city.nodes[0]
        node.on_line = lambda line: errors.append(line) if "MemoryError" in line else None
        finished = city.run(lambda: heaps.append((city.conductor.now_ms, node.heap_last or 0)))
        baseline = baseline_bytes(node.folder)
        account = city.account()
    early = max(heap for at_ms, heap in heaps if at_ms <= 2 * 3_600_000)
    late = max(heap for at_ms, heap in heaps if at_ms > (hours - 2) * 3_600_000)
    share_kib = (max(heap for _, heap in heaps) - baseline) / 1024
    whole = finished and city.complete(account) and not errors
    trouble = f"{len(errors)} MemoryErrors" if errors else city.trouble()[0]
    return {
        "baseline_bytes": baseline,
        "peak_bytes": max(heap for _, heap in heaps),
        "until_hour_2_bytes": early,
        "last_two_hours_bytes": late,
        "account": account,
        "figures": [
            {
                "figure": f"air, {hours} h in {HEAP}",
                "measured": "all receipted" if whole else trouble,
                "wanted": "runs",
                "met": whole,
            },
            {
                "figure": "own share of the heap",
                "measured": f"{share_kib:.1f} KiB",
                "wanted": f"≤ {SHARE_LIMIT_KIB} KiB",
                "met": share_kib <= SHARE_LIMIT_KIB,
            },
            {
                "figure": "growth, hour 2 to hour 24",
                "measured": f"{late - early} bytes",
                "wanted": "≤ 0 bytes",
                "met": late <= early,
            },
        ],
    }
