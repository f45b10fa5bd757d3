# SPDX-License-Identifier: MIT
"""The benchmark: `python -m tests.bench [part …]`. Prints a table, then JSON.

Each figure is measured in the same run as the thing it is compared with; none is a time limit.
"""

import json
import platform
import sys

from rich.console import Console
from rich.table import Table

from tests.bench import (
    catch_up,
    collect,
    day,
    drivers,
    flash_speed,
    heap,
    herd,
    lms,
    mask,
    mqtt,
    seal,
    sound,
    sums,
    tokens,
    wear,
)  # fmt: skip

PARTS = {
    "mqtt": mqtt.run,
    "catch_up": catch_up.run,
    "herd": herd.run,
    "seal": seal.run,
    "heap": heap.run,
    "day": day.run,
    "collect": collect.run,
    "lms": lms.run,
    "wear": wear.run,
    "drivers": drivers.run,
    "flash": flash_speed.run,
    "sound": sound.run,
    "sums": sums.run,
    "tokens": tokens.run,
    "mask": mask.run,
}


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"error: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    console = Console(stderr=True)
    table = Table("part", "figure", "measured", "wanted", "")
    results = {"machine": platform.platform(), "python": platform.python_version()}
    for name in names or PARTS:
        console.print(f"measuring {name} …")
        results[name] = PARTS[name]()
        for row in results[name]["figures"]:
            wanted = row.get("wanted", "")
            met = "" if "met" not in row else "reached" if row["met"] else "missed"
            table.add_row(name, row["figure"], row["measured"], wanted, met)
    console.print(table)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
