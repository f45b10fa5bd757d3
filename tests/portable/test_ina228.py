# SPDX-License-Identifier: MIT
"""node/drivers/ina228.py with simulator/chips/ina228.py, and the datasheet's own example."""

import unittest

from driver_fixture import failure
from eastron_fixture import Draws
from ina_fixture import MonitorTest, Registers, fuzz_monitor

from node.drivers.ina228 import INA228
from node.errors import CHECKSUM, RANGE
from node.pipeline.quantities import in_range
from simulator.chips.ina228 import INA228 as Chip

WELL = {
    0x01: b"\xbb\x6c", 0x02: b"\x0f\xd2", 0x05: (245_760 << 4).to_bytes(3, "big"),
    0x07: (314_572 << 4).to_bytes(3, "big"), 0x08: (4_718_604).to_bytes(3, "big"),
    0x09: bytes(5), 0x0B: b"\x80\x03", 0x3E: b"\x54\x49", 0x3F: b"\x22\x81",
}  # fmt: skip


class Fuzzed(INA228):
    SET, FLAGS, WELL = (0x01, 0x02), 0x0B, b"\x80\x03"


def fuzz(count, seed):
    return fuzz_monitor(Fuzzed, WELL, count, seed)


class TestINA228(MonitorTest, unittest.TestCase):
    Driver, Chip = INA228, Chip
    LOST, SETTINGS = 0x02, 0x01
    COMMON_CALIBRATION = {"shunt_uohm": 16_384}

    def test_datasheet_example(self):
        """SLYS021A, section 8.2, table 8-4: 6 A through 16.2 mΩ, 48 V, for an hour."""
        bus = Registers(dict(WELL))
        driver = INA228(bus, shunt_uohm=16_200, max_current_ma=10_000)
        self.assertEqual(bus.registers[0x02], b"\x0f\xd2")  # 4050
        bus.registers[0x0B] = b"\x80\x03"
        # The power register of the table, 4718604, is 288.0007 W; it prints 288 W.
        self.assertEqual(driver.read(), (48_000, 6000, 288_001, None))
        bus.registers[0x09] = (1_061_683_200).to_bytes(5, "big")
        bus.registers[0x0B] = b"\x80\x03"
        self.assertEqual(driver.read()[3], 288_000)  # 1036800 J

    def test_the_chip_makes_the_example(self):
        self.wire(shunt_uohm=16_200)
        self.set(48_000, 6000)
        for write in (b"\x02\x0f\xd2", b"\x01\xbb\x6c", b"\x00\x40\x00"):
            self.bus.writeto(0x40, write)
        for _ in range(6):
            self.now_ms += 600_000
            self.set(48_000, 6000)
        get = self.bus.readfrom_mem
        for register, value, size, shift in (
            (0x04, 311_040, 3, 4), (0x05, 245_760, 3, 4), (0x07, 314_572, 3, 4),
            (0x09, 1_061_683_200, 5, 0), (0x0A, 1_132_462_080, 5, 0), (0x06, 3200, 2, 0),
        ):  # fmt: skip
            self.assertEqual(get(0x40, register, size), (value << shift).to_bytes(size, "big"))
        power = int.from_bytes(get(0x40, 0x08, 3), "big")
        self.assertTrue(abs(power - 4_718_604) <= 48)  # its last digits are not of 6 A · 48 V

    def test_power_up_state(self):
        """Section 7.6.1, table 7-3 and the tables of the registers."""
        for register, value in (
            (0x00, b"\x00\x00"), (0x01, b"\xfb\x68"), (0x02, b"\x10\x00"), (0x0B, b"\x00\x01"),
            (0x0C, b"\x7f\xff"), (0x0D, b"\x80\x00"), (0x3E, b"\x54\x49"), (0x3F, b"\x22\x81"),
        ):  # fmt: skip
            self.assertEqual(self.bus.readfrom_mem(0x40, register, 2), value)

    def test_the_whole_range(self):
        driver = INA228(self.bus)
        draws = Draws(3)
        for _ in range(200):
            voltage, current = draws.next(0, 85_000), draws.next(-10_000, 10_000)
            self.set(voltage, current)
            values = self.next_sample(driver)
            self.near(values, voltage, current)
            for quantity, value in zip(INA228.QUANTITIES, values):
                self.assertTrue(value is None or in_range(quantity, value), quantity)

    def test_energy_since_the_sample_before(self):
        driver = INA228(self.bus)
        self.set(24_000, 1500)  # 36 W: 10 mWh a second
        self.assertEqual(self.sample(driver)[3], None)
        total = 0
        for count in range(1, 101):
            self.now_ms += 1000
            self.signals.extend(self.now_ms + 1000, {}, {})
            total += driver.read()[3]
            self.assertTrue(abs(total - 10 * count) <= 1)
        self.set(24_000, -1500)  # it has no sign
        self.now_ms += 100_000
        self.assertTrue(abs(driver.read()[3] - 1000) <= 1)

    def test_parts_of_an_mwh_are_not_lost(self):
        driver = INA228(self.bus)
        self.set(12_000, 130)  # 1.56 W: 0.433 mWh a second
        self.sample(driver)
        total = 0
        for _ in range(600):
            self.now_ms += 1000
            self.signals.extend(self.now_ms + 1000, {}, {})
            total += driver.read()[3]
        self.assertEqual(total, 260)

    def test_a_long_time(self):
        """Half of the register's range at once."""
        bus = Registers(dict(WELL))
        driver = INA228(bus, shunt_uohm=16_200, max_current_ma=10_000)
        results = []
        for energy in (2**40 - 7, 2**39 - 7, 3):
            bus.registers[0x01], bus.registers[0x0B] = WELL[0x01], WELL[0x0B]
            bus.registers[0x09] = energy.to_bytes(5, "big")
            results.append(driver.read()[3])
        half_mwh = 2**39 * 10 // 1024 // 36  # steps of 1/1024 J, and 3.6 J to an mWh
        self.assertEqual(results[:2], [None, half_mwh])
        self.assertTrue(abs(results[2] - half_mwh) <= 1)

    def test_energy_passes_40_bits(self):
        driver = INA228(self.bus)
        self.set(80_000, 9000)
        self.chip._energy = (2**40 - 1000) * 10**9
        self.sample(driver)
        self.now_ms += 3_600_000
        for _ in range(60):
            self.signals.extend(self.now_ms, {}, {})
        self.assertTrue(abs(driver.read()[3] - 720_000) <= 1)
        self.assertTrue(self.chip._energy >= 2**40 * 10**9)

    def test_overflow_and_range(self):
        driver = INA228(self.bus)
        self.chip.fault = "overflow"
        self.assertEqual(failure(lambda: self.next_sample(driver)), RANGE)
        driver = self.recovers()
        self.chip.fault = "range"
        values = self.next_sample(driver)
        self.assertFalse(in_range("dc_voltage_mv", values[0]))
        self.recovers()
        self.set(24_000, 10_100)  # more than the shunt is for
        driver = INA228(self.bus)
        self.assertEqual(failure(lambda: self.next_sample(driver)), RANGE)
        self.recovers()

    def test_its_memory(self):
        driver = INA228(self.bus)
        self.chip.fault = "checksum"
        self.assertEqual(failure(lambda: self.next_sample(driver)), CHECKSUM)
        self.recovers()

    def test_fuzz(self):
        self.assertTrue(fuzz(2000, 1) >= 2000)


if __name__ == "__main__":
    unittest.main()
