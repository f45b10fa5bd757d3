# SPDX-License-Identifier: MIT
"""node/drivers/sen55.py and sensirion_pm.py, with simulator/chips/sen55.py."""

import unittest

import particle_fixture
from driver_fixture import failure
from particle_fixture import ENODEV, Particles, Spy

from node.drivers.sen55 import SEN55
from node.errors import CHIP_ID, RANGE
from simulator.chips.sen55 import SEN55 as Chip
from simulator.chips.sensirion import with_crc
from simulator.chips.sps30 import SPS30 as Other


def fuzz(count, seed):
    return particle_fixture.fuzz(SEN55, count, seed)


class TestDatasheet(unittest.TestCase):
    def test_scales(self):
        """SEN5x datasheet 2, Read Measured Values: /10 µg/m³, /100 %, /200 °C, /10, /10."""
        self.assertEqual(
            self.reading((12, 34, 56, 78, 4567, 0xFFFF, 1000, 10)),
            (1_200, 3_400, 5_600, 7_800, 45_670, -5, 1000, 10),
        )
        self.assertEqual(
            self.reading((0, 0x7FFF, 0, 0, 0, 5000, 0xFFFF, 0x7FFF)),
            (0, 3_276_700, 0, 0, 0, 25_000, -1, None),
        )

    def reading(self, words):
        answers = {
            0xD014: with_crc((0x5345, 0x4E35, 0x3500)),
            0x0202: with_crc((1,)),
            0xD206: with_crc((0x0028, 0x0000)),  # the fan: its speed, and that it is cleaned
            0x03C4: with_crc(words),
        }
        spy = Spy(answers=answers)
        driver = SEN55(spy)
        driver.start()
        values = 0
        while isinstance(values, int):
            values = driver.read()
        self.assertEqual(spy.commands(), [0x0104, 0xD014, 0x0021, 0x0202, 0xD206, 0x03C4])
        return values


class TestSEN55(Particles, unittest.TestCase):
    Driver, Chip = SEN55, Chip
    STEP = {
        "pm1_0_ngm3": 50, "pm2_5_ngm3": 50, "pm4_0_ngm3": 50, "pm10_ngm3": 50,
        "humidity_mpct": 10, "temperature_mc": 5, "voc_index_tenths": 0, "nox_index_tenths": 0,
    }  # fmt: skip

    def test_waits(self):
        driver = SEN55(self.bus)
        self.take(driver)
        self.assertEqual(self.waits, [200, 20, 1200, 20, 20, 20])
        self.now += 2000
        self.take(driver)
        self.assertEqual(self.waits, [20, 20, 20])

    def test_warms_up(self):
        """NOx is told 11 s after power-up."""
        self.chip.power_on(self.now)
        self.now += 1000
        driver = SEN55(self.bus)
        self.assertEqual(self.take(driver)[6:], (1012, None))
        self.now += 10_000
        self.assertEqual(self.take(driver)[6:], (1012, 13))

    def test_is_cleaned_while_it_measures(self):
        driver = self.running(clean_each_samples=1)
        driver._i2c = spy = Spy(self.bus)
        SEN55.until_clean = 0
        self.near(self.take(driver), self.wanted())
        self.assertEqual(spy.commands(), [0x0202, 0xD206, 0x5607, 0x0202, 0xD206, 0x03C4])
        self.assertEqual(self.waits, [20, 20, 16_000, 20, 20, 20])

    def test_its_own_cleaning(self):
        """Once a week it cleans itself: one sample may be missed, and is no fault."""
        driver = self.running()
        self.bus.writeto(0x69, b"\x56\x07")
        self.now += 9_000
        self.bus.writeto(0x69, b"\x03\xc4")  # what it had before
        self.now += 20
        self.assertEqual(self.sample(driver), None)
        self.near(self.sample(driver), self.wanted())

    def test_another_model(self):
        self.chip.fault = "chip id"
        self.assertEqual(failure(self.sample, SEN55(self.bus)), CHIP_ID)
        self.chip.fault = None
        self.recovers()

    def test_another_part_at_its_address(self):
        other = Other(self.signals)
        self.bus.attach(0x69, other)
        self.assertEqual(failure(self.sample, SEN55(self.bus)), ENODEV)

    def test_unknown(self):
        driver = self.running()
        self.chip.fault = "range"
        self.assertEqual(failure(self.sample, driver), RANGE)
        self.chip.fault = None
        self.recovers()


if __name__ == "__main__":
    unittest.main()
