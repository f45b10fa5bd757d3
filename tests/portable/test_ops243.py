# SPDX-License-Identifier: MIT
"""node/drivers/ops243.py against lines made by hand, and with simulator/chips/ops243.py."""

import unittest

from count_fixture import CountBench, WireBench
from driver_fixture import Random, Waiting

from node.drivers.ops243 import OPS243, _milli
from node.errors import FRAME, FROZEN, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.ops243 import OPS243 as Chip

# UM-003-A, page 8: UM is answered with the unit
UNIT = b'{"Units":"m-per-sec"}\r\n'
# What comes of OJ with OM, as velocity.report's fixtures and guide have it of a real one
REAL = b'{"magnitude" : 1.2, "speed" : 3.4}\r\n'
# OPS-UM-001-C (OPS242), page 8, "json Mode On": another firmware's form
MANUAL = b'{"speed":0.58, "direction":"inbound", "time":105, "tick":135}\r\n'
# Page 7: what says who it is
IDENTITY = b'{"Product":"OPS243"}\r\n{"UID":"b2000040b7a12400d5188041"}\r\n'
# An object report of newer firmware (velocity.report's fixture)
OBJECT = b'{"classifier" : "object_outbound", "max_speed_mps" : 13.39, "max_magnitude" : 55}\r\n'
ZERO = b'{"speed" : 0.00}\r\n'
NONE = (0, 0, None)

COMING = (2, 4, 7, 11, 20, 40, 80)
GOING = tuple(reversed(COMING))


def line(magnitude, speed_mmps):
    sign = b"-" if speed_mmps < 0 else b""
    whole, part = divmod(abs(speed_mmps), 1000)
    text = sign + str(whole).encode() + b"." + str(1000 + part)[1:].encode()
    return b'{"magnitude" : ' + str(magnitude).encode() + b', "speed" : ' + text + b"}\r\n"


def lines(magnitudes, speed_mmps):
    return b"".join([line(magnitude, speed_mmps) for magnitude in magnitudes])


class Wire(Waiting):
    """A UART at whose other end a test sits; it answers to UM."""

    answer = UNIT

    def __init__(self):
        Waiting.__init__(self)
        self.written = b""

    def write(self, data):
        self.written += data
        self.waiting += self.answer


def connected(**options):
    wire = Wire()
    radar = OPS243(wire, **options)
    if radar.start() != 500 or radar.read() is not None:
        raise ValueError("set-up")
    return wire, radar


def fuzz(count, seed):
    """`count` inputs: noise, and good lines that were damaged; returns how many there were."""
    random = Random(seed)
    good = lines(COMING, 13_000) + ZERO * 3 + lines(GOING, -9000) + REAL + b"55,-13.39\r\n"
    wire, radar = connected()
    for done in range(count):
        data = bytearray(good)
        if random.below(4) == 0:
            data = bytearray([random.below(256) for _ in range(random.below(600))])
        for _ in range(random.below(8) if data else 0):
            data[random.below(len(data))] = random.below(256)
        data = bytes(data[random.below(40) : len(data) - random.below(40)])
        wire.waiting += data * (1 + random.below(3))
        try:
            radar.start()
            values = radar.read()
        except SensorFault as err:
            if err.args[0] not in (FRAME, SILENT, FROZEN):
                raise ValueError(done)
            wire, radar = connected()
            continue
        if not 0 <= values[0] + values[1] <= 60 or len(radar._rest) > 128 or wire.waiting:
            raise ValueError(done)
    return count


class WireCase(WireBench, unittest.TestCase):
    connected = staticmethod(connected)


class TestLines(WireCase):
    def test_the_commands(self):
        self.assertEqual(self.wire.written, b"OJOMUMF2OtBZ")

    def test_a_radar_that_does_not_obey(self):
        for answer, reason in ((b"", SILENT), (ZERO, FRAME), (b'{"Units":"mph"}\r\n', FRAME)):
            wire = Wire()
            wire.answer = answer
            radar = OPS243(wire)
            radar.start()
            try:
                radar.read()
            except SensorFault as err:
                self.assertEqual(err.args, (reason,))
            else:
                self.fail("no fault")

    def test_numbers(self):
        for text, value in (
            (b"13.39", 13_390), (b"-0.58", -580), (b" 3.4", 3400), (b'"7"', 7000), (b"0", 0),
            (b".5", 500), (b"-12.", -12_000), (b"1.23456", 1234), (b"", None), (b"-", None),
            (b"1e3", None), (b"nan", None), (b"1.2.3", None), (b"--1", None), (b"9999999", None),
        ):  # fmt: skip
            self.assertEqual(_milli(text), value, text)

    def test_real_lines(self):
        self.assertEqual(self.poll(REAL), NONE)
        self.assertEqual(self.poll(MANUAL), NONE)
        self.connect(near_magnitude=1)
        self.assertEqual(self.poll(REAL + ZERO * 6), (1, 0, None))
        outbound = b'{"magnitude":9,"speed":5,"direction":"outbound"}\n'
        self.assertEqual(self.poll(outbound + ZERO * 6), (0, 1, None))

    def test_plain_lines(self):
        data = b"".join([b"%d,13.39\r\n" % m for m in COMING]) + b"0.0\r\n" * 6
        self.assertEqual(self.poll(data), (1, 0, None))
        data = b"".join([b'"%d", "-13.39"\r\n' % m for m in GOING]) + b"0\r\n" * 6
        self.assertEqual(self.poll(data), (0, 1, None))

    def test_who_it_is_goes_nowhere(self):
        self.assertEqual(self.failure(IDENTITY), FRAME)
        self.assertEqual(self.poll(IDENTITY + OBJECT + ZERO), NONE)

    def test_lost_settings(self):
        self.assertEqual(self.failure(b"13.4\r\n" * 9), FRAME)

    def test_silent_and_broken(self):
        self.assertEqual(self.failure(b""), SILENT)
        for data in (b"\x00", b"\r\n" * 9, bytes(900), REAL[:-1], b'{"magnitude" : 4}\r\n',
                     b'{"magnitude" : 9, "speed" : 999.0}\r\n', b"x" * 999):  # fmt: skip
            self.assertEqual(self.failure(data), FRAME, data)

    def test_cut_at_every_byte(self):
        data = lines(COMING, 13_000) + ZERO * 7
        for cut in range(len(ZERO) + 40, len(data) - 20):
            self.connect()
            first, second = self.poll(data[:cut]), self.poll(data[cut:])
            self.assertEqual(first[0] + second[0], 1, cut)

    def test_a_line_without_an_end(self):
        self.assertEqual(self.poll(ZERO + b"x" * 5000), NONE)
        self.assertTrue(len(self.driver._rest) <= 128)

    def test_frozen(self):
        self.assertEqual(self.poll(ZERO * 300), NONE)
        self.assertEqual(self.poll(line(30, 9000) * 99)[:2], (0, 0))
        self.assertEqual(self.failure(line(30, 9000)), FROZEN)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 3), 2000)


class TestPeaks(WireCase):
    def test_both_directions(self):
        self.assertEqual(self.poll(lines(COMING, 13_000)), NONE)
        self.assertEqual(self.poll(ZERO * 5), NONE)
        self.assertEqual(self.poll(ZERO), (1, 0, None))
        self.assertEqual(self.poll(lines(GOING, -13_000) + ZERO * 9), (0, 1, None))

    def test_speed_is_of_three_or_more(self):
        self.assertEqual(self.poll(lines(COMING, 10_000) + ZERO * 6), (1, 0, None))
        self.assertEqual(self.poll(lines(GOING, -20_000) + ZERO * 6), (0, 1, None))
        self.assertEqual(self.poll(lines(COMING, 15_000) + ZERO * 6), (1, 0, 15_000))
        self.assertEqual(self.poll(lines(COMING, 15_000) + ZERO * 6), (1, 0, None))

    def test_one_behind_the_other(self):
        coming = (2, 5, 20, 80, 13, 20, 41, 80, 9, 20, 70)
        self.assertEqual(self.poll(lines(coming, 9000) + ZERO * 6), (3, 0, 9000))
        self.assertEqual(self.poll(lines(reversed(coming), -9000) + ZERO * 6), (0, 3, 9000))

    def test_the_speed_of_each_is_its_own(self):
        data = lines(GOING, -20_000) + lines(GOING, -5000) * 2 + ZERO * 6
        self.assertEqual(self.poll(data), (0, 3, 10_000))
        data = lines(COMING, 5000) * 2 + lines(COMING, 20_000) + ZERO * 6
        self.assertEqual(self.poll(data), (3, 0, 10_000))

    def test_what_lies_between_two(self):
        self.assertEqual(self.poll(lines((2, 60, 20, 60), 9000) + ZERO * 6), (1, 0, None))
        self.assertEqual(self.poll(lines((2, 60, 19, 60), 9000) + ZERO * 6)[0], 2)

    def test_a_magnitude_that_wavers_is_one(self):
        coming = (2, 20, 15, 40, 30, 70, 40, 80)
        self.assertEqual(self.poll(lines(coming, 9000) + ZERO * 6), (1, 0, None))

    def test_who_stays_far_is_not_counted(self):
        self.assertEqual(self.poll(lines((2, 9, 19, 19, 9), 9000) + ZERO * 6), NONE)
        self.connect(near_magnitude=19)
        self.assertEqual(self.poll(lines((2, 9, 19, 19, 9), 9000) + ZERO * 6), (1, 0, None))

    def test_walkers_are_not_counted(self):
        self.assertEqual(self.poll(lines(COMING, 2700) + lines(GOING, -2700) + ZERO * 6), NONE)
        self.connect(min_kmh=5)
        self.assertEqual(self.poll(lines(COMING, 2700) + ZERO * 6), (1, 0, None))

    def test_two_pass_each_other(self):
        data = lines(COMING[:6], 9000)
        for magnitude in (80, 60, 40, 20):
            data += line(80 - magnitude // 2, 9000) + line(magnitude, -12_000)
        self.assertEqual(self.poll(data + ZERO * 6), (1, 1, None))


class TestWithChip(CountBench, unittest.TestCase):
    """The driver on the chip model, sampled every 3 s as the node does."""

    DRIVER, CHIP = OPS243, Chip

    def cleared(self):
        self.total = [0, 0]
        self.speeds = []

    def add(self, values):
        self.total[0] += values[0]
        self.total[1] += values[1]
        if values[2] is not None:
            self.speeds.append(values[2])

    def recovers(self):
        self.run_for(6000)
        self.total = [0, 0]
        self.faults = []
        self.run_for(60_000)
        self.assertEqual((self.total, self.faults), ([3, 3], []))

    def steady(self):
        self.settle([(k * 10_000, (k & 1) * 2 - 1, 12_000) for k in range(1, 200)])

    def test_each_direction_and_speed(self):
        for speed_mmps in (6000, 9999, 17_000, 25_000):
            for direction, wanted in ((1, [3, 0]), (-1, [0, 3])):
                self.setUp()
                self.settle([(k * 20_000, direction, speed_mmps) for k in (1, 2, 3)])
                self.run_for(75_000)
                self.assertEqual((self.total, self.faults), (wanted, []))
                self.assertTrue(abs(self.speeds[0] - speed_mmps) <= 50)

    def test_a_busy_street(self):
        random = Random(4)
        vehicles, time_ms, wanted = [], 20_000, [0, 0]
        while time_ms < 900_000:
            time_ms += 1000 + random.below(8000)
            direction = random.below(2) * 2 - 1
            vehicles.append((time_ms, direction, 6000 + random.below(11_001)))
            wanted[direction < 0] += 1
        self.settle(vehicles)
        self.run_for(930_000)
        self.assertEqual(self.faults, [])
        self.assertEqual(self.total, wanted)

    def test_each_fault_and_recovery(self):
        self.steady()
        for fault, reason in (("short", FRAME), ("range", FRAME)):
            self.chip.fault = fault
            self.run_for(6000)
            self.assertEqual(self.faults[0], reason)
            self.chip.fault = None
            self.recovers()
        self.chip.fault = "frozen"
        self.run_for(15_000)
        self.assertEqual(self.faults[0], FROZEN)
        self.chip.fault = None
        self.recovers()

    def test_bytes_lost_and_brown_out(self):
        self.steady()
        for wire in ("loses", "brown-out"):
            self.chip.wire = wire
            self.run_for(6000)
            self.assertEqual([r for r in self.faults if r not in (FRAME, SILENT)], [])
            self.chip.wire = None
            self.recovers()

    def test_unplug_and_replug(self):
        self.steady()
        self.chip.plugged = False
        self.run_for(30_000)
        self.assertEqual(self.faults, [SILENT] * 10)
        self.chip.plugged = True
        self.recovers()

    def test_put_back_unseen(self):
        """Its settings are gone: that is found, and they are set again."""
        self.steady()
        self.chip.plugged = False
        self.chip.plugged = True
        self.run_for(3000)
        self.assertEqual(len(self.faults), 1)
        self.recovers()

    def test_at_another_baud_rate(self):
        self.signals.extend(60_000, {}, {})
        self.line = UartLine(lambda: self.now_ms, self.chip, 9600, 4096)
        self.run_for(6000)
        self.assertEqual(self.faults, [SILENT, SILENT])


class TestChip(unittest.TestCase):
    def setUp(self):
        self.now_ms = 40_000
        self.signals = Signals()
        events = [[40_800, 1, 13_390], [80_000, -1, 10_000]]
        self.signals.extend(3_600_000, {}, {"vehicles": events}, known_ms=3_600_001)
        self.chip = Chip(self.signals)
        self.chip.transmit(self.now_ms)

    def say(self, command):
        self.chip.receive(self.now_ms, command)
        return self.chip.transmit(self.now_ms)

    def next(self):
        self.now_ms += 100
        return self.chip.transmit(self.now_ms)

    def test_settings(self):
        """What the chip says, by UM-003-A pages 7, 8 and 12."""
        self.assertEqual(self.say(b"U?\r\n"), UNIT)
        self.assertEqual(self.say(b"?P"), b'{"Product":"OPS243 Doppler"}\r\n')
        self.assertEqual(self.say(b"?U"), b'{"UID":"b2000040b7a12400d5188041"}\r\n')
        self.assertEqual(self.next()[:3], b"13.")
        self.assertEqual(self.say(b"UKF0"), b'{"Units":"km-per-hr"}\r\n')
        self.assertEqual(self.next(), b"48\r\n")
        self.assertEqual(self.say(b"OMOJF2UM"), UNIT)
        self.assertTrue(self.next()[:30] in (
            b'{"magnitude" : %d, "speed" : 1' % strength for strength in range(11, 15)
        ))  # fmt: skip
        self.say(b"OjF2")
        self.assertTrue(self.next()[:6] in (b"14,13.", b"13,13.", b"15,13."))
        self.now_ms += 5000
        self.chip.transmit(self.now_ms)
        self.assertEqual(self.next(), b"")
        self.say(b"BZ\n")
        self.assertTrue(b"0.00\r\n" in self.next())
        self.now_ms = 80_100
        self.chip.transmit(self.now_ms)
        self.assertTrue(b",-10." in self.next() or b",-9." in self.next())


if __name__ == "__main__":
    unittest.main()
