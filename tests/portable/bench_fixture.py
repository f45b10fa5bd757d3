# SPDX-License-Identifier: MIT
"""A simulated board for one test: time at zero, no grant that ends, an empty NVS."""

from simulator.hal.bench import Bench, bench
from simulator.world.radio import Radio
from simulator.world.time_server import TimeServer

START_S = 1_800_014_400  # a midday, in Unix time


class PlainNvs:
    """NVS as names and values; its bytes are looked at in tests/simulated_node."""

    blocks = 6

    def __init__(self):
        self.items = {}

    def get(self, namespace, key, kind):
        if (namespace, key, kind) not in self.items:
            raise OSError(-0x1102)
        return self.items[namespace, key, kind]

    def has(self, namespace, key):
        return bool([1 for name in self.items if name[:2] == (namespace, key)])

    def set(self, namespace, key, kind, value):
        self.items[namespace, key, kind] = value

    def erase_key(self, namespace, key):
        for kind in ("blob", "i32"):
            self.items.pop((namespace, key, kind), None)

    def read_into(self, at, buf):
        buf[:] = b"\xff" * len(buf)


def fresh_bench():
    """Resets the one bench of this process; returns it."""
    empty = Bench()
    for name in empty.__dict__:
        setattr(bench, name, getattr(empty, name))
    bench.start_s = START_S
    bench.until_ms = 1 << 60
    bench.air = {"ssid": "city", "password": "secret", "hosts": {"time": ["192.168.4.1", 123]},
                 "sntp": True}  # fmt: skip
    radio, server = Radio(), TimeServer()
    bench.radio = lambda *words: radio.answer(bench.air, bench.now_ms, *words)
    bench.sntp = lambda request: server.answer(
        bench.air["sntp"], request, bench.start_s * 1000 + bench.now_ms
    )
    bench.nvs = PlainNvs()
    bench.partitions = {"nvs": bench.nvs}
    return bench


def write_nvs(**blobs):
    """Replaces what the node's namespace in NVS holds."""
    bench.nvs.items.clear()
    for name in blobs:
        bench.nvs.set("lamppost", name, "blob", blobs[name])
