# SPDX-License-Identifier: MIT
"""node/drivers/a02yyuw.py with simulator/chips/a02yyuw.py."""

import unittest

from driver_fixture import failure

from node.drivers.a02yyuw import A02YYUW
from node.errors import CHECKSUM, FRAME, RANGE, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.a02yyuw import A02YYUW as Chip

EXAMPLE = b"\xff\x07\xa1\xa7"  # DFRobot wiki SEN0311, "UART Output": 1953 mm
NO_ECHO = b"\xff\x00\x00\xff"


def frame(distance_mm):
    data = bytes((0xFF, distance_mm >> 8, distance_mm & 0xFF))
    return data + bytes((sum(data) & 0xFF,))


class Script:
    """A UART that has `data` to read once it was emptied."""

    def __init__(self, data):
        self.data = data
        self.emptied = False

    def read(self, nbytes=None):
        if not self.emptied:
            self.emptied = True
            return frame(4000)
        return self.data[:nbytes] or None


def read(data, mount_mm=0):
    sensor = A02YYUW(Script(data), mount_mm)
    sensor.start()
    return sensor.read()


def fuzz(count, seed):
    """`count` inputs: noise, and good frames that were damaged; returns how many there were."""
    state = seed
    for done in range(count):
        data = bytearray(EXAMPLE + frame(30) + frame(4500) + EXAMPLE)
        for _ in range(8):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            at = (state >> 8) % 16
            if done % 4 == 0 or at < 2:
                data[at] = state >> 16 & 0xFF
        begin, end = (state >> 9) % 5, 16 - (state >> 12) % 7
        data = bytes(data[begin:end]) * (1 + done % 9)
        try:
            distance_mm, level_mm = read(data, 1000)
        except SensorFault as err:
            if err.args[0] not in (CHECKSUM, FRAME, RANGE):
                raise ValueError(done)
            continue
        if not 30 <= distance_mm <= 4500 or level_mm != max(0, 1000 - distance_mm):
            raise ValueError(done)
    return count


class TestFrames(unittest.TestCase):
    def test_the_example(self):
        self.assertEqual(read(EXAMPLE), (1953, None))
        self.assertEqual(read(EXAMPLE, 2500), (1953, 547))
        self.assertEqual(frame(1953), EXAMPLE)

    def test_median(self):
        data = frame(1000) + frame(4000) + frame(1002) + frame(31) + frame(1001)
        self.assertEqual(read(data), (1001, None))
        self.assertEqual(read(NO_ECHO + EXAMPLE + NO_ECHO), (1953, None))

    def test_range(self):
        for distance_mm, is_good in ((29, False), (30, True), (4500, True), (4501, False)):
            wanted = None if is_good else RANGE
            self.assertEqual(failure(read, frame(distance_mm)), wanted)
        self.assertEqual(failure(read, NO_ECHO * 5), RANGE)
        self.assertEqual(failure(read, frame(0xFFFF) * 5), RANGE)

    def test_level(self):
        for mount_mm, level_mm in ((0, None), (1953, 0), (1954, 1), (1000, 0), (9000, 7047)):
            self.assertEqual(read(EXAMPLE, mount_mm), (1953, level_mm))

    def test_found_in_garbage(self):
        for before in (
            b"\x00",
            b"\xff",
            b"\xff\xff",
            b"\xff\x07",
            EXAMPLE[:3],
            EXAMPLE[1:],
            b"\xff" * 9,
        ):
            self.assertEqual(read(before + EXAMPLE + before), (1953, None), before)

    def test_broken(self):
        for i in range(1, 4):
            broken = bytearray(EXAMPLE)
            broken[i] ^= 0x10
            self.assertEqual(failure(read, bytes(broken)), CHECKSUM)
        for size in range(1, 4):
            self.assertEqual(failure(read, EXAMPLE[:size]), FRAME)
        self.assertEqual(failure(read, bytes(40)), FRAME)
        self.assertEqual(failure(read, b""), SILENT)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 11), 2000)


class TestWithChip(unittest.TestCase):
    def setUp(self):
        self.now_ms = 0
        self.signals = Signals()
        self.connect(2500)
        self.rise(1200)

    def connect(self, mount_mm):
        self.chip = Chip(self.signals, mount_mm=mount_mm)
        self.line = UartLine(lambda: self.now_ms, self.chip, 9600, A02YYUW.RXBUF)
        self.sensor = A02YYUW(self.line, mount_mm=mount_mm)

    def rise(self, level_mm):
        points = [[self.now_ms, level_mm]]
        self.signals.extend(self.now_ms + 100_000, {"water_level_mm": points}, {})

    def sample(self):
        """As pipeline/sample.py: a driver that failed is made anew."""
        self.now_ms += 30_000
        if self.sensor is None:
            self.sensor = A02YYUW(self.line, mount_mm=2500)
        self.now_ms += self.sensor.start()
        try:
            return self.sensor.read()
        except SensorFault as err:
            self.sensor = None
            return err.args[0]

    def recovers(self):
        self.sample()
        self.rise(1200)
        distance_mm, level_mm = self.sample()
        self.assertTrue(abs(level_mm - 1200) <= 1 and distance_mm + level_mm == 2500)

    def test_the_whole_range(self):
        self.connect(5000)
        for level_mm in list(range(500, 4970, 89)) + [500, 4970]:
            self.rise(level_mm)
            values = self.sample()
            if level_mm in (500, 4970):  # where its noise leaves the range
                self.assertTrue(values == RANGE or abs(values[1] - level_mm) <= 1)
                self.sensor = A02YYUW(self.line, mount_mm=5000)
            else:
                self.assertTrue(abs(values[1] - level_mm) <= 1, level_mm)
                self.assertEqual(sum(values), 5000)

    def test_without_a_mount(self):
        self.connect(0)
        distance_mm, level_mm = self.sample()
        self.assertTrue(abs(distance_mm - 1300) <= 1)
        self.assertEqual(level_mm, None)

    def test_far_water_gives_no_echo(self):
        self.connect(9000)
        self.assertEqual(self.sample(), RANGE)

    def test_each_fault_and_recovery(self):
        for fault, reason in (("checksum", CHECKSUM), ("range", RANGE)):
            self.chip.fault = fault
            self.assertEqual(self.sample(), reason)
            self.chip.fault = None
            self.recovers()
        self.chip.fault = "short"
        self.assertTrue(self.sample() in (FRAME, CHECKSUM))
        self.chip.fault = None
        self.recovers()

    def test_bytes_lost_and_brown_out(self):
        self.chip.wire = "loses"
        values = self.sample()  # the frames without a loss suffice
        self.assertTrue(abs(values[1] - 1200) <= 1)
        self.chip.wire = "brown-out"  # each time it is read
        for _ in range(3):
            values = self.sample()
            self.assertTrue(values in (SILENT, FRAME, CHECKSUM) or abs(values[1] - 1200) <= 1)
        self.chip.wire = None
        self.recovers()

    def test_unplug_and_replug(self):
        self.chip.plugged = False
        self.assertEqual(self.sample(), SILENT)
        self.assertEqual(self.sample(), SILENT)
        self.chip.plugged = True
        self.recovers()

    def test_gap(self):
        self.signals.extend(
            self.now_ms + 200_000, {"water_level_mm": [[self.now_ms + 5000, None]]}, {}
        )
        self.now_ms += 5000
        self.assertEqual(self.sample(), SILENT)
        self.rise(1200)
        self.recovers()

    def test_wrong_baud_rate(self):
        self.line = UartLine(lambda: self.now_ms, self.chip, 19_200, 256)
        self.sensor = None
        self.assertTrue(self.sample() in (FRAME, CHECKSUM))


if __name__ == "__main__":
    unittest.main()
