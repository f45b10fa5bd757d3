# SPDX-License-Identifier: MIT
"""One simulated board in a process of its own: wires the chips, then runs boot.py and main.py,
unmodified, on CPython or MicroPython.

    node_process.py FOLDER FIRMWARE [UMQTT]

FOLDER holds the partitions flash.img (code and configuration, at /lp) and data.img (what the node
writes); FIRMWARE holds boot.py and main.py. The conductor writes the first line to stdin:
{"start_s", "now_ms", "cause", "kit", "board", "nvs_blocks"} and then grants (see hal/bench.py).
What the firmware prints is the board's serial port, and goes to stdout.
"""

import gc
import json
import sys
from binascii import unhexlify

from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.hal.bench import bench
from simulator.hal.nvs_pipe import NvsPipe
from simulator.world.flash import Flash, PowerCut

_MICROPYTHON = sys.implementation.name == "micropython"


def _wire(kit: dict, board: dict):
    """Puts the kit's chips onto the board's buses."""
    for entry in kit["sensors"]:
        options = entry.get("options", {})
        bus = board["buses"].get(entry["bus"])
        name = entry.get("chip")
        if bus is None or name is None:  # nobody could fit it
            bench.chips.append(None)
            continue
        module = __import__("simulator.chips." + entry["part"], None, None, (name,))
        chip = getattr(module, name)(bench.signals, **options)
        bench.chips.append(chip)
        if bus["kind"] == "i2c":
            if bus["id"] not in bench.i2c:
                bench.i2c[bus["id"]] = I2CBus(bench.now)
            bench.i2c[bus["id"]].attach(options.get("address", chip.ADDRESS), chip)
        elif bus["kind"] == "uart":
            bench.uart[bus["id"]] = chip
        elif bus["kind"] == "counter":
            bench.counters[bus["pin"]] = chip
        else:
            bench.wired[bus["kind"], bus.get("pin", bus.get("id"))] = chip
            chip.board_bus = bus
        if bench.now_ms:
            chip.power_on(bench.now_ms)


def heap_used() -> int:
    gc.collect()
    return gc.mem_alloc()


def _power_up(folder: str):
    first = json.loads(sys.stdin.readline())
    bench.nvs = NvsPipe(first["nvs_blocks"])
    bench.sntp = lambda request: unhexlify(bench.ask("sntp", bench.now_ms, request).strip())
    bench.radio = lambda *words: json.loads(bench.ask("wifi", bench.now_ms, json.dumps(words)))
    bench.partitions = {
        "nvs": bench.nvs,
        "lpdata": Flash(folder + "/data.img"),
        "vfs": Flash(folder + "/flash.img"),
    }
    bench.start_s = first["start_s"]
    bench.now_ms = bench.booted_ms = first["now_ms"]
    bench.reset_cause = first["cause"]
    bench.signals = Signals()
    _wire(first["kit"], first["board"])
    bench.take_grant()


def main(
    folder: str, firmware: str = "", umqtt: str = "", files=("boot", "main"), mount=None,
    run=__import__,
):  # fmt: skip
    """mount: function of the filesystem of flash.img; None mounts it at /lp. run: what runs a
    file on MicroPython, by its name."""
    global _power_up, _wire
    if _MICROPYTHON:
        gc.threshold(4096)  # see firmware/boot.py
        import esp32
        import vfs

        from simulator.hal.on_micropython import tls_clock

        tls_clock.install()
        bench.heap_used = heap_used
    else:
        from pathlib import Path

        from simulator.hal import esp32
        from simulator.hal.on_cpython import loader, vfs

        loader.install(Path(firmware), Path(umqtt))

        def run(name):
            loader.run_file(Path(firmware) / (name + ".py"))

    _power_up(folder)
    del _power_up, _wire  # a board has none of this in its heap
    try:
        code = vfs.VfsLfs2(esp32.Partition("vfs"), readsize=32, progsize=32, lookahead=32)
        if mount is None:
            vfs.mount(code, "/lp")
        else:
            mount(code)
        for name in files:
            run(name)
    except PowerCut:
        bench.reset("power", bench.off_ms)


if __name__ == "__main__":
    main(*sys.argv[1:])
