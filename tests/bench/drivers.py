# SPDX-License-Identifier: MIT
"""What each driver takes on 32-bit MicroPython: CPU time per reading beside that of sealing 200
bytes in the same run, heap, and the size of what is imported for it. The estimate by which kits
are checked against a board's memory must be above what is measured.
"""

import json
import subprocess
from pathlib import Path

import boards
from host_tools.micropython_path import micropython_path
from host_tools.provisioning.driver_facts import DriverFacts
from host_tools.provisioning.heap_need import driver_modules, driver_need_bytes, mpy_bytes
from host_tools.provisioning.kit import split_options
from node.drivers.registry import PARTS
from simulator.chips.registry import chip_class
from simulator.micropython_tree import (
    micropython_command,
    micropython_environment,
    micropython_tree,
)
from simulator.world.city import City
from tests.bench import seal

ROOT = Path(boards.__path__[0])
NOON_S = 1_790_596_800
HOUR_MS = 3_600_000
MPY_LIMIT = 4096
OWN_BENCH = ("i2s", "ble")  # driven by interrupts: sound.py, and the tests of ble_count


def _entries() -> dict:
    """{part: an entry of a kit that has it}"""
    found = {}
    for path in sorted(ROOT.glob("kits/*/kit.json")):
        for entry in split_options(json.loads(path.read_text()))["sensors"]:
            found.setdefault(entry["part"], entry)
    return found


def measure(part: str, entry: dict) -> dict:
    """What the driver of `part` takes, as this entry of a kit has it."""
    board = json.loads((ROOT / "esp32-devkitc/board.json").read_text())
    bus = board["buses"][entry["bus"]]
    told = City(1, NOON_S).signals(0, 0, HOUR_MS)
    senses = chip_class(part).SENSES
    # What is watched is looked at all the time: a few seconds tell what a look takes.
    interval_s = min(entry["interval_s"], 5) if DriverFacts(part).watches else entry["interval_s"]
    # A cleaning now and then is no reading.
    options = {**entry.get("options", {})}
    options.pop("clean_each_samples", None)
    task = {
        "part": part, "class": PARTS[part][0], "kind": bus["kind"], "bus": bus,
        "options": options, "interval_ms": interval_s * 1000,
        "levels": {name: points[:4] for name, points in told["levels"].items() if name in senses},
        "events": {name: made[:60] for name, made in told["events"].items() if name in senses},
    }  # fmt: skip
    code = (Path(__file__).with_name("drivers_node.py")).read_text()
    done = subprocess.run(
        micropython_command(micropython_path(), "16m", micropython_tree(), f"exec({code!r})"),
        input=json.dumps(task) + "\n", env=micropython_environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{part}: {done.stderr or done.stdout}")
    return json.loads(done.stdout.splitlines()[-1])


def run() -> dict:
    sealing_us = seal._node_us()
    entries, found, figures = _entries(), {}, []
    for part in PARTS:
        own = mpy_bytes(part)
        whole = sum(mpy_bytes(module) for module in driver_modules(part))
        row = found[part] = {"mpy_bytes": own, "with_cores_bytes": whole}
        text = f".mpy {own} B, with what it imports {whole} B"
        met = own <= MPY_LIMIT
        if part in entries and DriverFacts(part).bus not in OWN_BENCH:
            row.update(measure(part, entries[part]))
            heap = row["heap_bytes"] = row["import_bytes"] + row["object_bytes"]
            need = row["estimated_bytes"] = driver_need_bytes(part)
            met = met and heap <= need
            text += f"; heap {heap} B of {need} reckoned; {row['us']:.0f} µs a reading"
            text += f" = {row['us'] / sealing_us:.1f} sealings"
        wanted = f"≤ {MPY_LIMIT} B; heap as reckoned"
        figures.append({"figure": part, "measured": text, "wanted": wanted, "met": met})
    return {"sealing_us": sealing_us, "parts": found, "figures": figures}
