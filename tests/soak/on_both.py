# SPDX-License-Identifier: MIT
"""Plays a fuzzer of tests/portable on both interpreters at once, each in processes of its own: a
class Fuzzer(seed) with case(), and counts in its attributes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from host_tools.micropython_path import micropython_path

ROOT = Path(__file__).resolve().parents[2]
INTERPRETERS = ("micropython", "cpython")
EACH = 20_000  # cases of one process
HEAP = "1M"
_RUN = """
import json
from {module} import Fuzzer
fuzzer = Fuzzer({seed})
for number in range({cases}):
    try:
        fuzzer.case()
    except Exception:
        print("case", number)
        raise
print(json.dumps({{name: getattr(fuzzer, name) for name in {counts}}}))
"""
_ON_CPYTHON = """
import sys
from pathlib import Path
from simulator.hal.on_cpython import loader
loader.install(Path({firmware!r}))
sys.path.insert(0, {portable!r})
"""


def _command(interpreter: str, code: str):
    """(command line, environment) that runs `code` with the firmware and tests/portable."""
    firmware, portable = str(ROOT / "firmware"), str(ROOT / "tests" / "portable")
    if interpreter == "cpython":
        begin = _ON_CPYTHON.format(firmware=firmware, portable=portable)
        return [sys.executable, "-c", begin + code], dict(os.environ)
    hal = ROOT / "simulator" / "hal"
    folders = (hal / "on_micropython", hal, firmware, ROOT, portable)
    environment = {**os.environ, "MICROPYPATH": ":".join(map(str, folders))}
    return [micropython_path(), "-X", f"heapsize={HEAP}", "-c", code], environment


def _play(interpreter: str, module: str, counts: Sequence, cases: int, seed: int, tell) -> dict:
    """All cases on one interpreter; the sums, and what was found."""
    total = {**dict.fromkeys(counts, 0), "found": []}
    while total["cases"] < cases and not total["found"]:
        each = min(EACH, cases - total["cases"])
        code = _RUN.format(module=module, seed=seed, cases=each, counts=counts)
        command, environment = _command(interpreter, code)
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        lines = done.stdout.splitlines() or [""]
        if done.returncode or not lines[-1].startswith("{"):
            output = (done.stdout + done.stderr)[-2000:]
            total["found"].append({"seed": seed, "output": output})
            tell(f"{interpreter}, seed {seed}: {output}")
            break
        for name, count in json.loads(lines[-1]).items():
            total[name] += count
        tell(f"{interpreter}: {total['cases']} cases, {total[counts[1]]} {counts[1]}")
        seed += 1
    return total


def play(module: str, counts: Sequence, cases: int, seed: int, tell: Callable) -> dict:
    """{interpreter: counts and "found"} of `cases` cases on each. counts: names of the fuzzer's
    attributes, "cases" first."""
    with ThreadPoolExecutor(2) as pool:  # each waits for a process of its own
        totals = pool.map(
            lambda name: _play(name, module, counts, cases, seed, tell), INTERPRETERS
        )
        return dict(zip(INTERPRETERS, totals, strict=True))
