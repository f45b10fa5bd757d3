# SPDX-License-Identifier: MIT
"""node/drivers/sps30.py and sensirion_pm.py, with simulator/chips/sps30.py."""

import unittest

import particle_fixture
from driver_fixture import failure
from particle_fixture import ENODEV, LEVELS, Particles, Spy

from node.drivers.sps30 import SPS30
from node.errors import FRAME, SILENT
from simulator.chips.sen55 import SEN55 as Other
from simulator.chips.sensirion import with_crc
from simulator.chips.sps30 import SPS30 as Chip
from simulator.chips.sps30 import float32

# Of a real one, over its UART: tests/captured_data/SPS30.hexdump and .csv of PyPMS (its escapes
# taken out), PM1, PM2.5, PM4, PM10 in tenths of a µg/m³.
CAPTURED = (
    ("40a78320411777bb414a5f8341548ddd", (52, 95, 126, 133)),
    ("40b9c67f41036c8b411e4ae24123aa92", (58, 82, 99, 102)),
    ("40df03da411162ae41279e32412c107e", (70, 91, 105, 108)),
    ("40fa9fee411e6a1341336081413791cd", (78, 99, 112, 115)),
    ("41051c4c41278b14413d385941418e35", (83, 105, 118, 121)),
    ("410c4387412b1eda413d921e414142bc", (88, 107, 118, 121)),
)


def fuzz(count, seed):
    return particle_fixture.fuzz(SPS30, count, seed)


class TestDatasheet(unittest.TestCase):
    def reading(self, words, version=0x0203):
        answers = {
            0xD100: with_crc((version,)),
            0x0202: with_crc((1,)),
            0xD206: with_crc((0x0020, 0x0000)),  # a warning: the fan's speed
            0x0300: with_crc(words),
        }
        spy = Spy(answers=answers)
        driver = SPS30(spy)
        driver.start()
        values = 0
        while isinstance(values, int):
            values = driver.read()
        self.spy = spy
        return values

    def test_start(self):
        """SPS30 datasheet 1.0, Start Measurement: 0x03 for floats, a dummy byte, checksum 0xAC."""
        self.reading((0,) * 8)
        self.assertTrue(b"\x00\x10\x03\x00\xac" in self.spy.written)
        self.assertEqual(self.spy.commands(), [0x0104, 0xD100, 0x0010, 0x0202, 0xD206, 0x0300])

    def test_without_a_status_register(self):
        """Section 4.4: from firmware 2.2 on."""
        self.reading((0,) * 8, 0x0201)
        self.assertEqual(self.spy.commands(), [0x0104, 0xD100, 0x0010, 0x0202, 0x0300])

    def test_captured(self):
        for text, tenths in CAPTURED:
            words = [int(text[i : i + 4], 16) for i in range(0, 32, 4)]
            for value, wanted in zip(self.reading(words), tenths):
                self.assertTrue(abs(value - wanted * 100) <= 50)
        self.assertEqual(self.reading(words), (8_766, 10_695, 11_848, 12_079))


class TestSPS30(Particles, unittest.TestCase):
    Driver, Chip = SPS30, Chip
    STEP = {"pm1_0_ngm3": 0, "pm2_5_ngm3": 0, "pm4_0_ngm3": 0, "pm10_ngm3": 0}

    def test_waits(self):
        driver = SPS30(self.bus)
        self.take(driver)
        self.assertEqual(self.waits, [30, 5, 1200, 5, 5, 5])
        self.now += 2000
        self.take(driver)
        self.assertEqual(self.waits, [5, 5, 5])

    def test_idles(self):
        driver = SPS30(self.bus, measure_s=10)
        for _ in range(3):
            self.near(self.sample(driver), self.wanted())
            self.assertEqual(self.chip._started_ms, None)
        self.assertEqual(self.waits, [10_000, 5, 5, 5])
        self.feel(**{name: 2 * LEVELS[name] for name in LEVELS})
        self.assertEqual(self.sample(driver)[0], 2 * LEVELS["pm1_0_ngm3"])
        self.chip.fault = "frozen"
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.chip.fault = None
        self.feel(**LEVELS)
        self.near(self.sample(SPS30(self.bus, measure_s=10)), self.wanted())

    def test_idles_and_is_cleaned(self):
        driver = SPS30(self.bus, clean_each_samples=2, measure_s=10)
        for cleanings in (1, 1, 2, 2, 3):
            self.near(self.sample(driver), self.wanted())
            self.assertEqual(self.chip.cleanings, cleanings)
        self.assertEqual(self.chip._started_ms, None)

    def test_another_part_at_its_address(self):
        other = Other(self.signals)
        self.bus.attach(0x69, other)
        self.feel(voc_index_tenths=100, nox_index_tenths=10)
        self.assertEqual(failure(self.sample, SPS30(self.bus)), ENODEV)

    def test_not_a_number(self):
        driver = self.running()
        self.chip.fault = "range"
        self.assertEqual(failure(self.sample, driver), FRAME)
        self.chip.fault = None
        self.recovers()

    def test_chip_floats(self):
        for value, scale, bits in (
            (1, 1, 0x3F800000), (10, 1, 0x41200000), (1, 2, 0x3F000000), (0, 1, 0),
            (16_777_216, 1, 0x4B800000), (33_554_434, 1, 0x4C000000), (3, 8, 0x3EC00000),
        ):  # fmt: skip
            self.assertEqual(float32(value, scale), bits)

    def test_chip_refuses_what_its_state_forbids(self):
        self.assertEqual(failure(self.bus.writeto, 0x69, b"\x01\x04"), ENODEV)
        self.bus.writeto(0x69, b"\x00\x10\x03\x00\xac")
        self.now += 100
        self.assertEqual(failure(self.bus.writeto, 0x69, b"\x00\x10\x03\x00\xac"), ENODEV)
        self.bus.writeto(0x69, b"\x01\x04")
        self.now += 20
        for data in (b"\x00\x10", b"\x00\x10\x03\x00\xad", b"\x00\x10\x04\x00\xc5"):
            self.assertEqual(failure(self.bus.writeto, 0x69, data), ENODEV)


if __name__ == "__main__":
    unittest.main()
