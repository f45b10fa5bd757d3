# SPDX-License-Identifier: MIT
"""node/drivers/bme280.py with simulator/chips/bme280.py, and Bosch's own example."""

import unittest

from driver_fixture import Random, failure, mutated

from node.drivers.bme280 import BME280
from node.errors import CHIP_ID, FRAME, RANGE, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.bme280 import BME280 as Chip
from simulator.chips.bme280 import CALIBRATION

# Others of the size that real parts have, with what differs in sign or nibble
CALIBRATIONS = (
    CALIBRATION,
    (28181, 27029, 50, 37800, -10600, 3024, 9400, -120, -7, 9900, -10230, 4285,
     75, 355, 0, 344, -18, 30),
    (28500, 26700, 60, 36800, -10480, 3024, 5010, 66, -7, 9900, -12000, 5000,
     0, 400, 1, 500, -300, -20),
)  # fmt: skip


class Registers:
    """An I2C bus with plain memory at 0x76."""

    def __init__(self, memory):
        self.memory = memory
        self.writes = []

    def readfrom_mem_into(self, address, register, into):
        into[:] = self.memory[register : register + len(into)]

    def writeto(self, address, data):
        self.writes.append(bytes(data))


def by_chance(random, good):
    """256 registers, of which one of three parts is mutated, or those of another part."""
    memory = bytearray(good)
    first, size = ((0x88, 26), (0xE1, 7), (0xF2, 13))[random.below(3)]
    data = mutated(random, bytes(memory[first : first + size])) + b"\xff" * size
    memory[first : first + size] = data[:size]
    if random.below(64) == 0:
        memory[0xD0] = random.below(256)
    return memory


def fuzz(count, seed):
    """Calibrations, settings and results by chance and mutated; returns how many."""
    random = Random(seed)
    signals = Signals()
    signals.extend(1000, {name: [[0, 0]] for name in BME280.QUANTITIES}, {})
    chip = Chip(signals)
    chip.write(10, b"\x00")
    good = bytearray(chip.read(10, 256))
    good[0xF2:0xFF] = b"\x01\x00\x24\x00\x00\x65\x5a\xc0\x7e\xed\x00\x6e\x00"
    for _ in range(count):
        bus = Registers(by_chance(random, good))
        try:
            driver = BME280(bus)
            driver.start()
            temperature, pressure, humidity = driver.read()
        except SensorFault:
            continue
        if abs(temperature) >= 2**31 or not 0 <= humidity <= 100_000 or pressure != int(pressure):
            raise AssertionError("not a reading")
    return count


class Bench(unittest.TestCase):
    def setUp(self):
        self.wire(CALIBRATION)

    def wire(self, calibration):
        self.now = 1000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now)
        self.chip = Chip(self.signals, calibration=calibration)
        self.bus.attach(0x76, self.chip)
        self.feel(20_000, 101_325, 50_000)

    def feel(self, temperature_mc, pressure_pa, humidity_mpct):
        self.signals.extend(
            self.now + 10_000,
            {
                "temperature_mc": [[self.now, temperature_mc]],
                "pressure_pa": [[self.now, pressure_pa]],
                "humidity_mpct": [[self.now, humidity_mpct]],
            },
            {},
        )

    def measure(self, driver):
        self.now += driver.start()
        return driver.read()

    def near(self, values, wanted, apart=(10, 3, 25)):
        for value, want, most in zip(values, wanted, apart):
            self.assertTrue(abs(value - want) <= most, (values, wanted))


class TestDatasheet(Bench):
    def test_example_of_temperature_and_pressure(self):
        """BST-BMP280-DS001, section 3.12, page 23: same formulas as section 4.2.3 here."""
        chip = Chip(self.signals)
        chip.write(self.now, b"\x00")
        memory = bytearray(chip.read(self.now, 256))
        memory[0xF2:0xF7] = b"\x01\x00\x24\x00\x00"
        memory[0xF7:0xFD] = b"\x65\x5a\xc0\x7e\xed\x00"  # 415148, 519888
        memory[0xFD:0xFF] = b"\x6e\x00"
        bus = Registers(memory)
        driver = BME280(bus)
        celsius, t_fine = driver._temperature(519_888)
        self.assertEqual((celsius, t_fine), (2508, 128_422))
        # One code further, and in frost: what its C code gives.
        self.assertEqual(driver._temperature(519_904), (2509, 128_446))
        self.assertEqual(driver._temperature(313_048), (-4021, -205_876))
        # The figure prints 25767236 (100653.27 Pa); the formula beside it gives 0.01 Pa less.
        self.assertEqual(driver._pressure(415_148, t_fine), 25_767_233)
        self.assertEqual(driver.read()[:2], (25_080, 100_653))
        driver.start()
        self.assertEqual(bus.writes[-1], b"\xf2\x01\xf4\x25")  # ctrl_hum before ctrl_meas

    def test_calibration_is_unpacked(self):
        for calibration in CALIBRATIONS + (CALIBRATION[:15] + (-37, 1210, -128),):
            self.wire(calibration)
            driver = BME280(self.bus)
            self.assertEqual(driver._t + driver._p + driver._h, calibration)

    def test_humidity(self):
        """Bosch publishes no example: what its C code (4.2.3) gives where its floating-point code
        (8.1) gives −1.79, 26.3611, 54.2888, 81.9880 and 109.46 %."""
        driver = BME280(self.bus)
        codes = ((20_000, 0), (25_000, 26_991), (30_000, 55_588), (35_000, 83_952))
        for adc, q22_10 in codes + ((40_000, 102_400),):
            self.assertEqual(driver._humidity(adc, 128_422), q22_10)

    def test_humidity_against_the_other_published_formula(self):
        """Section 8.1 is the same curve in floating point, here with exact fractions of 2."""
        for calibration in CALIBRATIONS:
            self.wire(calibration)
            driver = BME280(self.bus)
            h1, h2, h3, h4, h5, h6 = calibration[12:]
            for t_fine in (-204_800, 0, 128_422, 435_200):
                v = t_fine - 76_800
                for adc in range(15_000, 60_000, 3000):
                    gain = h2 * ((1 << 26) + h6 * v * ((1 << 26) + h3 * v) // (1 << 26))
                    h = ((adc << 20) - (h4 << 26) - h5 * v * 64) * gain >> 50  # % << 12
                    h -= h1 * h * h // (524_288 << 12)
                    h = min(max(h, 0), 100 << 12)
                    self.assertTrue(abs(driver._humidity(adc, t_fine) * 4 - h) <= 24)

    def test_power_up_state(self):
        """BST-BME280-DS002, table 18, page 27."""
        self.chip.write(self.now, b"\xd0")
        self.assertEqual(self.chip.read(self.now, 1), b"\x60")
        self.chip.write(self.now, b"\xf2")
        self.assertEqual(self.chip.read(self.now, 13), bytes(5) + b"\x80\0\0\x80\0\0\x80\0")


class TestFuzz(unittest.TestCase):
    def test_fuzz(self):
        self.assertEqual(fuzz(1000, 1), 1000)


class TestRoundTrip(Bench):
    def test_the_whole_range(self):
        for calibration in CALIBRATIONS:
            self.wire(calibration)
            driver = BME280(self.bus)
            pressure, humidity = 30_000, 0
            for temperature in range(-40_000, 85_001, 1250):
                self.now += 1000
                pressure = 30_000 + (pressure - 30_000 + 9973) % 80_001
                humidity = (humidity + 7919) % 100_001
                wanted = (temperature, pressure, humidity)
                self.feel(*wanted)
                self.near(self.measure(driver), wanted)

    def test_the_corners(self):
        driver = BME280(self.bus)
        for temperature in (-40_000, 85_000):
            for pressure in (30_000, 110_000):
                for humidity in (0, 100_000):
                    self.now += 1000
                    self.feel(temperature, pressure, humidity)
                    self.near(self.measure(driver), (temperature, pressure, humidity))

    def test_other_address(self):
        bus = I2CBus(lambda: self.now)
        bus.attach(0x77, self.chip)
        self.near(self.measure(BME280(bus, address=0x77)), (20_000, 101_325, 50_000))


class TestModes(Bench):
    def test_a_measurement_takes_its_time(self):
        driver = BME280(self.bus)
        wait_ms = driver.start()
        self.now += wait_ms - 1
        self.assertEqual(failure(driver.read), SILENT)
        self.now += 1
        self.near(driver.read(), (20_000, 101_325, 50_000))

    def test_forced_mode_measures_once(self):
        driver = BME280(self.bus)
        first = self.measure(driver)
        self.feel(30_000, 90_000, 10_000)
        self.now += 1000
        self.assertEqual(driver.read(), first)
        self.near(self.measure(driver), (30_000, 90_000, 10_000))

    def test_one_that_was_left_in_normal_mode(self):
        for since_ms in (0, 5, 200, 100_000):
            self.wire(CALIBRATION)
            self.bus.writeto(0x76, b"\xf2\x05\xf5\x70\xf4\xb7")
            self.now += since_ms
            self.feel(-5_000, 99_000, 80_000)
            try:
                values = self.measure(BME280(self.bus))
            except SensorFault:  # it was measuring when it was told to sleep
                self.now += 1000
                values = self.measure(BME280(self.bus))
            self.near(values, (-5_000, 99_000, 80_000))

    def test_normal_mode_goes_on(self):
        self.bus.writeto(0x76, b"\xf2\x01\xf5\x90\xf4\x27")  # 500 ms of standby
        codes = []
        for temperature in (10_000, 10_000, 20_000):
            self.now += 100_000
            self.feel(temperature, 101_325, 50_000)
            self.now += 1100
            self.assertEqual(self.bus.readfrom_mem(0x76, 0xF4, 1), b"\x27")
            codes.append(self.bus.readfrom_mem(0x76, 0xFA, 2))
        self.assertEqual(codes[0], codes[1])
        self.assertTrue(codes[1] < codes[2])

    def test_oversampling_gives_more_bits(self):
        codes = []
        for sampling in (b"\xf4\x25", b"\xf4\xb5"):
            self.bus.writeto(0x76, sampling)
            self.now += 200
            codes.append(self.bus.readfrom_mem(0x76, 0xFA, 3))
        self.assertEqual(codes[0][2], 0)
        self.assertTrue(codes[1][2] & 0xF0)

    def test_what_is_not_asked_for_is_skipped(self):
        self.bus.writeto(0x76, b"\xf2\x00\xf4\x01")
        self.now += 100
        self.assertEqual(self.bus.readfrom_mem(0x76, 0xF7, 8), b"\x80\0\0\x80\0\0\x80\0")

    def test_soft_reset(self):
        driver = BME280(self.bus)
        self.now += driver.start()
        self.bus.writeto_mem(0x76, 0xE0, b"\xb6")
        self.assertEqual(failure(driver.read), FRAME)
        with self.assertRaises(SensorFault):  # it still copies its calibration
            BME280(self.bus)
        self.now += 2
        self.near(self.measure(BME280(self.bus)), (20_000, 101_325, 50_000))


class TestFaults(Bench):
    def test_wrong_chip(self):
        self.chip.fault = "chip_id"
        self.assertEqual(failure(BME280, self.bus), CHIP_ID)
        self.chip.fault = None
        self.near(self.measure(BME280(self.bus)), (20_000, 101_325, 50_000))

    def test_out_of_range(self):
        driver = BME280(self.bus)
        self.chip.fault = "range"
        self.assertFalse(in_range("temperature_mc", self.measure(driver)[0]))
        self.chip.fault = None
        self.near(self.measure(BME280(self.bus)), (20_000, 101_325, 50_000))

    def test_calibration_of_zeros(self):
        memory = bytearray(256)
        memory[0xD0], memory[0xF2], memory[0xF4], memory[0xF7] = 0x60, 1, 0x24, 0x40
        self.assertEqual(failure(BME280(Registers(memory)).read), RANGE)

    def test_unplugged_and_put_back(self):
        driver = BME280(self.bus)
        self.measure(driver)
        self.chip.plugged = False
        for step in (driver.start, driver.read, lambda: BME280(self.bus)):
            self.assertEqual(failure(step), 19)
        self.chip.plugged = True
        self.near(self.measure(BME280(self.bus)), (20_000, 101_325, 50_000))

    def test_put_back_while_it_measures(self):
        driver = BME280(self.bus)
        wait_ms = driver.start()
        self.chip.plugged = False
        self.chip.plugged = True
        self.now += wait_ms
        self.assertEqual(failure(driver.read), FRAME)

    def test_power_on_copies_calibration_first(self):
        self.chip.power_on(self.now)
        self.assertEqual(failure(BME280, self.bus), SILENT)

    def test_gap(self):
        for name in ("temperature_mc", "pressure_pa", "humidity_mpct"):
            self.setUp()
            driver = BME280(self.bus)
            self.signals.extend(self.now + 1000, {name: [[self.now, None]]}, {})
            self.assertEqual(failure(self.measure, driver), 19)
            self.now += 1000
            self.feel(15_000, 98_000, 40_000)
            self.near(self.measure(BME280(self.bus)), (15_000, 98_000, 40_000))


if __name__ == "__main__":
    unittest.main()
