# SPDX-License-Identifier: MIT
"""A bench with one microphone on I2S, and its driver."""

from bench_fixture import fresh_bench

from node.device import hardware_more
from node.drivers.ics43434 import ICS43434
from simulator.buses.signals import Signals
from simulator.chips.ics43434 import ICS43434 as Chip

BUS = {"kind": "i2s", "id": 0, "sck": 14, "ws": 27, "sd": 33}


class Ear:
    """driver_class and chip_class, with the options of both."""

    def __init__(self, driver_class=ICS43434, chip_class=Chip, **options):
        self.bench = fresh_bench()
        self.signals = Signals()
        self.chip = chip_class(self.signals)
        self.bench.wired[("i2s", 0)] = self.chip
        self.sound(60_000)
        self.driver_class = driver_class
        self.i2s = hardware_more.make(BUS, driver_class)
        self.fresh(**options)

    def fresh(self, **options):
        self.driver = self.driver_class(self.i2s, **options)

    def sound(self, level_mdb):
        now_ms = self.bench.now_ms
        self.signals.extend(1 << 40, {"sound_mdb": [[now_ms, level_mdb]]}, {})

    def tone(self, frequency_hz, level_mdb):
        self.chip.tone = (int(frequency_hz * 1000), level_mdb)

    def pass_ms(self, duration_ms):
        """As a node does: it sleeps until poll() is due again."""
        bench, driver = self.bench, self.driver
        end_ms = bench.now_ms + duration_ms
        while bench.now_ms < end_ms:
            bench.sleep_ms(min(driver.poll(), end_ms - bench.now_ms))

    def read(self):
        self.driver.start()
        return self.driver.read()
