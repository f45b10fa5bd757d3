# SPDX-License-Identifier: MIT
"""Capacity and flash wear of the air kit's node, from counted erases.

The node's own parts run on the real LittleFS and on NVS in the bytes of ESP-IDF, at the rates of
the kit's policy: one write for each instant at which windows close; each day one receipt that
steps the epoch, with the clock's floor and the search for the old seal; each month one power-up.
"""

from host_tools.provisioning.kit import load_kit
from node.device import storage
from node.device.boots import Boots
from node.device.clock import DAY_S, Clock
from node.device.keys import Keys
from node.device.nvs_scrub import NvsScrub
from node.pipeline.outbox import Outbox
from simulator.hal.bench import bench
from simulator.world.flash import Flash
from simulator.world.nvs import NvsPartition
from tests.soak.data_run import BLOCKS, BUILD_S, envelope_sizes, insert, reset_bench

CYCLES = 100_000  # erases that a block of a SPI NOR flash stands, as its datasheet says
HOURS_WANTED, YEARS_WANTED = 72, 20
DAYS = 90
_NVS_BLOCKS = 6
_WINDOW_S = 300
_SCRUB_STEPS_MAX = 500


class Node:
    """What writes to flash, on counted flash."""

    def __init__(self):
        reset_bench()
        self.data, self.nvs = Flash(blocks=BLOCKS), Flash(blocks=_NVS_BLOCKS)
        nvs = NvsPartition(self.nvs)
        for name, value in (("seal", bytes(40)), ("receipt", bytes(32)), ("command", bytes(32))):
            nvs.set("lamppost", name, "blob", value)
        insert(self.data)
        storage.format()
        self.data.erases, self.nvs.erases = [0] * BLOCKS, [0] * _NVS_BLOCKS
        bench.partitions["nvs"] = self.nvs
        self.sizes = envelope_sizes("air")
        self.limit = load_kit("air").data["outbox_kib"] * 1024
        self.start()

    def start(self):
        bench.nvs = NvsPartition(self.nvs)
        Boots().count()
        storage.mount()
        self.clock, self.outbox = Clock(BUILD_S), Outbox(self.limit)
        self.keys, self.scrub = Keys(), NvsScrub()

    def instant(self, at_s: int):
        kind = 2 if at_s % 3600 == 0 else 1 if at_s % 900 == 0 else 0
        self.outbox.make_room()
        self.outbox.append(at_s.to_bytes(8, "big") + bytes(self.sizes[kind] - 8))

    def receipt(self, at_s: int):
        self.outbox.settle(self.outbox.next_number - 1, [])
        self.clock.confirm(BUILD_S + at_s)
        self.keys.step_to(at_s // DAY_S)
        for _ in range(_SCRUB_STEPS_MAX):
            if not self.scrub.step(self.keys.epoch):
                break


def hours_without_receipt() -> float:
    """Of windows that the outbox holds when no receipt comes: the last hour that is whole."""
    node, at_s = Node(), 0
    while node.outbox.floor == 1:
        at_s += _WINDOW_S
        node.instant(at_s)
    kept = node.outbox.next_number - node.outbox.floor
    return kept * _WINDOW_S / 3600


def wear(days: int) -> Node:
    node = Node()
    for at_s in range(_WINDOW_S, days * DAY_S + 1, _WINDOW_S):
        node.instant(at_s)
        if at_s % DAY_S == 0:
            node.receipt(at_s)
        if at_s % (30 * DAY_S) == 0:
            node.start()
    return node


def _row(name: str, erases: list, days: int) -> dict:
    mean, worst = sum(erases) / len(erases) / days, max(erases) / days
    years = CYCLES / (worst * 365)
    return {
        "figure": f"wear of {name}, {len(erases)} blocks",
        "measured": f"{sum(erases) / days:.1f} erases a day; a block {mean * 365:.0f} a year, "
        f"the worst {worst * 365:.0f}: {years:.0f} years to {CYCLES} cycles",
        "wanted": f"≥ {YEARS_WANTED} years",
        "met": years >= YEARS_WANTED,
    }


def run(days: int = DAYS) -> dict:
    hours, node = hours_without_receipt(), wear(days)
    return {
        "hours": hours,
        "days": days,
        "old_seals": node.scrub.stale,
        "data_erases": node.data.erases,
        "nvs_erases": node.nvs.erases,
        "figures": [
            {
                "figure": f"air without a receipt, {node.limit // 1024} KiB",
                "measured": f"{hours:.0f} h of {DAY_S // _WINDOW_S} envelopes a day",
                "wanted": f"≥ {HOURS_WANTED} h",
                "met": hours >= HOURS_WANTED,
            },
            _row("lpdata", node.data.erases, days),
            _row("NVS", node.nvs.erases, days),
        ],
    }
