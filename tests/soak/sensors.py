# SPDX-License-Identifier: MIT
"""Every parser of sensor data against a million inputs: what a line may bring, and what nothing
should. The function fuzz(count, seed) of each driver's test in tests/portable gives them, and
fails at the first that is answered with anything but a reading or a documented error.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path

PORTABLE = Path(__file__).parents[1] / "portable"
CASES = 1_000_000
_EACH = 50_000
_RUN = """
import json, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from simulator.hal.on_cpython import loader
loader.install(Path({firmware!r}))
from {module} import fuzz
print(json.dumps(fuzz({count}, {seed})))
"""


def parsers() -> list[str]:
    """The test modules that have a fuzz()."""
    paths = sorted(PORTABLE.glob("test_*.py"))
    return [path.stem for path in paths if "\ndef fuzz(" in path.read_text()]


def play(module: str, count: int, seed: int) -> int:
    """Tries `count` inputs in a process of its own; returns how many it tried."""
    root = PORTABLE.parents[1]
    paths, firmware = [str(PORTABLE), str(root)], str(root / "firmware")
    code = _RUN.format(paths=paths, firmware=firmware, module=module, count=count, seed=seed)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{module}, seed {seed}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run(tell, cases: int = CASES) -> dict:
    figures = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for module in parsers():
            began = time.monotonic()
            waiting = [pool.submit(play, module, _EACH, seed) for seed in range(cases // _EACH)]
            errors, tried = [], 0
            for one in waiting:
                try:
                    tried += one.result()
                except RuntimeError as err:
                    errors.append(str(err))
            tell(f"{module}: {tried:,} in {time.monotonic() - began:.0f} s {errors[:1] or ''}")
            figures.append({
                "figure": module.removeprefix("test_"), "met": not errors and tried >= cases,
                "measured": f"{tried:,} inputs, {len(errors)} findings",
                "wanted": f"≥ {cases:,}, 0 findings",
            })  # fmt: skip
    return {"figures": figures}
