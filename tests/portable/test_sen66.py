# SPDX-License-Identifier: MIT
"""node/drivers/sen66.py and sensirion_pm.py, with simulator/chips/sen66.py."""

import unittest

import particle_fixture
from driver_fixture import failure
from particle_fixture import Particles, Spy

from node.drivers.sen66 import SEN66
from node.drivers.sensirion import crc8, send
from node.errors import CHECKSUM, CHIP_ID, RANGE
from simulator.chips.sen66 import SEN66 as Chip
from simulator.chips.sensirion import with_crc

STEP = {
    "pm1_0_ngm3": 50, "pm2_5_ngm3": 50, "pm4_0_ngm3": 50, "pm10_ngm3": 50, "humidity_mpct": 10,
    "temperature_mc": 5, "voc_index_tenths": 0, "nox_index_tenths": 0, "co2_ppm": 0,
}  # fmt: skip


def fuzz(count, seed):
    return particle_fixture.fuzz(SEN66, count, seed)


class TestDatasheet(unittest.TestCase):
    def test_checksum(self):
        """SEN6x datasheet 0.9, Checksum Calculation: 0xBEEF gives 0x92."""
        self.assertEqual(crc8(b"\xbe\xef", 0, 2), 0x92)
        spy = Spy(answers={})
        send(spy, 0x6B, 0x0021, 0xBEEF)
        self.assertEqual(spy.written, [b"\x00\x21\xbe\xef\x92"])

    def test_scales(self):
        """SEN6x datasheet 0.9, Read Measured Values SEN66: /10, /100, /200, /10, /10, ppm."""
        self.assertEqual(
            self.reading((12, 34, 56, 78, 4567, 0xFFFF, 1000, 10, 415)),
            (1_200, 3_400, 5_600, 7_800, 45_670, -5, 1000, 10, 415),
        )
        # Not the code of another kind: 0x7FFF is a concentration, 0xFFFF is −0.1.
        self.assertEqual(
            self.reading((0, 0x7FFF, 0, 0, 0, 5000, 0xFFFF, 0xFFFE, 0x7FFF)),
            (0, 3_276_700, 0, 0, 0, 25_000, -1, -2, 32_767),
        )

    def reading(self, words):
        answers = {
            0xD014: with_crc((0x5345, 0x4E36, 0x3600)),
            0x0202: with_crc((1,)),
            0xD206: with_crc((0x0020, 0x0000)),  # a warning: the fan's speed
            0x0300: with_crc(words),
        }
        spy = Spy(answers=answers)
        driver = SEN66(spy)
        driver.start()
        values = 0
        while isinstance(values, int):
            values = driver.read()
        self.assertEqual(spy.commands(), [0x0104, 0xD014, 0x0021, 0x0202, 0xD206, 0x0300])
        return values


class TestSEN66(Particles, unittest.TestCase):
    Driver, Chip, STEP = SEN66, Chip, STEP

    def test_waits(self):
        driver = self.Driver(self.bus)
        self.take(driver)
        self.assertEqual(self.waits, [1400, 20, 1200, 20, 20, 20])
        self.now += 2000
        self.take(driver)
        self.assertEqual(self.waits, [20, 20, 20])

    def test_warms_up(self):
        """NOx is told 11 s after power-up, CO2 after 6 s."""
        self.chip.power_on(self.now)
        self.now += 1000
        driver = self.Driver(self.bus)
        values = self.take(driver)
        self.assertEqual(values[7:], (None, None))
        self.near(values[:7] + (13, 430), self.wanted())
        self.now += 5000
        self.assertEqual(self.take(driver)[7:], (None, 430))
        self.now += 10_000
        self.assertEqual(self.take(driver)[7:], (13, 430))

    def test_a_gas_sensor_that_never_tells(self):
        driver = self.Driver(self.bus)
        values = []
        for _ in range(3):
            self.chip.power_on(self.now - 1000)  # again and again
            self.bus.writeto(0x6B, b"\x00\x21")
            self.now += 2000
            if len(values) < 2:
                values.append(self.take(driver)[7])
        self.assertEqual(values, [None, None])
        self.assertEqual(failure(self.take, driver), RANGE)

    def test_is_cleaned_while_idle(self):
        driver = self.running(clean_each_samples=1)
        spy = Spy(self.bus)
        driver._i2c = spy
        self.Driver.until_clean = 0
        self.take(driver)
        self.assertEqual(
            spy.commands(),
            [0x0202, 0xD206, 0x0104, 0x5607, 0x0021, 0x0202, 0xD206, 0x0300],
        )
        self.assertEqual(self.waits, [20, 20, 1400, 10_500, 30_000, 20, 20, 20])

    def test_nameless(self):
        self.chip.has_name = False
        self.near(self.sample(SEN66(self.bus)), self.wanted())

    def test_another_model(self):
        self.chip.fault = "chip id"
        self.assertEqual(failure(self.sample, SEN66(self.bus)), CHIP_ID)
        self.chip.has_name = False  # then its answers tell
        self.assertEqual(failure(self.sample, SEN66(self.bus)), CHECKSUM)
        self.chip.fault = None
        self.recovers()

    def test_unknown(self):
        driver = self.running()
        self.chip.fault = "range"
        self.assertEqual(failure(self.sample, driver), RANGE)
        self.chip.fault = None
        self.recovers()

    def test_chip_before_it_has_measured(self):
        self.bus.writeto(0x6B, b"\x03\x00")
        self.now += 20
        unknown = with_crc((0xFFFF,) * 4 + (0x7FFF,) * 4 + (0xFFFF,))
        self.assertEqual(self.bus.readfrom(0x6B, 27), unknown)

    def test_chip_ready(self):
        def ready():
            self.bus.writeto(0x6B, b"\x02\x02")
            self.now += 20
            return self.bus.readfrom(0x6B, 3)[1]

        self.bus.writeto(0x6B, b"\x00\x21")
        self.now += 1080
        self.assertEqual(ready(), 0)
        self.assertEqual(ready(), 1)
        self.bus.writeto(0x6B, b"\x03\x00")
        self.now += 20
        self.assertEqual(self.bus.readfrom(0x6B, 27)[24:26], b"\x01\xae")
        self.assertEqual(ready(), 0)


if __name__ == "__main__":
    unittest.main()
