# SPDX-License-Identifier: MIT
"""Anything on `down`, 100,000 times and more on each interpreter: see tests/portable/down_fuzz.py.

MicroPython's heap is small enough that what asks for more than a message is worth gets none.
"""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from host_tools.micropython_path import micropython_path
from host_tools.umqtt_source import umqtt_path, unittest_path

ROOT = Path(__file__).resolve().parents[2]
CASES = 120_000
EACH = 10_000  # cases of one process, which begins with an empty outbox
HEAP = "640k"  # 256 KiB of it are the simulated flash
GROWTH_BYTES = 8192
_RUN = """
import gc, json
from down_fuzz import Fuzzer
def used():
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
fuzzer = Fuzzer({seed})
for _ in range(500):
    fuzzer.case()
first = used()
for _ in range({cases} - 500):
    fuzzer.case()
print(json.dumps({{
    "cases": fuzzer.cases, "growth": used() - first, "settled": fuzzer.settled,
    "lost": fuzzer.lost, "oversized": fuzzer.client.oversized, "said": fuzzer.said}}))
"""
_ON_CPYTHON = """
import sys
from pathlib import Path
from simulator.hal.on_cpython import loader
loader.install(Path({firmware!r}), Path({umqtt!r}))
sys.path.insert(0, {portable!r})
"""


def _command(interpreter: str, seed: int, cases: int):
    """(command line, environment) that plays `cases` cases."""
    code, portable = _RUN.format(seed=seed, cases=cases), ROOT / "tests" / "portable"
    if interpreter == "cpython":
        firmware, umqtt = str(ROOT / "firmware"), str(umqtt_path())
        begin = _ON_CPYTHON.format(firmware=firmware, umqtt=umqtt, portable=str(portable))
        return [sys.executable, "-c", begin + code], dict(os.environ)
    hal = ROOT / "simulator" / "hal"
    path = (hal / "on_micropython", hal, ROOT / "firmware", ROOT, umqtt_path(), unittest_path(),
            portable)  # fmt: skip
    environment = {**os.environ, "MICROPYPATH": ":".join(map(str, path))}
    return [micropython_path(), "-X", f"heapsize={HEAP}", "-c", code], environment


def _play(interpreter: str, cases: int, seed: int, tell) -> dict:
    """All cases on one interpreter; the sums, and what was found."""
    total = {"cases": 0, "settled": 0, "lost": 0, "oversized": 0, "growth": 0, "found": []}
    while total["cases"] < cases and not total["found"]:
        command, environment = _command(interpreter, seed, EACH)
        try:
            done = subprocess.run(
                command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1800
            )
            output = done.stdout + done.stderr
            failed = done.returncode or not done.stdout.startswith("{")
        except subprocess.TimeoutExpired:
            output, failed = "it hangs", True
        if failed:
            total["found"].append({"seed": seed, "output": output[-2000:]})
            break
        result = json.loads(done.stdout)
        for name in ("cases", "settled", "lost", "oversized"):
            total[name] += result[name]
        total["growth"] = max(total["growth"], result["growth"])
        tell(f"{interpreter}: {total['cases']} cases, {total['lost']} connections ended")
        seed += 1
    return total


def run(tell, cases: int = CASES, seed: int | None = None) -> dict:
    """seed: of the first process; by chance, and told, when it is None."""
    seed = secrets.randbits(20) if seed is None else seed
    tell(f"the first seed is {seed}")
    report, figures = {"seed": seed}, []
    for interpreter in ("micropython", "cpython"):
        total = report[interpreter] = _play(interpreter, cases, seed, tell)
        figures.append(
            {
                "figure": f"anything on `down`, {interpreter}",
                "measured": f"{total['cases']} cases, {len(total['found'])} findings, "
                f"{total['lost']} connections ended, {total['settled']} receipts taken",
                "wanted": f"≥ {cases} cases, 0 findings",
                "met": total["cases"] >= cases and not total["found"],
            }
        )
        if interpreter == "micropython":
            figures.append(
                {
                    "figure": f"heap in use after {EACH} cases, in {HEAP}",
                    "measured": f"{total['growth']:+} bytes since case 500",
                    "wanted": f"≤ {GROWTH_BYTES} bytes",
                    "met": total["growth"] <= GROWTH_BYTES,
                }
            )
    return {**report, "figures": figures}
