# SPDX-License-Identifier: MIT
"""node/drivers/ezo_ph.py and ezo.py with simulator/chips/ezo_ph.py: the datasheet's examples."""

import unittest

from driver_fixture import failure
from ezo_fixture import Answering, EzoBench, EzoFaults, fuzz_driver

from node.drivers.ezo_ph import EzoPH
from node.errors import CHIP_ID, FRAME, RANGE
from simulator.chips.ezo_ph import EzoPH as Chip


def fuzz(count: int, seed: int) -> int:
    return fuzz_driver(EzoPH, (b"?i,pH,1.98", b"9.560"), count, seed)


class PH:
    DRIVER, CHIP = EzoPH, Chip
    LEVEL, NEAR = 7600, 0
    SAYS = (b"\x01?i,pH,1.98", b"\x019.560")


class TestDatasheet(PH, EzoBench, unittest.TestCase):
    def test_taking_a_reading(self):
        """EZO-pH datasheet 5.8, p. 51 (R: 1, "9.560", 0 after 900 ms) and p. 59 (device)."""
        bus = Answering(self.SAYS)
        driver = EzoPH(bus)
        self.assertTrue(driver.start() >= 300)
        self.assertTrue(driver.read() >= 900)
        self.assertEqual(driver.read(), (9560,))
        self.assertEqual(bus.told, [b"i", b"R"])

    def test_the_chip_says_the_same(self):
        self.feel(9560)
        self.bus.writeto(0x63, b"R")
        self.now += 900
        self.assertEqual(self.bus.readfrom(0x63, 8), b"\x019.560\0\0")

    def test_the_whole_range(self):
        driver = self.made()
        for level in range(1, 14_000, 97):
            self.feel(level)
            self.reads(driver, level)

    def test_either_end_is_no_probe(self):
        for text in (b"0.000", b"14.000", b"-1.000"):
            driver = EzoPH(Answering((self.SAYS[0], b"\x01" + text)))
            driver.start()
            driver.read()
            self.assertEqual(failure(driver.read), RANGE)

    def test_who_it_may_be(self):
        for text, reason in (
            (b"?I,pH,1.1", None), (b"?i,pH,2.16", None), (b"?i,ORP,1.97", CHIP_ID),
            (b"?i,pH", FRAME), (b"?STATUS,P,3.3", FRAME), (b"9.560", FRAME), (b"", FRAME),
        ):  # fmt: skip
            driver = EzoPH(Answering((b"\x01" + text,)))
            driver.start()
            self.assertEqual(failure(driver.read), reason)

    def test_more_numbers_than_it_has(self):
        driver = EzoPH(Answering((self.SAYS[0], b"\x017.00,12.0")))
        driver.start()
        driver.read()
        self.assertEqual(failure(driver.read), FRAME)


class TestFaults(PH, EzoFaults, unittest.TestCase):
    def test_out_of_range(self):
        self.found("range", RANGE)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 3), 2000)


if __name__ == "__main__":
    unittest.main()
