# SPDX-License-Identifier: MIT
"""One simulated board in a process of its own: wires the chips, then runs boot.py and main.py,
unmodified, on CPython or MicroPython.

    node_process.py FOLDER FIRMWARE [UMQTT]

FOLDER holds flash.img and nvs.json; FIRMWARE holds boot.py and main.py. The conductor writes the
first line to stdin: {"start_s", "now_ms", "cause", "kit", "board", "chips"} and then grants (see
hal/bench.py). What the firmware prints is the board's serial port, and goes to stdout.
"""

import gc
import json
import sys

from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.hal.bench import bench

_MICROPYTHON = sys.implementation.name == "micropython"


def _wire(kit: dict, board: dict):
    """Puts the kit's chips onto the board's buses."""
    from simulator.chips.registry import chip_class

    for entry in kit["sensors"]:
        options = entry.get("options", {})
        bus = board["buses"][entry["bus"]]
        chip = chip_class(entry["part"])(bench.signals, **options)
        bench.chips.append(chip)
        if bus["kind"] == "i2c":
            if bus["id"] not in bench.i2c:
                bench.i2c[bus["id"]] = I2CBus(bench.now)
            bench.i2c[bus["id"]].attach(options.get("address", chip.ADDRESS), chip)
        elif bus["kind"] == "uart":
            bench.uart[bus["id"]] = chip
        else:
            bench.counters[bus["pin"]] = chip
        if bench.now_ms:
            chip.power_on(bench.now_ms)


def _heap_used() -> int:
    gc.collect()
    return gc.mem_alloc()


def _power_up(folder: str):
    first = json.loads(sys.stdin.readline())
    bench.folder = folder
    bench.start_s = first["start_s"]
    bench.now_ms = bench.booted_ms = first["now_ms"]
    bench.reset_cause = first["cause"]
    bench.signals = Signals()
    _wire(first["kit"], first["board"])
    bench.take_grant()


def main(folder: str, firmware: str = "", umqtt: str = ""):
    if _MICROPYTHON:
        gc.threshold(4096)  # see firmware/boot.py
        from simulator.hal.on_micropython import flash, tls_clock

        tls_clock.install()
        bench.heap_used = _heap_used
        _power_up(folder)
        flash.mount_image(folder + "/flash.img")
        __import__("boot")
        __import__("main")
        return
    from pathlib import Path

    from simulator.hal.on_cpython import loader
    from simulator.hal.on_cpython import os as flash_os

    loader.install(Path(firmware), Path(umqtt))
    _power_up(folder)
    flash_os.mount_image(folder + "/flash.img")
    loader.run_file(Path(firmware) / "boot.py")
    loader.run_file(Path(firmware) / "main.py")


if __name__ == "__main__":
    main(*sys.argv[1:])
