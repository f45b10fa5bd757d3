# SPDX-License-Identifier: MIT
"""node/drivers/pms5003.py with simulator/chips/pms5003.py; the manual has no example frame."""

import unittest

from driver_fixture import Random, failure, mutated

from node.drivers.pms5003 import PMS5003
from node.errors import CHECKSUM, FRAME, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.pms5003 import PMS5003 as Chip

# By the manual's appendix I: PM1, PM2.5, PM10 of 8, 12, 14 (CF=1) and 7, 11, 13 µg/m³ (air)
FRAME_7_11_13 = (
    b"\x42\x4d\x00\x1c\x00\x08\x00\x0c\x00\x0e\x00\x07\x00\x0b\x00\x0d"
    b"\x05\x46\x01\x90\x00\x4e\x00\x0a\x00\x02\x00\x00\x97\x00\x02\xb9"
)
AIR_7_11_13 = (7000, 11_000, 13_000)
HALF_MINUTE = 30_000


class Script:
    """A UART that has `data` to read after the command to read was written."""

    def __init__(self, data):
        self.written = []
        self.data = data

    def write(self, data):
        self.written.append(bytes(data))

    def read(self):
        if not self.written[1:]:
            return None
        data, self.data = self.data, None
        return data


def scripted(data):
    """What the driver makes of these bytes."""
    driver = PMS5003(Script(data))
    driver.start()
    driver.read()
    driver.start()
    return driver.read()


def fuzz(count, seed):
    """Bytes by chance, and frames that are mutated, cut and doubled; returns how many."""
    random = Random(seed)
    for _ in range(count):
        data = mutated(random, FRAME_7_11_13)
        if random.below(4) == 0:
            data += mutated(random, FRAME_7_11_13)
        try:
            values = scripted(data)
        except SensorFault:
            continue
        if len(values) != 3 or min(values) < 0 or max(values) > 65_535_000:
            raise AssertionError("not a reading")
    return count


class Bench(unittest.TestCase):
    def setUp(self):
        self.now = 100_000
        self.signals = Signals()
        self.chip = Chip(self.signals)
        self.line = UartLine(lambda: self.now, self.chip, 9600, PMS5003.RXBUF)
        self.feel(7000, 11_000, 13_000)

    def feel(self, pm1_0, pm2_5, pm10):
        self.signals.extend(
            self.now + 100_000,
            {
                "pm1_0_ngm3": [[self.now, pm1_0]],
                "pm2_5_ngm3": [[self.now, pm2_5]],
                "pm10_ngm3": [[self.now, pm10]],
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
        driver = PMS5003(self.line)
        self.assertEqual(self.sample(driver), None)
        return driver


class TestFrames(Bench):
    def test_frame_and_commands(self):
        """PMS5003 series data manual V2.3, appendices I and II."""
        uart = Script(FRAME_7_11_13)
        driver = PMS5003(uart)
        driver.start()
        self.assertEqual(driver.read(), None)
        driver.start()
        self.assertEqual(driver.read(), AIR_7_11_13)
        passive, read = b"\x42\x4d\xe1\x00\x00\x01\x70", b"\x42\x4d\xe2\x00\x00\x01\x71"
        self.assertEqual(uart.written, [passive, read])

    def test_chip_makes_such_frames(self):
        """A byte more or less than the fixed ones, and the words in their places."""
        self.feel(7000, 40_000, 1_000_000)
        self.line.write(b"\x42\x4d\xe1\x00\x00\x01\x70")
        self.now += 100
        self.line.read()
        self.line.write(b"\x42\x4d\xe2\x00\x00\x01\x71")
        self.now += 1000
        frame = self.line.read()
        self.assertEqual(frame[:16], b"BM\x00\x1c\x00\x07\x00\x2d\x05\xcd\x00\x07\x00\x28\x03\xe8")
        self.assertEqual(len(frame), 32)
        self.assertEqual(sum(frame[:30]), frame[30] << 8 | frame[31])

    def test_garbage_before_it(self):
        acknowledged = b"\x42\x4d\x00\x04\xe1\x00\x01\x74"
        cut = FRAME_7_11_13[:9]
        for before in (b"\x00", b"\x42", b"BMBM", b"\x42\x4d\x00", acknowledged, cut, cut + cut):
            self.assertEqual(scripted(before + FRAME_7_11_13), AIR_7_11_13)
            self.assertEqual(scripted(before + FRAME_7_11_13 + before), AIR_7_11_13)

    def test_the_tail_of_another_before_it(self):
        for cut in range(1, 32):
            self.assertEqual(scripted(FRAME_7_11_13[cut:] + FRAME_7_11_13), AIR_7_11_13)

    def test_cut_anywhere(self):
        for length in range(1, 32):
            self.assertEqual(failure(scripted, FRAME_7_11_13[:length]), FRAME)
            self.assertEqual(failure(scripted, FRAME_7_11_13[-length:]), FRAME)

    def test_every_wrong_byte(self):
        for i in range(32):
            broken = bytearray(FRAME_7_11_13)
            broken[i] ^= 0x10
            wanted = FRAME if i < 4 else CHECKSUM
            self.assertEqual(failure(scripted, bytes(broken)), wanted)

    def test_a_good_one_after_a_broken_one(self):
        broken = FRAME_7_11_13[:20] + b"\xff" + FRAME_7_11_13[21:]
        self.assertEqual(scripted(broken + FRAME_7_11_13), AIR_7_11_13)

    def test_nothing(self):
        self.assertEqual(failure(scripted, None), SILENT)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 1), 2000)


class TestRoundTrip(Bench):
    def test_the_whole_range(self):
        driver = self.running()
        for step in range(101):
            wanted = (step * 1000, step * 3000 + 499, step * 10_000 - (500 if step else 0))
            self.feel(*wanted)
            values = self.sample(driver)
            for value, want in zip(values, wanted):
                self.assertTrue(value % 1000 == 0 and abs(value - want) <= 500)

    def test_split_at_any_moment(self):
        """The line is emptied in between: bytes come one after the other, none twice."""
        self.running()
        for pause in range(950, 1000, 3):
            self.line.read()
            self.line.write(b"\x42\x4d\xe1\x00\x00\x01\x70\x42\x4d\xe2\x00\x00\x01\x71")
            self.now += pause
            first = self.line.read() or b""
            self.now += 1000 - pause
            both = first + (self.line.read() or b"")
            self.assertEqual(both[:8], b"\x42\x4d\x00\x04\xe1\x00\x01\x74")
            self.assertEqual(scripted(both[8:]), AIR_7_11_13)
            self.assertEqual(len(both), 40)

    def test_powers_up_talking(self):
        """Many frames of the active mode wait when the driver is made."""
        self.assertEqual(self.line.any(), PMS5003.RXBUF)
        self.assertEqual(self.sample(self.running()), AIR_7_11_13)

    def test_put_back_unseen(self):
        """It talks by itself again, and does not answer: it has to be told once more."""
        driver = self.running()
        self.assertEqual(self.sample(driver), AIR_7_11_13)
        self.chip.plugged = False
        self.chip.plugged = True
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.assertEqual(self.sample(self.running()), AIR_7_11_13)

    def test_fan_needs_half_a_minute(self):
        self.chip.power_on(self.now)
        driver = PMS5003(self.line)
        settled = self.now + PMS5003.SETTLE_MS
        self.now += driver.start()
        driver.read()
        self.now += 14_000
        self.now += driver.start()
        self.assertTrue(driver.read()[1] < 7000)
        self.now = settled
        self.now += driver.start()
        self.assertEqual(driver.read(), AIR_7_11_13)

    def test_chip_sleeps_and_wakes(self):
        driver = self.running()
        self.line.write(b"\x42\x4d\xe4\x00\x00\x01\x73")
        self.now += 100
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.line.write(b"\x42\x4d\xe4\x00\x01\x01\x74")
        self.now += HALF_MINUTE
        self.assertEqual(self.sample(self.running()), AIR_7_11_13)

    def test_chip_ignores_broken_commands(self):
        driver = self.running()
        self.line.read()
        self.line.write(b"\x42\x4d\xe1\x00\x01\x01\x72\x42\x42\x4d\xe4")
        self.now += 10_000
        self.assertEqual(self.line.any(), 0)
        self.line.write(b"\x00\x00\x01\x73")  # the rest of the last one
        self.now += 100
        self.assertEqual(failure(self.sample, driver), SILENT)


class TestFaults(Bench):
    def recovers(self):
        self.chip.fault = None
        self.chip.plugged = True
        driver = self.running()
        self.now += HALF_MINUTE
        self.assertEqual(self.sample(driver), AIR_7_11_13)

    def test_checksum(self):
        driver = self.running()
        self.chip.fault = "checksum"
        self.assertEqual(failure(self.sample, driver), CHECKSUM)
        self.recovers()

    def test_short(self):
        driver = self.running()
        self.chip.fault = "short"
        self.assertEqual(failure(self.sample, driver), FRAME)
        self.recovers()

    def test_out_of_range(self):
        driver = self.running()
        self.chip.fault = "range"
        self.assertFalse(in_range("pm2_5_ngm3", self.sample(driver)[1]))
        self.recovers()

    def test_unplugged_and_put_back(self):
        driver = self.running()
        self.sample(driver)
        self.chip.plugged = False
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.assertEqual(failure(self.sample, self.running()), SILENT)
        self.recovers()

    def test_gap(self):
        for name in ("pm1_0_ngm3", "pm2_5_ngm3", "pm10_ngm3"):
            self.setUp()
            driver = self.running()
            self.signals.extend(self.now + 1000, {name: [[self.now - 1, None]]}, {})
            self.assertEqual(failure(self.sample, driver), SILENT)
            self.feel(7000, 11_000, 13_000)
            self.recovers()

    def test_wrong_baud_rate(self):
        self.line = UartLine(lambda: self.now, self.chip, 115_200, 256)
        driver = self.running()
        self.now += 2300 - self.now % 2300 - 500  # still in active mode: it did not understand
        self.assertEqual(failure(self.sample, driver), FRAME)


if __name__ == "__main__":
    unittest.main()
