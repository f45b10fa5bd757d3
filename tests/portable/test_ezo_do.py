# SPDX-License-Identifier: MIT
"""node/drivers/ezo_do.py and ezo.py with simulator/chips/ezo_do.py: the datasheet's examples."""

import unittest

from driver_fixture import failure
from ezo_fixture import Answering, EzoBench, EzoFaults, fuzz_driver

from node.drivers.ezo_do import EzoDO
from node.errors import FRAME, MISFIT, RANGE
from simulator.chips.ezo_do import EzoDO as Chip


def fuzz(count: int, seed: int) -> int:
    return fuzz_driver(EzoDO, (b"?i,D.O.,1.98", b"?,O,%,mg", b"7.82,86.0"), count, seed)


class DO:
    DRIVER, CHIP = EzoDO, Chip
    LEVEL, NEAR = 9300, 10
    SAYS = (b"\x01?i,D.O.,1.98", b"\x01?,O,%,mg", b"\x017.82,86.0")


class TestDatasheet(DO, EzoBench, unittest.TestCase):
    def test_taking_a_reading(self):
        """EZO-DO datasheet 5.3, p. 51 (R: 600 ms), p. 58 (O,?) and p. 59 (device)."""
        bus = Answering(self.SAYS)
        driver = EzoDO(bus)
        self.assertTrue(driver.start() >= 300)
        self.assertTrue(driver.read() >= 300)
        self.assertTrue(driver.read() >= 600)
        self.assertEqual(driver.read(), (7820,))
        self.assertEqual(bus.told, [b"i", b"O,?", b"R"])

    def test_the_chip_says_the_same(self):
        """Datasheet 4.1, p. 55: both are listed with the saturation first."""
        self.bus.writeto(0x61, b"O,%,1")
        self.now += 300
        self.assertEqual(self.bus.readfrom(0x61, 2), b"\x01\0")
        self.bus.writeto(0x61, b"O,?")
        self.now += 300
        self.assertEqual(self.bus.readfrom(0x61, 10), b"\x01?,O,%,mg\0")
        self.feel(9090)
        self.bus.writeto(0x61, b"R")
        self.now += 600
        self.assertEqual(self.bus.readfrom(0x61, 12), b"\x019.09,100.0\0")

    def test_the_whole_range(self):
        driver = self.made()
        for level in range(0, 100_001, 1234):
            self.feel(level)
            self.reads(driver, level)

    def test_with_and_without_saturation(self):
        for switch in (b"O,%,1", b"O,%,0"):
            self.bus.writeto(0x61, switch)
            self.now += 300
            self.bus.readfrom(0x61, 2)
            self.reads(self.made(), self.LEVEL)

    def test_mg_per_litre_is_switched_off(self):
        for switches in ((b"O,mg,0",), (b"O,%,1", b"O,mg,0")):
            for switch in switches:
                self.bus.writeto(0x61, switch)
                self.now += 300
                self.bus.readfrom(0x61, 2)
            self.assertEqual(failure(self.sample, self.made()), MISFIT)
        self.bus.writeto(0x61, b"O,mg,1")
        self.now += 300
        self.bus.readfrom(0x61, 2)
        self.reads(self.made(), self.LEVEL)

    def test_switched_while_it_measures(self):
        driver = self.made()
        self.reads(driver, self.LEVEL)
        self.bus.writeto(0x61, b"O,%,1")
        self.now += 300
        self.bus.readfrom(0x61, 2)
        self.assertEqual(failure(self.sample, driver), FRAME)
        self.reads(self.made(), self.LEVEL)


class TestFaults(DO, EzoFaults, unittest.TestCase):
    def test_out_of_range(self):
        self.found("range", RANGE)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 4), 2000)


if __name__ == "__main__":
    unittest.main()
