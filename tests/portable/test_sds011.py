# SPDX-License-Identifier: MIT
"""node/drivers/sds011.py with simulator/chips/sds011.py, and the protocol's examples."""

import unittest
from binascii import unhexlify

from driver_fixture import Random, failure

from node.drivers.sds011 import SDS011
from node.errors import CHECKSUM, FRAME, FROZEN, RANGE, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.sds011 import SDS011 as Chip

# Laser Dust Sensor Control Protocol V1.3: what is sent to sensor A160, and what it answers.
# Page 5 (query): PM2.5 is 123.6 µg/m³, PM10 is 261.8 µg/m³
FRAME_EXAMPLE = unhexlify("aac0d4043a0aa1601dab")
VALUES_EXAMPLE = (123_600, 261_800)
QUERY = unhexlify("aab404000000000000000000000000ffff02ab")
QUERY_ONE = unhexlify("aab404000000000000000000000000a16005ab")
# Page 4 (reporting mode)
PASSIVE = unhexlify("aab402010100000000000000000000ffff02ab")
PASSIVE_ONE = unhexlify("aab402010100000000000000000000a16005ab")
PASSIVE_ACK = unhexlify("aac502010100a16005ab")
ACTIVE = unhexlify("aab402010000000000000000000000ffff01ab")
MODE = unhexlify("aab402000000000000000000000000ffff00ab")
# Pages 7 and 8 (sleep and work)
SLEEP = unhexlify("aab406010000000000000000000000ffff05ab")
SLEEP_ACK = unhexlify("aac506010000a16008ab")
WORK = unhexlify("aab406010100000000000000000000ffff06ab")
WORK_ACK = unhexlify("aac506010100a16009ab")
# Pages 9 and 10 (working period), page 10 (firmware version)
PERIOD_1 = unhexlify("aab408010100000000000000000000a1600bab")
PERIOD_1_ACK = unhexlify("aac508010100a1600bab")
FIRMWARE = unhexlify("aab407000000000000000000000000a16008ab")
FIRMWARE_ACK = unhexlify("aac5070f070aa16028ab")
AIR = (11_000, 23_000)
STEP = 100
SAMPLE_MS = 60_000


class Script:
    """A UART that has `data` to read after the query was written."""

    def __init__(self, data):
        self.written = []
        self.data = data

    def write(self, data):
        self.written.append(bytes(data))

    def read(self):
        if QUERY not in self.written:
            return None
        data, self.data = self.data, None
        return data


def scripted(data):
    """What the driver makes of these bytes."""
    driver = SDS011(Script(data))
    driver.start()
    if not isinstance(driver.read(), int):
        raise AssertionError("it did not ask")
    return driver.read()


def fuzz(count, seed):
    """Bytes by chance, good frames that are mutated, cut and doubled; returns how many."""
    random = Random(seed)
    for tried in range(count):
        kind = tried % 4
        data = bytearray(FRAME_EXAMPLE)
        at = random.below(10)
        if kind == 0:
            data = random.bytes(random.below(256))
        elif kind == 1:
            data[at] = random.below(256)
        elif kind == 2:
            data = FRAME_EXAMPLE[:at] + FRAME_EXAMPLE[random.below(10) :]
        else:
            data = FRAME_EXAMPLE[at:] + random.bytes(at) + FRAME_EXAMPLE
        try:
            values = scripted(bytes(data) or None)
        except SensorFault:
            continue
        if min(values) < 0 or max(values) > 999_900:
            raise AssertionError("out of range")
    return count


class TestFrames(unittest.TestCase):
    def test_frame_and_commands(self):
        uart = Script(FRAME_EXAMPLE)
        driver = SDS011(uart)
        self.assertEqual(driver.start(), 1000)
        self.assertEqual(driver.read(), 1000)
        self.assertEqual(driver.read(), VALUES_EXAMPLE)
        self.assertEqual(uart.written, [WORK, PASSIVE, QUERY])
        driver.start()
        self.assertEqual(uart.written[3:], [QUERY])

    def test_garbage_before_it(self):
        for before in (b"\x00", b"\xaa", b"\xaa\xc0", FRAME_EXAMPLE[:7], PASSIVE_ACK):
            self.assertEqual(scripted(before + FRAME_EXAMPLE), VALUES_EXAMPLE)
            self.assertEqual(scripted(before + FRAME_EXAMPLE + before), VALUES_EXAMPLE)

    def test_cut_anywhere(self):
        for length in range(1, 10):
            self.assertEqual(failure(scripted, FRAME_EXAMPLE[:length]), FRAME)
            self.assertEqual(failure(scripted, FRAME_EXAMPLE[-length:]), FRAME)

    def test_every_wrong_byte(self):
        for i in range(10):
            broken = bytearray(FRAME_EXAMPLE)
            broken[i] ^= 0x10
            wanted = FRAME if i in (0, 1, 9) else CHECKSUM
            self.assertEqual(failure(scripted, bytes(broken)), wanted)
            self.assertEqual(scripted(bytes(broken) + FRAME_EXAMPLE), VALUES_EXAMPLE)

    def test_it_keeps_no_id(self):
        driver = SDS011(Script(FRAME_EXAMPLE))
        driver.start()
        driver.read()
        driver.read()
        self.assertEqual(driver._before, (1236, 2618))

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 1), 2000)


class Bench(unittest.TestCase):
    def setUp(self):
        self.now = 100_000
        self.signals = Signals()
        self.chip = Chip(self.signals)
        self.line = UartLine(lambda: self.now, self.chip, 9600, SDS011.RXBUF)
        self.feel(*AIR)

    def feel(self, pm2_5, pm10):
        self.signals.extend(
            self.now + 100_000,
            {"pm2_5_ngm3": [[self.now, pm2_5]], "pm10_ngm3": [[self.now, pm10]]},
            {},
        )

    def ask(self, command, wait_ms=1000):
        self.line.read()
        self.line.write(command)
        self.now += wait_ms
        return self.line.read()

    def sample(self, driver):
        """One sampling, and the time until the next one."""
        begun = self.now
        self.now += driver.start()
        try:
            while True:
                values = driver.read()
                if not isinstance(values, int):
                    return values
                self.now += values
        finally:
            self.now = begun + SAMPLE_MS

    def close(self, values, wanted=AIR):
        for value, want in zip(values, wanted):
            self.assertTrue(value % STEP == 0 and abs(value - want) <= 3 * STEP // 2)


class TestChip(Bench):
    def test_the_protocols_examples(self):
        self.assertEqual(self.ask(PASSIVE_ONE), PASSIVE_ACK)
        self.assertEqual(self.ask(PASSIVE), PASSIVE_ACK)
        self.assertEqual(self.ask(MODE)[2:5], b"\x02\x00\x01")
        self.assertEqual(self.ask(SLEEP), SLEEP_ACK)
        self.assertEqual(self.ask(WORK), WORK_ACK)
        self.assertEqual(self.ask(PERIOD_1), PERIOD_1_ACK)
        self.assertEqual(self.ask(FIRMWARE), FIRMWARE_ACK)
        self.now += 60_000
        self.chip._noise = lambda: 0
        self.feel(*VALUES_EXAMPLE)
        self.assertEqual(self.ask(QUERY_ONE), FRAME_EXAMPLE)

    def test_asleep_it_hears_only_the_command_to_work(self):
        self.ask(SLEEP)
        for command in (QUERY, MODE, PASSIVE, FIRMWARE, SLEEP):
            self.assertEqual(self.ask(command), None)
        self.now += 10_000
        self.assertEqual(self.line.read(), None)
        self.assertEqual(self.ask(WORK), WORK_ACK)

    def test_settings_outlive_a_power_cut(self):
        self.ask(PASSIVE)
        self.chip.plugged = False
        self.chip.plugged = True
        self.now += 10_000
        self.assertEqual(self.line.read(), None)
        self.ask(ACTIVE)
        self.now += 10_000
        self.assertTrue(len(self.line.read()) >= 100)

    def test_other_ids_and_broken_commands_are_ignored(self):
        self.ask(PASSIVE)
        self.assertEqual(self.ask(unhexlify("aab404000000000000000000000000a16106ab")), None)
        self.assertEqual(self.ask(QUERY[:17] + b"\x03\xab"), None)
        self.assertEqual(self.ask(QUERY[:10]), None)


class TestRoundTrip(Bench):
    def test_the_whole_range(self):
        driver = SDS011(self.line)
        for step in range(100):
            wanted = (step * 9_999, step * 10_000)
            self.feel(*wanted)
            self.close(self.sample(driver), wanted)
        self.feel(1_200_000, 1_200_000)
        self.close(self.sample(driver), (999_900, 999_900))

    def test_the_first_sample_tells(self):
        """It sets the mode and asks, while frames of the active mode come."""
        self.assertTrue(self.line.any() > 100)
        self.close(self.sample(SDS011(self.line)))

    def test_it_was_asleep(self):
        self.ask(SLEEP)
        self.now += 60_000
        driver = SDS011(self.line)
        self.sample(driver)
        self.close(self.sample(driver))

    def test_fan_needs_half_a_minute(self):
        self.ask(SLEEP)
        driver = SDS011(self.line)
        settled = self.now + SDS011.SETTLE_MS
        self.assertTrue(self.sample(driver)[0] < 7000)
        self.now = settled
        self.close(self.sample(driver))

    def test_put_back_unseen(self):
        driver = SDS011(self.line)
        self.sample(driver)
        self.chip.plugged = False
        self.chip.plugged = True
        self.line.any()
        self.now += 30_000
        self.close(self.sample(driver))


class TestFaults(Bench):
    def finds(self, reason):
        self.assertEqual(failure(self.sample, SDS011(self.line)), reason)
        self.recovers()

    def recovers(self):
        self.chip.fault = self.chip.wire = None
        self.chip.plugged = True
        driver = SDS011(self.line)
        self.sample(driver)  # its power may have been gone, and its fan
        self.close(self.sample(driver))

    def test_checksum(self):
        self.chip.fault = "checksum"
        self.finds(CHECKSUM)

    def test_short(self):
        self.chip.fault = "short"
        self.finds(FRAME)

    def test_out_of_range(self):
        self.chip.fault = "range"
        self.finds(RANGE)

    def test_frozen(self):
        driver = SDS011(self.line)
        self.sample(driver)
        self.chip.fault = "frozen"
        for _ in range(30):
            self.sample(driver)
        self.assertEqual(failure(self.sample, driver), FROZEN)
        self.recovers()

    def test_it_is_not_frozen_in_still_air(self):
        driver = SDS011(self.line)
        for _ in range(500):
            self.sample(driver)

    def test_bytes_are_lost(self):
        self.chip.wire = "loses"
        self.finds(FRAME)

    def test_brown_out_within_a_frame(self):
        driver = SDS011(self.line)
        self.sample(driver)
        self.chip.wire = "brown-out"
        self.assertEqual(failure(self.sample, driver), FRAME)
        self.recovers()

    def test_unplugged_and_put_back(self):
        self.chip.plugged = False
        self.finds(SILENT)

    def test_gap(self):
        for name in ("pm2_5_ngm3", "pm10_ngm3"):
            self.setUp()
            self.signals.extend(self.now + 1000, {name: [[self.now - 1, None]]}, {})
            self.assertEqual(failure(self.sample, SDS011(self.line)), SILENT)
            self.feel(*AIR)
            self.recovers()

    def test_wrong_baud_rate(self):
        self.line = UartLine(lambda: self.now, self.chip, 115_200, 256)
        self.assertEqual(failure(self.sample, SDS011(self.line)), FRAME)


if __name__ == "__main__":
    unittest.main()
