# SPDX-License-Identifier: MIT
"""A million policies and readings by chance, half on each interpreter and both at once: nothing
leaves that the policy does not name. See tests/portable/policy_fuzz.py."""

import json
import os
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from host_tools.micropython_path import micropython_path

ROOT = Path(__file__).resolve().parents[2]
CASES = 1_000_000
EACH = 20_000  # cases of one process
HEAP = "1M"
COUNTS = ("cases", "records", "values", "noisy", "withheld", "told", "totals", "hidden_totals",
          "anew", "twice", "renewed")  # fmt: skip
_RUN = """
import json
from policy_fuzz import Fuzzer
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


def _command(interpreter: str, seed: int, cases: int):
    """(command line, environment) that plays `cases` cases."""
    code = _RUN.format(seed=seed, cases=cases, counts=COUNTS)
    firmware, portable = str(ROOT / "firmware"), str(ROOT / "tests" / "portable")
    if interpreter == "cpython":
        begin = _ON_CPYTHON.format(firmware=firmware, portable=portable)
        return [sys.executable, "-c", begin + code], dict(os.environ)
    environment = {**os.environ, "MICROPYPATH": f"{firmware}:{portable}"}
    return [micropython_path(), "-X", f"heapsize={HEAP}", "-c", code], environment


def _play(interpreter: str, cases: int, seed: int, tell) -> dict:
    """All cases on one interpreter; the sums, and what was found."""
    total = {**dict.fromkeys(COUNTS, 0), "found": []}
    while total["cases"] < cases and not total["found"]:
        each = min(EACH, cases - total["cases"])
        command, environment = _command(interpreter, seed, each)
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        if done.returncode or not done.stdout.startswith("{"):
            output = (done.stdout + done.stderr)[-2000:]
            total["found"].append({"seed": seed, "output": output})
            tell(f"{interpreter}, seed {seed}: {output}")
            break
        for name, count in json.loads(done.stdout).items():
            total[name] += count
        tell(f"{interpreter}: {total['cases']} cases, {total['records']} records")
        seed += 1
    return total


def run(tell, cases: int = CASES, seed: int | None = None) -> dict:
    """cases: on both interpreters together. seed: of the first process of each; by chance, and
    told, when it is None."""
    seed = secrets.randbits(20) if seed is None else seed
    tell(f"the first seed is {seed}")
    interpreters, wanted = ("micropython", "cpython"), (cases + 1) // 2
    with ThreadPoolExecutor(2) as pool:  # each waits for a process of its own
        totals = pool.map(lambda name: _play(name, wanted, seed, tell), interpreters)
        report = dict(zip(interpreters, totals, strict=True))
    figures = [
        {
            "figure": f"policies and readings, {name}",
            "measured": f"{total['cases']} pairs, {len(total['found'])} findings; "
            f"{total['records']} records, {total['noisy']} draws, "
            f"{total['withheld']} withheld for k, {total['totals']} totals of withheld parts",
            "wanted": f"≥ {wanted} pairs, 0 findings",
            "met": total["cases"] >= wanted and not total["found"],
        }
        for name, total in report.items()
    ]
    return {"seed": seed, **report, "figures": figures}
