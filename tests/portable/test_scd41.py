# SPDX-License-Identifier: MIT
"""node/drivers/scd41.py and sensirion.py with simulator/chips/scd41.py: Sensirion's examples."""

import unittest

from driver_fixture import Random, failure, mutated

from node.drivers.scd41 import SCD41
from node.drivers.sensirion import crc8, words
from node.errors import CHECKSUM, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.scd41 import SCD41 as Chip
from simulator.chips.sensirion import with_crc

ENODEV = 19
HALF_MINUTE = 30_000


class Spy:
    """An I2C bus that notes the commands, and may answer itself."""

    def __init__(self, bus=None, answer=None):
        self._bus = bus
        self._answer = answer
        self.commands = []

    def writeto(self, address, data):
        self.commands.append(data[0] << 8 | data[1])
        if self._bus:
            self._bus.writeto(address, data)

    def readfrom_into(self, address, into):
        if self._bus:
            self._bus.readfrom_into(address, into)
        else:
            into[:] = self._answer


def fuzz(count, seed):
    """Answers by chance, and good ones that are mutated, cut and doubled; returns how many."""
    random = Random(seed)
    for _ in range(count):
        words3 = [random.below(65_536) for _ in range(3)]
        data = mutated(random, with_crc((500, 26_215, 24_249) if words3[0] & 1 else words3))
        driver = SCD41(Spy(answer=(data + b"\xff" * 9)[:9]))  # a bus left alone reads as ones
        driver.start()
        driver.read()
        driver.start()
        try:
            values = driver.read()
        except SensorFault:
            continue
        if values is None:  # an invalid sample
            continue
        co2, temperature, humidity = values
        if not (0 < co2 < 65_536 and -45_000 <= temperature <= 130_000 and humidity <= 100_000):
            raise AssertionError("not a reading")
    return count


class Bench(unittest.TestCase):
    def setUp(self):
        self.now = 5000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now)
        self.chip = Chip(self.signals)
        self.bus.attach(0x62, self.chip)
        self.feel(500, 25_000, 37_000)

    def feel(self, co2_ppm, temperature_mc, humidity_mpct):
        self.signals.extend(
            self.now + 600_000,
            {
                "co2_ppm": [[self.now, co2_ppm]],
                "temperature_mc": [[self.now, temperature_mc]],
                "humidity_mpct": [[self.now, humidity_mpct]],
            },
            {},
        )

    def sample(self, driver):
        """One sampling, and the time until the next one."""
        begun = self.now
        self.now += driver.start()
        try:
            return driver.read()
        finally:
            self.now = begun + HALF_MINUTE

    def running(self):
        """A driver whose next sample is a reading."""
        driver = SCD41(self.bus)
        self.assertEqual([self.sample(driver), self.sample(driver)], [None, None])
        return driver

    def near(self, values, wanted):
        for value, want, most in zip(values, wanted, (0, 2, 1)):
            self.assertTrue(abs(value - want) <= most)


class TestDatasheet(Bench):
    def test_checksum(self):
        """SCD4x datasheet 1.3: section 3.11, page 19; 3.7.1 and 3.7.2, page 13."""
        self.assertEqual(crc8(b"\xbe\xef", 0, 2), 0x92)
        examples = ((0xBEEF, 0x92), (0x01E0, 0xB4), (0x7FCE, 0x7B), (0x0001, 0xB0))
        for word, checksum in examples:
            wire = bytes((word >> 8, word & 0xFF, checksum))
            self.assertEqual(words(wire), [word])
            self.assertEqual(with_crc((word,)), wire)

    def test_every_wrong_bit_is_found(self):
        wire = with_crc((0x01F4, 0x6667))
        for bit in range(48):
            broken = bytearray(wire)
            broken[bit // 8] ^= 1 << bit % 8
            self.assertEqual(failure(words, broken), CHECKSUM)

    def test_reading(self):
        """SCD4x datasheet 1.3, section 3.5.2, page 9: 500 ppm, 25 °C, 37 %."""
        bus = Spy(answer=b"\x01\xf4\x33\x66\x67\xa2\x5e\xb9\x3c")
        driver = SCD41(bus)
        driver.start()
        driver.read()
        driver.start()
        self.assertEqual(driver.read(), (500, 25_003, 37_002))
        self.assertEqual(bus.commands, [0x3F86, 0x21AC, 0xEC05])

    def test_the_chip_says_the_same(self):
        self.bus.writeto(0x62, b"\x21\xac")
        self.now += HALF_MINUTE
        self.bus.writeto(0x62, b"\xec\x05")
        self.now += 1
        answer = self.bus.readfrom(0x62, 9)
        self.assertEqual(answer[:3], b"\x01\xf4\x33")
        self.assertTrue(abs((answer[3] << 8 | answer[4]) - 0x6667) <= 1)
        self.assertTrue(abs((answer[6] << 8 | answer[7]) - 0x5EB9) <= 1)


class TestFuzz(unittest.TestCase):
    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 1), 2000)


class TestRoundTrip(Bench):
    def test_the_whole_range(self):
        driver = self.running()
        humidity = 0
        for step in range(101):
            wanted = (350 + step * 396, -40_000 + step * 1250, humidity)
            self.feel(*wanted)
            self.sample(driver)  # may still be of before
            self.near(self.sample(driver), wanted)
            humidity = (humidity + 7919) % 100_001

    def test_never_asks_who_it_is(self):
        spy = Spy(self.bus)
        driver = SCD41(spy)
        for _ in range(8):
            self.sample(driver)
        self.assertEqual(set(spy.commands), {0x3F86, 0x21AC, 0xEC05, 0xE4B8})


class TestStates(Bench):
    def test_from_idle(self):
        driver = SCD41(self.bus)
        values = [self.sample(driver) for _ in range(4)]
        self.assertEqual(values[:2], [None, None])
        self.near(values[2], (500, 25_000, 37_000))
        self.near(values[3], (500, 25_000, 37_000))

    def test_one_that_was_left_measuring(self):
        for command in (b"\x21\xac", b"\x21\xb1"):
            self.setUp()
            self.bus.writeto(0x62, command)
            self.now += 70_000
            self.near(self.sample(self.running()), (500, 25_000, 37_000))

    def test_asked_more_often_than_it_measures(self):
        driver = SCD41(self.bus)
        readings = 0
        for _ in range(60):
            begun = self.now
            self.now += driver.start()
            readings += driver.read() is not None
            self.now = begun + 10_000
        self.assertEqual(readings, 19)

    def test_an_invalid_sample_is_skipped(self):
        driver = self.running()
        self.feel(0, 25_000, 37_000)
        self.sample(driver)
        self.assertEqual(self.sample(driver), None)
        self.feel(600, 25_000, 37_000)
        self.sample(driver)
        self.near(self.sample(driver), (600, 25_000, 37_000))

    def test_chip_answers_nothing_while_it_stops(self):
        self.bus.writeto(0x62, b"\x3f\x86")
        self.now += 499
        self.assertEqual(failure(self.bus.writeto, 0x62, b"\xe4\xb8"), ENODEV)
        self.now += 1
        self.bus.writeto(0x62, b"\xe4\xb8")

    def test_chip_refuses_what_its_state_forbids(self):
        self.bus.writeto(0x62, b"\x21\xac")
        for command in (b"\x21\xb1", b"\x21\xac", b"\x36\x82", b"\x36\x46"):
            self.assertEqual(failure(self.bus.writeto, 0x62, command), ENODEV)
        for command in (b"\xe4\xb8", b"\xec\x05", b"\x3f\x86"):
            self.bus.writeto(0x62, command)
        self.now += 500
        for command in (b"\x12\x34", b"\x21", b""):
            self.assertEqual(failure(self.bus.writeto, 0x62, command), ENODEV)

    def test_chip_data_ready(self):
        def ready():
            self.bus.writeto(0x62, b"\xe4\xb8")
            self.now += 1
            (word,) = words(self.bus.readfrom(0x62, 3))
            return word & 0x07FF != 0

        self.assertFalse(ready())
        self.bus.writeto(0x62, b"\x21\xac")
        self.now += HALF_MINUTE - 1
        self.assertFalse(ready())
        self.assertTrue(ready())
        self.bus.writeto(0x62, b"\xec\x05")
        self.assertEqual(failure(self.bus.readfrom, 0x62, 9), ENODEV)  # takes 1 ms
        self.now += 1
        self.bus.readfrom(0x62, 9)
        self.assertEqual(failure(self.bus.readfrom, 0x62, 9), ENODEV)
        self.assertFalse(ready())

    def test_chip_starts_up(self):
        self.chip.power_on(self.now)
        self.now += 999
        self.assertEqual(failure(SCD41, self.bus), ENODEV)
        self.now += 1
        SCD41(self.bus)


class TestFaults(Bench):
    def test_checksum(self):
        driver = self.running()
        self.chip.fault = "checksum"
        self.assertEqual(failure(self.sample, driver), CHECKSUM)
        self.chip.fault = None
        self.near(self.sample(self.running()), (500, 25_000, 37_000))

    def test_out_of_range(self):
        driver = self.running()
        self.chip.fault = "range"
        self.assertFalse(in_range("co2_ppm", self.sample(driver)[0]))
        self.chip.fault = None
        self.near(self.sample(self.running()), (500, 25_000, 37_000))

    def test_unplugged_and_put_back(self):
        driver = self.running()
        self.chip.plugged = False
        for step in (driver.start, driver.read):
            self.assertEqual(failure(step), ENODEV)
        self.assertEqual(failure(SCD41, self.bus), ENODEV)
        self.chip.plugged = True
        self.near(self.sample(self.running()), (500, 25_000, 37_000))

    def test_unplugged_between_start_and_read(self):
        driver = self.running()
        driver.start()
        self.chip.plugged = False
        self.assertEqual(failure(driver.read), ENODEV)

    def test_put_back_unseen(self):
        """Idle again, it never has anything new: after four samples that is a fault."""
        driver = self.running()
        self.near(self.sample(driver), (500, 25_000, 37_000))
        self.chip.plugged = False
        self.chip.plugged = True
        self.assertEqual([self.sample(driver) for _ in range(3)], [None] * 3)
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.near(self.sample(self.running()), (500, 25_000, 37_000))

    def test_made_anew_at_once(self):
        SCD41(self.bus)
        self.assertEqual(failure(SCD41, self.bus), ENODEV)
        self.now += HALF_MINUTE
        self.near(self.sample(self.running()), (500, 25_000, 37_000))

    def test_gap(self):
        for name in ("co2_ppm", "temperature_mc", "humidity_mpct"):
            self.setUp()
            driver = self.running()
            self.signals.extend(self.now + 60_000, {name: [[self.now - 1, None]]}, {})
            self.assertEqual(failure(self.sample, driver), ENODEV)
            self.assertEqual(failure(SCD41, self.bus), ENODEV)
            self.feel(450, -3_000, 90_000)
            self.near(self.sample(self.running()), (450, -3_000, 90_000))


if __name__ == "__main__":
    unittest.main()
