# SPDX-License-Identifier: MIT
"""tfluna-driver and adafruit-circuitpython-tfmini (whose frames are the same but for one word),
unmodified, read our TF-Luna; what they tell nearer than the line, our driver counts as broken."""

import sys
from types import SimpleNamespace

import pytest

from node.drivers.tf_luna import TFLuna
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.tf_luna import TFLuna as Chip
from tests.second_opinion.serial_port import Clock, SerialPort

STAYS_MS = 450  # 4.5 m at 10 m/s
VEHICLES = [[10_000, 1, 10_000], [14_000, -1, 10_000]]


class Bench:
    def __init__(self):
        self.clock = Clock(2000)
        self.signals = Signals()
        self.signals.extend(60_000, {}, {"vehicles": VEHICLES})
        self.chip = Chip(self.signals)
        self.line = UartLine(lambda: self.clock.now_ms, self.chip, 115_200, 4096)
        self.port = SerialPort(self.line, self.clock, 115_200)

    def is_occupied(self) -> bool:
        return any(abs(self.clock.now_ms - event[0]) <= STAYS_MS // 2 for event in VEHICLES)

    def is_near_an_edge(self) -> bool:
        edges = [abs(abs(self.clock.now_ms - event[0]) - STAYS_MS // 2) for event in VEHICLES]
        return min(edges) <= 20


@pytest.fixture
def tfluna(monkeypatch):
    # It has its time limits from a package that it does not ask for; the clock is ours anyway.
    free = SimpleNamespace(timeout=lambda *args, **options: lambda method: method)
    monkeypatch.setitem(sys.modules, "timeout_decorator", free)
    library = pytest.importorskip("tfluna.tfluna")
    bench = Bench()
    monkeypatch.setattr(library, "time", bench.clock)
    monkeypatch.setattr(library.serial, "Serial", lambda *args, **options: bench.port)
    return bench, library.TfLuna


@pytest.fixture
def tfmini(monkeypatch):
    library = pytest.importorskip("adafruit_tfmini")
    bench = Bench()
    monkeypatch.setattr(library, "time", bench.clock)
    return bench, library.TFmini(bench.port)


def check(bench, distance_mm, strength):
    if not bench.is_near_an_edge():
        roof = bench.is_occupied()
        assert abs(distance_mm - (3500 if roof else 6000)) <= 30
        assert abs(strength - (2400 if roof else 900)) <= 40


def test_tfluna_driver_reads_it(tfluna):
    bench, library = tfluna
    with library() as lidar:
        for at_ms in range(9000, 15_000, 90):
            bench.clock.now_ms = at_ms
            bench.line.read()
            bench.clock.now_ms += 11
            metres, strength, celsius = lidar.read_tfluna_data()
            check(bench, metres * 1000, strength)
            assert celsius == 25
        lidar.set_samp_rate(50)
        bench.line.read()
        bench.clock.now_ms += 2000
        assert bench.line.any() == 100 * 9


def test_tfmini_reads_it(tfmini):
    bench, lidar = tfmini
    for at_ms in range(9000, 15_000, 90):
        bench.clock.now_ms = at_ms
        distance_mm = lidar.distance * 10
        check(bench, distance_mm, lidar._strength)


def test_our_driver_counts_them():
    bench = Bench()
    lidar, vehicles, permille = TFLuna(bench.line), 0, 0
    for at_ms in range(3000, 18_000, 3000):
        bench.clock.now_ms = at_ms + lidar.start()
        values = lidar.read() or (0, 0)
        vehicles += values[0]
        permille += values[1]
    assert vehicles == 2
    assert abs(permille * 3 - 2 * STAYS_MS) <= 2 * 20
