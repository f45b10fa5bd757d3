# SPDX-License-Identifier: MIT
"""node/drivers/ezo_ec.py and ezo.py with simulator/chips/ezo_ec.py: the datasheet's examples."""

import unittest

from driver_fixture import failure
from ezo_fixture import Answering, EzoBench, EzoFaults, fuzz_driver

from node.drivers.ezo_ec import EzoEC
from node.errors import MISFIT, RANGE
from simulator.chips.ezo_ec import EzoEC as Chip

ALL = (b"O,TDS,1", b"O,S,1", b"O,SG,1")


def fuzz(count: int, seed: int) -> int:
    good = (b"?i,EC,2.10", b"?O,EC,TDS,S,SG", b"1413,763,0.91,1.000")
    return fuzz_driver(EzoEC, good, count, seed)


class EC:
    DRIVER, CHIP = EzoEC, Chip
    LEVEL, NEAR = 420_000, 100
    SAYS = (b"\x01?i,EC,2.10", b"\x01?,O,EC,TDS,S,SG", b"\x011413,763,0.91,1.000")


class TestDatasheet(EC, EzoBench, unittest.TestCase):
    def test_taking_a_reading(self):
        """EZO-EC datasheet 6.2: taking reading (R: 600 ms), enable/disable parameters (O,?)."""
        bus = Answering(self.SAYS)
        driver = EzoEC(bus)
        self.assertTrue(driver.start() >= 300)
        self.assertTrue(driver.read() >= 300)
        self.assertTrue(driver.read() >= 600)
        self.assertEqual(driver.read(), (1_413_000,))
        self.assertEqual(bus.told, [b"i", b"O,?", b"R"])

    def test_the_chip_writes_four_figures(self):
        """Datasheet 6.2, p. 6: resolution."""
        for level, text in (
            (70, b"0.07"), (12_345, b"12.34"), (99_999, b"99.99"), (100_160, b"100.1"),
            (999_999, b"999.9"), (1_413_500, b"1413"), (9_999_999, b"9999"),
            (12_345_000, b"12340"), (123_456_000, b"123400"), (500_000_000, b"500000"),
        ):  # fmt: skip
            self.feel(level)
            self.bus.writeto(0x64, b"R")
            self.now += 600
            self.assertEqual(self.bus.readfrom(0x64, 10), (b"\x01" + text + bytes(10))[:10])

    def test_the_whole_range(self):
        driver, level = self.made(), 70
        while level <= 500_000_000:
            self.feel(level)
            (value,) = self.sample(driver)
            self.assertTrue(0 <= level - value <= level // 100 + 9)
            level += level // 3 + 1

    def test_all_that_it_works_out(self):
        for switch in ALL:
            self.bus.writeto(0x64, switch)
            self.now += 300
            self.bus.readfrom(0x64, 2)
        self.bus.writeto(0x64, b"O,?")
        self.now += 300
        self.assertEqual(self.bus.readfrom(0x64, 16), b"\x01?O,EC,TDS,S,SG\0")
        for level in (420_000, 500_000_000):
            self.feel(level)
            self.reads(self.made(), level)

    def test_ec_is_switched_off(self):
        for switch in (b"O,EC,0",) + ALL:
            self.bus.writeto(0x64, switch)
            self.now += 300
            self.bus.readfrom(0x64, 2)
            self.assertEqual(failure(self.sample, self.made()), MISFIT)


class TestFaults(EC, EzoFaults, unittest.TestCase):
    def test_a_dry_probe(self):
        self.found("range", RANGE)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 5), 2000)


if __name__ == "__main__":
    unittest.main()
