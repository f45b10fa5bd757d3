# SPDX-License-Identifier: MIT
"""node/drivers/tf_luna.py with simulator/chips/tf_luna.py; the manual has no example frame."""

import unittest

from count_fixture import CountBench, WireBench
from driver_fixture import Random, Waiting

from node.drivers.tf_luna import TFLuna
from node.errors import CHECKSUM, FRAME, FROZEN, RANGE, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.tf_luna import TFLuna as Chip

# Manual SJ-PM-TF-Luna A05, appendix II: [5A 05 05 format sum], [5A 06 03 L H sum]
IN_CM = b"\x5a\x05\x05\x01\x65"
IN_MM = b"\x5a\x05\x05\x06\x6a"
AT_100_HZ = b"\x5a\x06\x03\x64\x00\xc7"
AT_50_HZ = b"\x5a\x06\x03\x32\x00\x95"
# Appendix I, 9-byte/cm: 291 cm, strength 1500, 25 °C (2248)
FRAME_291_CM = b"\x59\x59\x23\x01\xdc\x05\xc8\x08\x87"

NOBODY = (0, 0)


def frame(distance_mm, strength=1000):
    words = (distance_mm // 10, strength, 2248)
    data = b"\x59\x59" + b"".join([bytes((word & 0xFF, word >> 8)) for word in words])
    return data + bytes((sum(data) & 0xFF,))


def frames(*runs):
    """(distance_mm, count) of each run; the strength wavers."""
    data = b""
    for distance_mm, count in runs:
        data += b"".join([frame(distance_mm, 1000 + i % 3) for i in range(count)])
    return data


ROAD, ROOF = 6000, 3500


class Wire(Waiting):
    """A UART at whose other end a test sits; commands are repeated."""

    obeys = True

    def __init__(self):
        Waiting.__init__(self)
        self.commands = []

    def write(self, data):
        self.commands.append(bytes(data))
        if self.obeys:
            self.waiting += bytes(data)


def connected(**options):
    wire = Wire()
    lidar = TFLuna(wire, **options)
    if lidar.start() != 200 or lidar.read() is not None:
        raise ValueError("set-up")
    return wire, lidar


def fuzz(count, seed):
    """`count` inputs: noise, and good frames that were damaged; returns how many there were."""
    random = Random(seed)
    good = frames((ROAD, 9), (ROOF, 5), (ROAD, 5))
    wire, lidar = connected()
    for done in range(count):
        data = bytearray(good)
        if random.below(4) == 0:
            data = bytearray([random.below(256) for _ in range(random.below(300))])
        for _ in range(random.below(8) if data else 0):
            data[random.below(len(data))] = random.below(256)
        begin = random.below(20)
        data = bytes(data[begin : len(data) - random.below(20)])
        wire.waiting += data * (1 + random.below(5))
        try:
            lidar.start()
            vehicles, permille = lidar.read()
        except SensorFault as err:
            if err.args[0] not in (CHECKSUM, FRAME, SILENT, RANGE):
                raise ValueError(done)
            wire, lidar = connected()
            continue
        if not 0 <= vehicles <= 30 or not 0 <= permille <= 1000:
            raise ValueError(done)
        if wire.waiting or lidar._kept > 8 or len(lidar._buffer) != 261:
            raise ValueError(done)
    return count


class WireCase(WireBench, unittest.TestCase):
    connected = staticmethod(connected)


class TestSetUp(WireCase):
    def test_the_commands(self):
        self.assertEqual(self.wire.commands, [IN_CM, AT_100_HZ])
        self.connect(rate_hz=50)
        self.assertEqual(self.wire.commands, [IN_CM, AT_50_HZ])

    def test_a_module_that_does_not_obey(self):
        for answer, reason in ((b"", SILENT), (FRAME_291_CM, FRAME), (AT_50_HZ, FRAME)):
            wire = Wire()
            wire.obeys = False
            lidar = TFLuna(wire)
            lidar.start()
            wire.waiting = answer
            try:
                lidar.read()
            except SensorFault as err:
                self.assertEqual(err.args, (reason,))
            else:
                self.fail("no fault")


class TestFrames(WireCase):
    def test_a_frame_by_the_manual(self):
        self.assertEqual(frame(2910, 1500), FRAME_291_CM)
        for near_mm, vehicles in ((2911, 1), (2910, 0)):
            self.connect(near_mm=near_mm)
            self.assertEqual(self.poll(FRAME_291_CM * 2)[0], vehicles)

    def test_crossings(self):
        self.assertEqual(self.poll(frames((ROAD, 100))), NOBODY)
        data = frames((ROAD, 10), (ROOF, 25), (ROAD, 40), (ROOF, 25))
        self.assertEqual(self.poll(data), (2, (24 + 24 + 2) * 10))
        self.assertEqual(self.poll(frames((ROOF, 100))), (0, 1000))  # it stands
        self.assertEqual(self.poll(frames((ROAD, 100))), (0, 20))

    def test_hysteresis(self):
        data = frames((4500, 9), (4490, 1), (4500, 1), (4490, 1), (4600, 3))
        self.assertEqual(self.poll(data), NOBODY)
        self.assertEqual(self.poll(frames((4490, 2), (5000, 50), (5010, 2), (4700, 9)))[0], 1)
        self.assertEqual(self.poll(frames((5010, 3), (4490, 2), (5010, 3), (4490, 2)))[0], 2)

    def test_unusable_frames_change_nothing(self):
        for strength, is_used in ((99, False), (100, True), (65_534, True), (65_535, False)):
            self.connect()
            data = frames((ROAD, 9)) + frame(ROOF, strength) * 10 + frames((ROAD, 3))
            self.assertEqual(self.poll(data)[0], 1 if is_used else 0, strength)
            dark = frame(0, strength) * 30
            if not is_used:
                self.assertEqual(self.poll(frames((ROOF, 5)) + dark + frames((ROOF, 5)))[0], 1)
                self.assertEqual(self.failure(dark), RANGE)

    def test_cut_at_every_byte(self):
        data = frames((ROAD, 6), (ROOF, 2), (ROAD, 6))
        for cut in range(9, len(data) - 9):
            self.connect()
            first, second = self.poll(data[:cut]), self.poll(data[cut:])
            self.assertEqual(first[0] + second[0], 1, cut)

    def test_more_than_the_buffer_holds(self):
        data = frames((ROAD, 40), (ROOF, 40)) * 5
        self.assertEqual(self.poll(data)[0], 5)

    def test_a_byte_lost_or_wrong_at_every_place(self):
        data = frames((ROAD, 5), (ROOF, 6), (ROAD, 6))
        for at in range(len(data)):
            for damaged in (data[:at] + data[at + 1 :], data[:at] + b"\x59" + data[at + 1 :]):
                self.connect()
                self.assertEqual(self.poll(damaged)[0], 1, at)

    def test_silent_and_broken(self):
        self.assertEqual(self.failure(b""), SILENT)
        self.assertEqual(self.failure(bytes(90)), FRAME)
        self.assertEqual(self.failure(FRAME_291_CM[:8]), FRAME)
        for i in range(2, 9):
            broken = bytearray(FRAME_291_CM)
            broken[i] ^= 0x10
            self.assertEqual(self.failure(bytes(broken) * 9), CHECKSUM)

    def test_frozen(self):
        self.assertEqual(self.poll(frame(ROAD) * 300), NOBODY)
        self.assertEqual(self.poll(frame(ROAD, 1001) + frame(ROAD) * 300), NOBODY)
        self.assertEqual(self.failure(frame(ROAD)), FROZEN)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 7), 2000)


class TestWithChip(CountBench, unittest.TestCase):
    """The driver on the chip model, sampled every 3 s as the node does."""

    DRIVER, CHIP = TFLuna, Chip

    def cleared(self):
        self.total = 0
        self.occupied = []

    def add(self, values):
        self.total += values[0]
        self.occupied.append(values[1])

    def recovers(self):
        self.run_for(6000)
        self.total = 0
        self.faults = []
        self.run_for(30_000)
        self.assertEqual((self.total, self.faults), (3, []))

    def test_both_rates(self):
        for rate_hz in (100, 50):
            self.setUp()
            self.connect(rate_hz=rate_hz)
            vehicles = [(10_000 + k * 1500, (k & 1) * 2 - 1, 6000 + k * 500) for k in range(40)]
            self.settle(vehicles)
            self.run_for(90_000)
            self.assertEqual((self.total, self.faults), (40, []))
            wanted = sum([4_500_000 // v[2] for v in vehicles]) // 90
            self.assertTrue(abs(sum(self.occupied) // 30 - wanted) <= 1000 // rate_hz)
            self.assertEqual(self.line.lost_bytes, 0)

    def test_each_fault_and_recovery(self):
        self.settle([(k * 10_000 + 5000, 1, 9000) for k in range(90)])
        for fault, reason in (
            ("checksum", CHECKSUM), ("short", CHECKSUM), ("range", RANGE), ("bright", RANGE),
        ):  # fmt: skip
            self.run_for(3000)
            self.chip.fault = fault
            self.run_for(6000)
            self.assertTrue(reason in self.faults[:2], fault)
            self.chip.fault = None
            self.recovers()
        self.chip.fault = "frozen"
        self.run_for(6000)
        self.assertEqual(self.faults[0], FROZEN)
        self.chip.fault = None
        self.recovers()

    def test_bytes_lost_and_brown_out(self):
        self.settle([(k * 10_000 + 5000, 1, 9000) for k in range(90)])
        for wire in ("loses", "brown-out"):
            self.chip.wire = wire
            self.run_for(6000)
            wrong = [r for r in self.faults if r not in (FRAME, CHECKSUM, SILENT)]
            self.assertEqual(wrong, [])
            self.chip.wire = None
            self.recovers()

    def test_unplug_and_replug(self):
        self.settle([(k * 10_000 + 5000, 1, 9000) for k in range(90)])
        self.chip.plugged = False
        self.run_for(30_000)
        self.assertEqual(self.faults, [SILENT] * 10)
        self.chip.plugged = True
        self.recovers()

    def test_at_another_baud_rate(self):
        self.signals.extend(60_000, {}, {})
        self.line = UartLine(lambda: self.now_ms, self.chip, 9600, 4096)
        self.run_for(6000)
        self.assertEqual(self.faults, [FRAME, FRAME])


class TestChip(unittest.TestCase):
    def setUp(self):
        self.now_ms = 0
        self.signals = Signals()
        self.chip = Chip(self.signals)

    def say(self, command):
        self.chip.transmit(self.now_ms)
        self.chip.receive(self.now_ms, command)
        return self.chip.transmit(self.now_ms)

    def test_commands(self):
        """What the chip says, byte by byte."""
        self.signals.extend(60_000, {}, {})
        self.now_ms = 5000
        self.assertEqual(self.say(AT_50_HZ[:-1] + b"\x00")[:6], AT_50_HZ)  # as in the manual
        self.now_ms = 6000
        self.assertEqual(len(self.chip.transmit(6000)), 50 * 9)
        self.assertEqual(self.say(b"\x5a\x06\x03\x2c\x01\x90"), b"")  # 300 Hz
        self.assertEqual(self.say(b"\x5a\x06\x03\x64\x00\xc8"), b"")  # a wrong sum
        self.assertEqual(self.say(IN_MM)[:5], IN_MM)
        self.now_ms = 6100
        data = self.chip.transmit(6100)
        self.assertTrue(abs((data[2] | data[3] << 8) - 6000) < 30)
        self.assertEqual(data[8], sum(data[:8]) & 0xFF)


if __name__ == "__main__":
    unittest.main()
