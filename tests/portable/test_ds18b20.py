# SPDX-License-Identifier: MIT
"""node/drivers/ds18b20.py with simulator/chips/ds18b20.py, over buses/onewire.py and
hal/onewire.py: the datasheet's examples, and lines that real chips gave."""

import unittest

from bench_fixture import fresh_bench
from driver_fixture import Random, failure

from node.device.hardware_more import make
from node.drivers.ds18b20 import DS18B20, crc8
from node.errors import CHECKSUM, CHIP_ID, FRAME, RANGE, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.onewire import OneWireBus
from simulator.buses.signals import Signals
from simulator.chips.ds18b20 import DS18B20 as Chip
from simulator.chips.ds18b20_more import rom

ENODEV = 19
PIN = 4
MINUTE_MS = 60_000


class Answering:
    """A bus that answers with a scratchpad, and notes what it is told."""

    def __init__(self, answer=b"", present=True):
        self.answer = answer
        self.present = present
        self.told = []

    def reset(self, required=False):
        self.told.append("reset")
        return self.present

    def writebyte(self, value):
        self.told.append(value)

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.answer[i]


def scratchpad(temperature: int, bits=12, byte_6=0x10, high=0x5A, low=0xA5) -> bytes:
    """As a chip sends it that our driver has set."""
    data = bytes((temperature & 0xFF, temperature >> 8, high, low, (bits - 9) << 5 | 0x1F,
                  0xFF, byte_6, 0x10))  # fmt: skip
    return data + bytes((crc8(data),))


def fuzz(count: int, seed: int) -> int:
    """Scratchpads of all kinds: a temperature or a fault, nothing else."""
    random, bus = Random(seed), Answering()
    driver = DS18B20(bus)
    for number in range(count):
        kind = random.below(4)
        answer = bytearray([random.below(256) for _ in range(9)])
        if kind:
            answer = bytearray(scratchpad(random.below(0x10000), 12, random.below(256)))
        if kind == 2:
            answer[random.below(9)] ^= 1 << random.below(8)
        if kind == 3:
            cut = random.below(9)
            answer = answer[:cut] + bytearray([0xFF if number % 2 else 0] * (9 - cut))
        bus.answer = bytes(answer)
        try:
            (value,) = driver.read()
        except SensorFault:
            continue
        if not -55_000 <= value <= 125_000 or crc8(answer):
            raise ValueError("not a reading: %r" % bus.answer)
    return count


class Bench(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.signals = Signals()
        self.chip = self.bench.wired["onewire", PIN] = Chip(self.signals)
        self.bus = make({"kind": "onewire", "pin": PIN}, DS18B20)
        self.feel(12_500)

    def feel(self, temperature_mc):
        now_ms = self.bench.now_ms
        self.signals.extend(
            now_ms + 600_000, {"water_temperature_mc": [[now_ms, temperature_mc]]}, {}
        )

    def sample(self, driver):
        """One sampling, and the time until the next one."""
        begun = self.bench.now_ms
        self.bench.now_ms += driver.start()
        try:
            return driver.read()
        finally:
            self.bench.now_ms = begun + MINUTE_MS

    def reads(self, driver, temperature_mc, step=63):
        (value,) = self.sample(driver)
        self.assertTrue(abs(value - temperature_mc) <= step)


class TestDatasheet(Bench):
    def test_checksum(self):
        """Maxim application note 27, example: the ROM code A2 00 00 00 01 B8 1C 02."""
        self.assertEqual(crc8(b"\x02\x1c\xb8\x01\x00\x00\x00"), 0xA2)
        self.assertEqual(crc8(b"\x02\x1c\xb8\x01\x00\x00\x00\xa2"), 0)
        self.assertEqual(self.bus.crc8(b"\x02\x1c\xb8\x01\x00\x00\x00"), 0xA2)

    def test_lines_of_the_linux_driver(self):
        """Documentation/w1/slaves/w1_therm and reports of its users: scratchpads of real chips."""
        for line in (
            b"\x72\x01\x4b\x46\x7f\xff\x0e\x10\x57",
            b"\x50\x05\x4b\x46\x7f\xff\x0c\x10\x1c",
        ):
            self.assertEqual(crc8(line), 0)
            self.assertEqual(failure(DS18B20(Answering(line)).read), SILENT)  # nobody set it

    def test_temperatures(self):
        """Datasheet, table 1."""
        for wanted, word in (
            (125_000, 0x07D0), (85_000, 0x0550), (25_062, 0x0191), (10_125, 0x00A2), (500, 0x0008),
            (0, 0x0000), (-500, 0xFFF8), (-10_125, 0xFF5E), (-25_063, 0xFE6F), (-55_000, 0xFC90),
        ):  # fmt: skip
            self.assertEqual(DS18B20(Answering(scratchpad(word))).read(), (wanted,))

    def test_the_chip_as_it_leaves_the_factory(self):
        """Figure 9; the CRC as chips send it."""
        self.assertEqual(self.chip.scratchpad(), b"\x50\x05\x4b\x46\x7f\xff\x0c\x10\x1c")

    def test_the_chip_says_table_1(self):
        for word, level in ((0x07D0, 125_000), (0x0191, 25_062), (0x00A2, 10_125), (0xFFF8, -500),
                            (0xFF5E, -10_125), (0xFC90, -55_000)):  # fmt: skip
            self.feel(level)
            self.bus.reset()
            self.bus.write(b"\xcc\x44")
            self.bench.now_ms += 750
            self.bus.reset()
            self.bus.write(b"\xcc\xbe")
            data = bytearray(9)
            self.bus.readinto(data)
            self.assertEqual(data[1] << 8 | data[0], word)
            self.assertEqual(crc8(data), 0)

    def test_every_wrong_bit_is_found(self):
        good = scratchpad(0x0191)
        for bit in range(72):
            broken = bytearray(good)
            broken[bit // 8] ^= 1 << bit % 8
            self.assertEqual(failure(DS18B20(Answering(broken)).read), CHECKSUM)


class TestRoundTrip(Bench):
    def test_the_whole_range(self):
        driver = DS18B20(self.bus)
        for wanted in range(-55_000, 125_001, 977):
            self.feel(wanted)
            self.reads(driver, wanted, 32)

    def test_resolutions(self):
        for bits, most_ms, step in ((9, 96, 500), (10, 190, 250), (11, 377, 125), (12, 752, 63)):
            driver = DS18B20(self.bus, bits=bits)
            self.assertTrue(driver.start() <= most_ms)
            for wanted in (-20_000, -3_210, 0, 7_777, 21_300, 84_900):
                self.feel(wanted)
                self.reads(driver, wanted, step)
        for bits in (8, 13):
            with self.assertRaises(ValueError):
                DS18B20(self.bus, bits=bits)

    def test_bits_that_a_resolution_leaves_open_are_no_reading(self):
        """Datasheet p. 4: they are undefined."""
        for word in (0x0190, 0x0191, 0x0197):
            self.assertEqual(DS18B20(Answering(scratchpad(word, 9)), bits=9).read(), (25_000,))
        self.assertEqual(DS18B20(Answering(scratchpad(0xFF5E, 9)), bits=9).read(), (-10_500,))

    def test_never_asks_who_it_is(self):
        bus = Answering(scratchpad(0x0191))
        driver = DS18B20(bus)
        for _ in range(3):
            driver.start()
            driver.read()
        roms = [bus.told[i + 1] for i in range(len(bus.told)) if bus.told[i] == "reset"]
        self.assertEqual(roms, [0xCC] * 9)
        self.assertFalse(0x48 in bus.told)  # and its EEPROM is not worn


class TestPowerUp(Bench):
    def test_85_degrees(self):
        """The value of its power-up is told from real 85 °C by byte 6."""
        self.assertEqual(failure(DS18B20(Answering(scratchpad(0x0550, 12, 0x0C))).read), RANGE)
        self.assertEqual(DS18B20(Answering(scratchpad(0x0550, 12, 0x10))).read(), (85_000,))
        self.feel(85_000)
        self.reads(DS18B20(self.bus), 85_000, 0)

    def test_a_conversion_that_does_not_take_place(self):
        driver = DS18B20(self.bus)
        self.reads(driver, 12_500)
        self.chip.fault = "range"
        self.assertEqual(failure(self.sample, driver), RANGE)
        self.chip.fault = None
        self.reads(DS18B20(self.bus), 12_500)

    def test_read_too_early_gives_no_85_degrees(self):
        driver = DS18B20(self.bus)
        driver.start()
        self.bench.now_ms += 500
        self.assertEqual(failure(driver.read), RANGE)

    def test_127_94_degrees_of_too_little_power(self):
        self.assertEqual(failure(DS18B20(Answering(scratchpad(0x07FF))).read), RANGE)
        self.assertEqual(failure(DS18B20(Answering(scratchpad(0x8000))).read), RANGE)

    def test_power_gone_within_a_conversion(self):
        for bits in (9, 12):
            driver = DS18B20(self.bus, bits=bits)
            self.reads(driver, 12_500, 500)
            driver.start()
            self.chip.plugged = False
            self.chip.plugged = True
            self.bench.now_ms += 800
            self.assertEqual(failure(driver.read), SILENT)
            self.reads(DS18B20(self.bus, bits=bits), 12_500, 500)

    def test_what_was_set_is_not_there_any_more(self):
        for options in ({"high": 0x4B}, {"low": 0x46}, {"bits": 11}):
            answer = scratchpad(0x0191, **options)
            self.assertEqual(failure(DS18B20(Answering(answer)).read), SILENT)

    def test_power_gone_between_samples_is_no_fault(self):
        driver = DS18B20(self.bus)
        self.reads(driver, 12_500)
        self.chip.plugged = False
        self.chip.plugged = True
        self.reads(driver, 12_500)


class TestFaults(Bench):
    def found(self, fault, reason):
        driver = DS18B20(self.bus)
        self.reads(driver, 12_500)
        self.chip.fault = fault
        self.assertEqual(failure(self.sample, driver), reason)
        self.assertEqual(failure(self.sample, DS18B20(self.bus)), reason)
        self.chip.fault = None
        self.reads(DS18B20(self.bus), 12_500)

    def test_checksum(self):
        self.found("checksum", CHECKSUM)

    def test_short(self):
        self.found("short", CHECKSUM)

    def test_chip_id(self):
        self.found("chip id", CHIP_ID)

    def test_line_held_low(self):
        driver = DS18B20(self.bus)
        self.chip.wire = "stuck"
        self.assertEqual(failure(self.sample, driver), FRAME)
        self.chip.wire = None
        self.reads(DS18B20(self.bus), 12_500)

    def test_brown_out_within_a_frame(self):
        driver = DS18B20(self.bus)
        self.chip.wire = "brown-out"
        self.assertEqual(failure(self.sample, driver), CHECKSUM)
        self.chip.wire = None
        self.reads(DS18B20(self.bus), 12_500)

    def test_unplugged_and_put_back(self):
        driver = DS18B20(self.bus)
        self.reads(driver, 12_500)
        self.chip.plugged = False
        for step in (driver.start, driver.read, DS18B20(self.bus).start):
            self.assertEqual(failure(step), ENODEV)
        self.chip.plugged = True
        self.reads(DS18B20(self.bus), 12_500)

    def test_nothing_is_wired(self):
        bus = make({"kind": "onewire", "pin": 5}, DS18B20)
        self.assertEqual(failure(DS18B20(bus).start), ENODEV)
        self.assertEqual(bus.readbyte(), 0xFF)
        try:
            bus.reset(True)
            self.fail("somebody is there")
        except Exception as err:
            self.assertEqual(type(err).__name__, "OneWireError")
        self.assertEqual(bus.scan(), [])

    def test_gap(self):
        driver = DS18B20(self.bus)
        self.reads(driver, 12_500)
        self.feel(None)
        self.assertEqual(failure(driver.start), ENODEV)
        self.feel(4_000)
        self.reads(DS18B20(self.bus), 4_000)

    def test_two_on_one_line(self):
        other_signals = Signals()
        other_signals.extend(600_000, {"water_temperature_mc": [[0, 3_000]]}, {})
        self.bus._chips.append(Chip(other_signals, serial=1))
        self.assertEqual(failure(self.sample, DS18B20(self.bus)), CHECKSUM)

    def test_what_the_chip_gives_is_in_the_range(self):
        self.feel(85_000)
        self.assertTrue(in_range("water_temperature_mc", self.sample(DS18B20(self.bus))[0]))

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 7), 2000)


class TestChip(Bench):
    """What our driver does not use, a library does."""

    def test_search(self):
        chips = self.bus._chips
        for serial in (1, 0x80, 0x81, 0x33):
            chips.append(Chip(self.signals, serial=serial))
        found = [bytes(code) for code in self.bus.scan()]
        self.assertEqual(sorted(found), sorted([rom(chip) for chip in chips]))
        for code in found:
            self.assertEqual((code[0], crc8(code)), (0x28, 0))

    def test_read_and_match_rom(self):
        self.bus.reset()
        self.bus.writebyte(0x33)
        code = bytearray(8)
        self.bus.readinto(code)
        self.assertEqual(bytes(code), rom(self.chip))
        for wrong in (0, 1):
            code[3] ^= wrong
            self.bus.select_rom(code)
            self.bus.writebyte(0xBE)
            self.assertEqual(self.bus.readbyte(), 0xFF if wrong else 0x50)

    def test_busy_while_it_converts(self):
        self.bus.reset()
        self.bus.write(b"\xcc\x44")
        self.bench.now_ms += 749
        self.assertEqual(self.bus.readbit(), 0)
        self.bench.now_ms += 1
        self.assertEqual(self.bus.readbit(), 1)

    def test_registers_and_eeprom(self):
        def read():
            self.bus.reset()
            self.bus.write(b"\xcc\xbe")
            data = bytearray(9)
            self.bus.readinto(data)
            return bytes(data[2:5])

        self.bus.reset()
        self.bus.write(b"\xcc\x4e\x01\x02\xff")
        self.assertEqual(read(), b"\x01\x02\x7f")  # figure 10: only two bits can be written
        self.bus.reset()
        self.bus.write(b"\xcc\xb8")
        self.assertEqual(read(), b"\x4b\x46\x7f")
        self.bus.reset()
        self.bus.write(b"\xcc\x4e\x01\x02\x00")
        self.bus.reset()
        self.bus.write(b"\xcc\x48")
        self.chip.power_on(0)
        self.assertEqual(read(), b"\x01\x02\x1f")

    def test_power_supply(self):
        self.bus.reset()
        self.bus.write(b"\xcc\xb4")
        self.assertEqual(self.bus.readbit(), 1)

    def test_says_nothing_to_what_it_does_not_know(self):
        for command in (b"\xcc\x00", b"\x00\xbe"):
            self.bus.reset()
            self.bus.write(command)
            self.assertEqual(self.bus.readbyte(), 0xFF)

    def test_bus_without_pin(self):
        bus = OneWireBus(lambda: 0, [self.chip])
        self.assertTrue(bus.reset())
        bus.writebyte(0x33)
        self.assertEqual(bytes([bus.readbyte() for _ in range(8)]), rom(self.chip))


if __name__ == "__main__":
    unittest.main()
