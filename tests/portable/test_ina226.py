# SPDX-License-Identifier: MIT
"""node/drivers/ina226.py with simulator/chips/ina226.py, and the datasheet's own example."""

import unittest

from driver_fixture import failure
from eastron_fixture import Draws
from ina_fixture import MonitorTest, Registers, fuzz_monitor

from node.drivers.ina226 import INA226
from node.errors import RANGE
from node.pipeline.quantities import in_range
from simulator.chips.ina226 import INA226 as Chip

WELL = {
    0x00: b"\x49\x27", 0x02: b"\x25\x70", 0x03: b"\x12\xb8", 0x04: b"\x27\x10",
    0x05: b"\x0a\x00", 0x06: b"\x00\x08", 0xFE: b"\x54\x49", 0xFF: b"\x22\x60",
}  # fmt: skip


class Fuzzed(INA226):
    SET, FLAGS, WELL = (0x00, 0x05), 0x06, b"\x00\x08"


def fuzz(count, seed):
    return fuzz_monitor(Fuzzed, WELL, count, seed)


class TestINA226(MonitorTest, unittest.TestCase):
    Driver, Chip = INA226, Chip
    LOST, SETTINGS = 0x05, 0x00
    COMMON_CALIBRATION = {}

    def test_datasheet_example(self):
        """SBOS547 (June 2011), table 1, page 16: 10 A through 2 mΩ, 11.98 V, step 1 mA."""
        bus = Registers(dict(WELL))
        driver = INA226(bus, shunt_uohm=2000, max_current_ma=32_768)
        self.assertEqual(bus.registers[0x05], b"\x0a\x00")
        # It prints 119.82 W for a register of 4792, and 119.8 W as what the load takes.
        self.assertEqual(driver.read(), (11_980, 10_000, 119_800))

    def test_the_chip_makes_the_example(self):
        self.wire(shunt_uohm=2000)
        self.set(11_980, 10_000)
        self.bus.writeto(0x40, b"\x05\x0a\x00")
        self.now_ms += 3
        for register, value in (
            (0x01, b"\x1f\x40"), (0x02, b"\x25\x70"), (0x04, b"\x27\x10"), (0x03, b"\x12\xb8"),
            (0x00, b"\x41\x27"), (0xFE, b"\x54\x49"), (0xFF, b"\x22\x60"),
        ):  # fmt: skip
            self.assertEqual(self.bus.readfrom_mem(0x40, register, 2), value)

    def test_without_calibration_there_is_no_current(self):
        """Section 6.4: current and power stay at zero; and the power-on values of table 7-1."""
        self.now_ms += 3
        self.assertEqual(self.bus.readfrom_mem(0x40, 0x04, 2), b"\x00\x00")
        self.assertEqual(self.bus.readfrom_mem(0x40, 0x03, 2), b"\x00\x00")
        self.assertEqual(self.bus.readfrom_mem(0x40, 0x06, 2), b"\x00\x08")
        self.assertEqual(self.bus.readfrom_mem(0x40, 0x06, 2), b"\x00\x00")  # reading clears it

    def test_the_whole_range(self):
        driver = INA226(self.bus)
        draws = Draws(3)
        for _ in range(200):
            voltage, current = draws.next(0, 36_000), draws.next(-8000, 8000)
            self.set(voltage, current)
            values = self.next_sample(driver)
            self.near(values, voltage, current)
            for quantity, value in zip(INA226.QUANTITIES, values):
                self.assertTrue(in_range(quantity, value), quantity)

    def test_the_mean_is_of_the_time_of_the_conversion(self):
        driver = self.recovers()
        self.set(20_000, -1000)
        self.assertEqual(driver.start(), 0)
        self.now_ms += 14_900
        self.near(driver.read(), 20_000, -1000)

    def test_overflow(self):
        driver = INA226(self.bus)
        self.chip.fault = "range"
        self.assertEqual(failure(lambda: self.next_sample(driver)), RANGE)
        self.recovers()
        self.set(24_000, 8200)  # more than the shunt is for
        driver = INA226(self.bus)
        self.assertEqual(failure(lambda: self.next_sample(driver)), RANGE)
        self.recovers()

    def test_fuzz(self):
        self.assertTrue(fuzz(2000, 1) >= 2000)


if __name__ == "__main__":
    unittest.main()
