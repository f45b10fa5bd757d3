# SPDX-License-Identifier: MIT
"""RdLib, unmodified, reads positions from our HLK-LD2450; where it sees somebody cross the line,
our driver counts them."""

import importlib
from binascii import unhexlify
from struct import unpack_from

import pytest

from node.drivers.ld2450 import LD2450
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.ld2450 import LD2450 as Chip
from tests.second_opinion.serial_port import Clock, SerialPort

PEOPLE = [[20_000, 1, 1400, 2000], [40_000, -1, 800, 3500], [60_000, 1, 2000, 1000]]


# Read from a live module (lnxusr1/kenzy-ld2450, tests/test_protocol.py): somebody sits still at
# x = 78 mm, y = 2471 mm; resolution 360 mm.
LIVE = unhexlify("aaff0300" + "4e80a78900006801" + 2 * "0000000000000000" + "55cc")


class Bench:
    def __init__(self):
        self.clock = Clock(0)
        self.signals = Signals()
        # Told far ahead, so that everybody comes the whole way.
        self.signals.extend(120_000, {}, {"people": PEOPLE}, known_ms=120_001)
        self.line = UartLine(lambda: self.clock.now_ms, Chip(self.signals), 256_000, 4096)


@pytest.fixture
def library(monkeypatch):
    """RdLib opens its port when it is imported."""
    serial = pytest.importorskip("serial")
    bench = Bench()
    port = SerialPort(bench.line, bench.clock, 256_000, timeout=0)
    monkeypatch.setattr(serial, "Serial", lambda *args, **options: port)
    pytest.importorskip("RdLib")
    driver = importlib.reload(importlib.import_module("RdLib.RdDriver"))
    monkeypatch.setattr(driver, "time", bench.clock)
    monkeypatch.setattr(driver.config, "distance_units", "mm")
    return bench, driver


def test_both_see_the_same_crossings(library):
    bench, driver = library
    seen = [0, 0]
    before = 0
    for at_ms in range(2000, 70_000, 100):
        bench.clock.now_ms = at_ms - 20
        bench.line.read()
        driver.buffer_hex = ""
        x, y = driver.ReadRadarData()
        if (x, y) == (0, 0):  # nobody
            before = 0
            continue
        person = min(PEOPLE, key=lambda event: abs(event[0] - bench.clock.now_ms))
        away_ms = bench.clock.now_ms - person[0]
        assert y == person[3]
        assert abs(x - person[1] * person[2] * away_ms // 1000) <= 2 * person[2] // 10
        if before * x < 0:
            seen[x < 0] += 1
        before = x or before
    assert seen == [2, 1]

    other = Bench()
    radar, counted = LD2450(other.line), [0, 0]
    for at_ms in range(3000, 75_000, 3000):
        other.clock.now_ms = at_ms
        other.clock.now_ms += radar.start()
        for side, count in enumerate(radar.read() or (0, 0)):
            counted[side] += count
    assert counted == seen


def test_both_read_a_live_frame(library):
    _, driver = library
    assert driver.parse_coordinates(LIVE.hex()) == (78, 2471)
    for line_x_mm, is_right_of_it in ((-23, True), (-22, False)):  # by more than 100 mm
        bench = Bench()
        radar = LD2450(bench.line, line_x_mm=line_x_mm)
        radar._take(unpack_from("<I12HH", LIVE))
        sides = [track[2] for track in radar._tracks if track[0]]
        assert sides == [1 if is_right_of_it else 0]
