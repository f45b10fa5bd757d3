# SPDX-License-Identifier: MIT
"""adafruit-circuitpython-pm25, unmodified, reads our PMS5003, and agrees with our driver."""

import pytest

from node.drivers.pms5003 import PMS5003
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.pms5003 import PMS5003 as Chip
from tests.second_opinion.serial_port import Clock, SerialPort

AIR = ("pm10 env", "pm25 env", "pm100 env")  # 1.0, 2.5 and 10 µm


class Bench:
    def __init__(self):
        uart = pytest.importorskip("adafruit_pm25.uart")
        self.clock = Clock()
        self.signals = Signals()
        self.chip = Chip(self.signals)
        self.line = UartLine(lambda: self.clock.now_ms, self.chip, 9600, PMS5003.RXBUF)
        self.library = uart.PM25_UART(SerialPort(self.line, self.clock, 9600, timeout=3))
        self.feel(0, 0, 0)

    def feel(self, *levels):
        names = ("pm1_0_ngm3", "pm2_5_ngm3", "pm10_ngm3")
        points = {name: [[self.clock.now_ms, v]] for name, v in zip(names, levels, strict=True)}
        self.signals.extend(self.clock.now_ms + 100_000, points, {})

    def ours(self):
        driver = PMS5003(self.line)
        values = None
        while values is None:
            self.clock.now_ms += driver.start()
            values = driver.read()
        return values


def test_both_agree():
    for levels in ((0, 0, 0), (7000, 11_400, 13_000), (250_000, 400_600, 1_000_000)):
        bench = Bench()
        bench.feel(*levels)
        bench.line.read()
        air = bench.library.read()
        assert [air[name] * 1000 for name in AIR] == list(bench.ours())
        assert [air[name] for name in AIR] == [(level + 500) // 1000 for level in levels]


def test_a_wrong_checksum_is_found():
    bench = Bench()
    bench.chip.fault = "checksum"
    bench.line.read()
    with pytest.raises(RuntimeError, match="checksum"):
        bench.library.read()
