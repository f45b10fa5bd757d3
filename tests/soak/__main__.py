# SPDX-License-Identifier: MIT
"""The long forms of what the suite runs sampled: `python -m tests.soak [part …]`. Progress and a
table go to stderr, the report as JSON to stdout; exit 1 when something was not reached.

A part is a function of one argument, `tell(text)` for its progress, that returns a dict with
"figures", as a part of tests/bench does.
"""

import json
import platform
import sys
import time

from rich.console import Console
from rich.table import Table

from tests.soak import attack, cuts, down, masks, month, noise, nonces, outage, policy, sensors
from tests.soak import time as forged_time

PARTS = {
    "down": down.run,
    "cuts": lambda tell: cuts.run(),
    "nonces": lambda tell: nonces.run(),
    "time": forged_time.run,
    "month": month.run,
    "outage": outage.run,
    "noise": noise.run,
    "policy": policy.run,
    "masks": masks.run,
    "attack": attack.run,
    "sensors": sensors.run,
}


def main(names) -> int:
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"error: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    console = Console(stderr=True)
    table = Table("part", "figure", "measured", "wanted", "")
    results = {"machine": platform.platform(), "python": platform.python_version()}
    missed = 0
    for name in names or PARTS:
        began = time.monotonic()

        def tell(text, name=name, began=began):
            console.print(f"[{time.monotonic() - began:6.0f} s] {name}: {text}", markup=False)

        tell("begins")
        results[name] = PARTS[name](tell)
        results[name]["took_s"] = round(time.monotonic() - began, 1)
        for row in results[name]["figures"]:
            met = row.get("met", True)
            missed += not met
            table.add_row(name, row["figure"], row["measured"], row.get("wanted", ""),
                          "reached" if met else "missed")  # fmt: skip
    console.print(table)
    print(json.dumps(results, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
