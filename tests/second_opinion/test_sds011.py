# SPDX-License-Identifier: MIT
"""py-sds011 talks to our chip, and reads what our driver reads."""

import pytest

from node.drivers.sds011 import SDS011
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.sds011 import SDS011 as Chip
from tests.second_opinion.serial_port import Clock, SerialPort

sds011 = pytest.importorskip("sds011", reason="py-sds011 is not installed")


@pytest.fixture
def bench(monkeypatch):
    """(chip, clock, a sensor of py-sds011's, its query mode set)"""
    now, signals = Clock(0), Signals()  # it was just switched on: nothing waits to be read
    levels = {"pm2_5_ngm3": [[0, 0], [20_000_000, 999_000]],
              "pm10_ngm3": [[0, 999_000], [20_000_000, 0]]}  # fmt: skip
    signals.extend(20_000_000, levels, {})
    chip = Chip(signals)

    def serial(port, baudrate, timeout):
        return SerialPort(UartLine(lambda: now.now_ms, chip, baudrate, 4096), now, baudrate)

    monkeypatch.setattr(sds011.serial, "Serial", serial)
    theirs = sds011.SDS011("a port")
    now.now_ms += 60_000
    return chip, now, theirs


def sample(driver, now):
    now.now_ms += driver.start()
    while isinstance(values := driver.read(), int):
        now.now_ms += values
    return values


def test_they_agree(bench):
    chip, now, theirs = bench
    chip._noise = lambda: 0
    driver = SDS011(UartLine(lambda: now.now_ms, chip, 9600, SDS011.RXBUF))
    for _ in range(300):
        now.now_ms += 60_000
        ours = sample(driver, now)
        told = theirs.query()
        assert told == pytest.approx((ours[0] / 1000, ours[1] / 1000), abs=0.15)


def test_our_commands_are_theirs(bench, monkeypatch):
    """What the driver writes, byte by byte."""
    chip, now, theirs = bench
    said, written = [], []
    monkeypatch.setattr(theirs, "_execute", said.append)
    theirs.sleep(sleep=False)
    theirs.set_report_mode(active=False)
    theirs.query()
    line = UartLine(lambda: now.now_ms, chip, 9600, 256)
    send = line.write
    line.write = lambda data: written.append(bytes(data)) or send(data)
    sample(SDS011(line), now)
    assert written == said


def test_states(bench):
    chip, now, theirs = bench
    assert theirs.query() is not None
    theirs.sleep()
    assert not chip._awake
    assert theirs.query() is None
    theirs.sleep(sleep=False)
    assert chip._awake and theirs.query() is not None
    theirs.set_report_mode(active=True)
    now.now_ms += 3000
    assert theirs.read() is not None
    theirs.set_work_period(work_time=5)
    assert chip._period == 5
