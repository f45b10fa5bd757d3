# SPDX-License-Identifier: MIT
"""node/drivers/ld2451.py against the manual's frames, frames made by hand, and the chip model."""

import unittest
from binascii import unhexlify

from driver_fixture import Random, Waiting

from node.drivers.ld2451 import LD2451
from node.errors import FRAME, FROZEN, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.ld2451 import LD2451 as Chip

# Serial protocol V1.03, section 1.3.1, page 9 ("IE" is printed for 1E): 10°, 40 m, 60 km/h nearer;
# 10°, 30 m, 60 km/h away; -10°, 95 m, 60 km/h nearer.
EXAMPLE = unhexlify("f4f3f2f1110003018a28003c158a1e013c0f765f003c0ff8f7f6f5")
# What a module sent that a hand came nearer to, as public parsers of LD2451 frames have it in
# their tests: 15°, 4 m, direction byte 1, 3 km/h.
LIVE = unhexlify("f4f3f2f1070001018f040103fff8f7f6f5")
EMPTY = unhexlify("f4f3f2f10000f8f7f6f5")
EMPTY_COUNTED = unhexlify("f4f3f2f102000000f8f7f6f5")

# Sections 1.2.1 to 1.2.4 and 1.2.10, pages 3 to 8
ENABLE = unhexlify("fdfcfbfa0400ff00010004030201")
ENABLE_ACK = unhexlify("fdfcfbfa0800ff0100000100000004030201")
END = unhexlify("fdfcfbfa0200fe0004030201")
END_ACK = unhexlify("fdfcfbfa0400fe01000004030201")
DETECT_EXAMPLE = unhexlify("fdfcfbfa06000200640105020403" + "0201")
DETECT_ACK = unhexlify("fdfcfbfa04000201000004030201")
READ_DETECT = unhexlify("fdfcfbfa0200120004030201")
READ_DETECT_ACK = unhexlify("fdfcfbfa08001201000064010502040302" + "01")
READ_SENSITIVITY = unhexlify("fdfcfbfa0200130004030201")
READ_SENSITIVITY_ACK = unhexlify("fdfcfbfa0800130100000100000004030201")
RESTART = unhexlify("fdfcfbfa0200a30004030201")
RESTART_ACK = unhexlify("fdfcfbfa0400a301000004030201")
# LD2450, serial protocol V1.03, section 2.2.10
BLUETOOTH_OFF = unhexlify("fdfcfbfa0400a400000004030201")
BLUETOOTH_ACK = unhexlify("fdfcfbfa0400a401000004030201")
# All up to 100 m, both directions, from 10 km/h on, no delay
DETECT = unhexlify("fdfcfbfa06000200640" + "20a0004030201")

NONE = (0, 0, None)
KMH_50 = 13_888


def frame(*targets):
    """A data frame; a target is (m, direction byte, km/h)."""
    if not targets:
        return EMPTY
    body = bytes((len(targets), 1))
    for i, (distance_m, direction, kmh) in enumerate(targets):
        body += bytes((0x80, distance_m, direction, kmh, 20 + (distance_m + i) % 7))
    return EMPTY[:4] + bytes((len(body), 0)) + body + EMPTY[-4:]


def drive(from_m, to_m, direction=None, kmh=50, step=1):
    """Frames of one vehicle."""
    step = step if to_m > from_m else -step
    if direction is None:
        direction = 1 if step < 0 else 0
    end = to_m + (1 if step > 0 else -1)
    return b"".join([frame((m, direction, kmh)) for m in range(from_m, end, step)])


class Wire(Waiting):
    """A UART at whose other end a test sits; commands are acknowledged."""

    answers = {
        ENABLE: ENABLE_ACK,
        DETECT: DETECT_ACK,
        BLUETOOTH_OFF: BLUETOOTH_ACK,
        RESTART: RESTART_ACK,
        END: END_ACK,
    }

    def __init__(self, answers=None):
        Waiting.__init__(self)
        self.commands = []
        if answers is not None:
            self.answers = answers

    def write(self, data):
        self.commands.append(bytes(data))
        self.waiting += self.answers.get(bytes(data), b"")


def sample(radar, wait=None):
    """start() and all the steps of read()."""
    waits = [radar.start()]
    value = radar.read()
    while isinstance(value, int):
        waits.append(value)
        value = radar.read()
    if wait is not None:
        wait.extend(waits)
    return value


def connected(**options):
    wire = Wire()
    radar = LD2451(wire, **options)
    sample(radar)
    wire.commands = []
    return wire, radar


def fuzz(count, seed):
    """`count` inputs: noise, and good frames that were damaged; returns how many there were."""
    random = Random(seed)
    wire, radar = connected()
    for done in range(count):
        kind = random.below(4)
        data = drive(40, 10, step=3) + EMPTY
        if kind == 0:
            data = random.bytes(random.below(700))
        elif kind == 1:
            data = bytearray(data)
            for _ in range(1 + random.below(8)):
                data[random.below(len(data))] ^= 1 << random.below(8)
            data = bytes(data)
        elif kind == 2:
            data = data[random.below(30) : random.below(len(data))] + LIVE[: random.below(17)]
        else:
            data = data + data[: random.below(60)] + EXAMPLE[: random.below(27)]
        wire.waiting += data
        try:
            values = sample(radar)
        except SensorFault as err:
            if err.args[0] not in (FRAME, SILENT, FROZEN):
                raise ValueError(done)
            wire, radar = connected()
            continue
        if values is None or not 0 <= values[0] + values[1] <= 40:
            raise ValueError(done)
        if wire.waiting or len(radar._buffer) != 256 or radar._kept > 37:
            raise ValueError(done)
    return count


class WireCase(unittest.TestCase):
    def setUp(self):
        self.connect()

    def connect(self, **options):
        self.wire, self.radar = connected(**options)

    def poll(self, data):
        self.wire.waiting += data
        return sample(self.radar)

    def assertFault(self, reason, data):
        try:
            self.poll(data)
        except SensorFault as err:
            self.assertEqual(err.args, (reason,))  # and nothing else
        else:
            self.fail("no fault")


class TestSetUp(unittest.TestCase):
    def test_the_commands(self):
        wire, waits = Wire(), []
        radar = LD2451(wire)
        self.assertIsNone(sample(radar, waits))
        self.assertEqual(wire.commands, [ENABLE, DETECT, BLUETOOTH_OFF, RESTART])
        self.assertEqual(waits, [100, 100, 100, 2000])
        wire.waiting = EMPTY
        self.assertEqual(sample(radar), NONE)
        self.assertEqual(len(wire.commands), 4)

    def test_a_module_that_refuses(self):
        for command, refused, reason in (
            (ENABLE, b"", SILENT),
            (ENABLE, ENABLE_ACK[:8] + b"\x01" + ENABLE_ACK[9:], FRAME),
            (ENABLE, LIVE, FRAME),
            (DETECT, b"", SILENT),
            (DETECT, DETECT_ACK[:8] + b"\x01" + DETECT_ACK[9:], FRAME),
            (BLUETOOTH_OFF, b"", None),
            (BLUETOOTH_OFF, BLUETOOTH_ACK[:8] + b"\x01" + BLUETOOTH_ACK[9:], None),
            (RESTART, b"", None),
        ):
            answers = dict(Wire.answers)
            answers[command] = refused
            wire = Wire(answers)
            try:
                found = sample(LD2451(wire))
            except SensorFault as err:
                found = err.args[0]
            self.assertEqual(found, reason, command)

    def test_options(self):
        wire = Wire({ENABLE: ENABLE_ACK})
        try:
            sample(LD2451(wire, line_m=30, min_kmh=20))
        except SensorFault:
            pass
        self.assertEqual(wire.commands[1], DETECT[:10] + b"\x14" + DETECT[11:])


class TestFrames(WireCase):
    def test_the_manuals_example(self):
        """Page 9; the driver tells no position, so the line is put around each in turn."""
        for line_m, before, counts in (
            (37, (33, 0, 60), (0, 1)),  # the first was at 40 m,
            (38, (34, 0, 60), (0, 0)),  # not more than 2 m beyond the line;
            (33, (36, 1, 60), (1, 0)),  # the second at 30 m
            (32, (35, 1, 60), (0, 0)),
            (92, (88, 0, 60), (0, 1)),  # and the third at 95 m
            (93, (89, 0, 60), (0, 0)),
        ):
            self.connect(line_m=line_m)
            data = frame(before) + frame() * 4 + EXAMPLE
            self.assertEqual(self.poll(data), counts + (None,), line_m)

    def test_a_live_frame_and_empty_ones(self):
        self.assertEqual(self.poll(LIVE + EMPTY + EMPTY_COUNTED), NONE)

    def test_what_is_out_of_range_is_no_frame(self):
        good = frame((30, 1, 50))
        for at, value in (
            (4, 6), (4, 8), (4, 12), (4, 27), (4, 28), (4, 255), (5, 1), (6, 0), (6, 2), (6, 6),
            (7, 2), (9, 101), (10, 2), (11, 121), (13, 0xF7), (16, 0),
        ):  # fmt: skip
            self.connect()
            bad = bytearray(good)
            bad[at] = value
            self.assertFault(FRAME, bytes(bad) + bytes(40))
        for at, value in ((7, 0), (8, 0), (8, 255), (9, 100), (10, 0), (11, 120), (12, 255)):
            self.connect()
            other = bytearray(good)
            other[at] = value
            self.assertEqual(self.poll(bytes(other)), NONE)


class TestCrossings(WireCase):
    def test_both_directions(self):
        self.assertEqual(self.poll(drive(60, 4)), (1, 0, None))
        self.assertEqual(self.poll(drive(4, 60)), (0, 1, None))
        self.assertEqual(self.poll(frame()), NONE)  # what was told is not told again

    def test_whatever_the_direction_byte_means(self):
        self.assertEqual(self.poll(drive(60, 4, direction=0)), (1, 0, None))
        self.assertEqual(self.poll(drive(4, 60, direction=1)), (0, 1, None))

    def test_speed_is_of_three_or_more(self):
        for kmh in (40, 50):
            self.assertEqual(self.poll(drive(60, 4, kmh=kmh)), (1, 0, None))
        self.assertEqual(self.poll(drive(4, 60, kmh=60)), (0, 1, KMH_50))
        self.assertEqual(self.poll(drive(4, 60, kmh=60)), (0, 1, None))
        data = drive(60, 4, kmh=10) + frame() + drive(60, 4, kmh=120) + frame()
        self.assertEqual(self.poll(data), (2, 0, (16_666 + 2777 + 33_333) // 3))

    def test_over_two_samples(self):
        self.assertEqual(self.poll(drive(60, 20)), NONE)
        self.assertEqual(self.poll(drive(19, 4)), (1, 0, None))

    def test_at_each_line(self):
        for line_m in (5, 20, 50, 95):
            self.connect(line_m=line_m)
            self.assertEqual(self.poll(drive(min(line_m + 30, 100), line_m - 2)), NONE)
            self.assertEqual(self.poll(frame((line_m - 3, 1, 50))), (1, 0, None))
            self.assertEqual(self.poll(drive(line_m - 4, line_m + 2)), NONE)
            self.assertEqual(self.poll(frame((line_m + 3, 0, 50))), (0, 1, None))

    def test_a_distance_that_wavers_crosses_once(self):
        data = b"".join([frame((m, 1, 50)) for m in (25, 22, 24, 21, 23, 19, 22, 18, 20)])
        self.assertEqual(self.poll(data), NONE)
        self.assertEqual(self.poll(frame((17, 1, 50)) + drive(18, 21, 1)), (1, 0, None))

    def test_who_appears_beyond_the_line_or_turns_off_before_it(self):
        self.assertEqual(self.poll(drive(18, 4) + frame() * 12 + drive(60, 23)), NONE)

    def test_who_stops_at_the_line_and_goes_on(self):
        """Standing, it is not seen; it counts once or not at all, never twice."""
        self.assertEqual(self.poll(drive(60, 15) + frame() * 200 + drive(15, 4, 1)), (1, 0, None))

    def test_a_row_of_vehicles(self):
        data = b""
        for at in range(120):
            places = [m for m in (60 - at + 12 * k for k in range(5)) if 4 <= m <= 60]
            data += frame(*[(m, 1, 36) for m in places])
        self.assertEqual(self.poll(data), (5, 0, 10_000))

    def test_two_pass_each_other(self):
        for start in range(17, 32):
            self.connect()
            data = b""
            for k in range(40):
                near, far = 4 + k, start + 20 - k
                targets = [(near, 0, 40)] + [(far, 1, 40)] * (far >= 4)
                data += frame(*(targets if k & 1 else targets[::-1]))
            self.assertEqual(self.poll(data), (1, 1, None), start)

    def test_five_at_once(self):
        data = b""
        for k in range(16):
            data += frame(
                *[(m + k, 0, 40) for m in (4, 16, 30)] + [(m - k, 1, 40) for m in (27, 40)]
            )
        self.assertEqual(self.poll(data), (1, 2 - 1, None))

    def test_a_target_that_vanishes_for_some_frames(self):
        for missing in range(10):
            self.connect()
            data = drive(60, 23, step=1) + frame() * missing + drive(22 - missing, 4)
            self.assertEqual(self.poll(data), (1, 0, None), missing)

    def test_a_target_that_vanishes_for_long_is_another(self):
        for missing in (10, 11, 30, 300):
            self.connect()
            data = drive(60, 23) + frame() * missing + drive(15, 4)
            self.assertEqual(self.poll(data), NONE, missing)

    def test_a_jump_is_another(self):
        for new_m in (10, 14, 17):
            self.connect()
            self.assertEqual(self.poll(drive(60, 24) + drive(new_m, 4)), NONE)


class TestStream(WireCase):
    GOOD = drive(40, 4) + frame() * 12 + drive(4, 40, step=2) + frame() * 12

    def test_cut_between_two_samples_at_every_byte(self):
        for cut in range(40, len(self.GOOD), 5):
            self.connect()
            before, after = self.poll(self.GOOD[:cut]), self.poll(self.GOOD[cut:])
            self.assertEqual([a + b for a, b in zip(before[:2], after[:2])], [1, 1], cut)

    def test_garbage_between_frames(self):
        random = Random(17)
        for _ in range(40):
            self.connect()
            data = b""
            for m in range(40, 3, -1):
                if random.below(4) == 0:
                    noise = random.bytes(random.below(80))
                    data += (noise, EXAMPLE[: random.below(27)], END_ACK)[random.below(3)]
                data += frame((m, 1, 50))
            self.assertEqual(self.poll(data + EMPTY * 4), (1, 0, None))

    def test_a_byte_lost_at_every_place(self):
        for lost in range(0, len(self.GOOD), 3):
            self.connect()
            data = self.GOOD[:lost] + self.GOOD[lost + 1 :]
            self.assertEqual(self.poll(data)[:2], (1, 1), lost)

    def test_more_than_the_buffer_holds(self):
        self.assertEqual(self.poll(self.GOOD * 3)[:2], (3, 3))

    def test_silent_and_broken(self):
        self.wire.answers = {}
        self.assertFault(SILENT, b"")
        for data in (b"\x00", bytes(900), EXAMPLE[:26], Random(3).bytes(1500), EXAMPLE[:4] * 99):
            self.connect()
            self.assertFault(FRAME, data)

    def test_nothing_moves_and_nothing_is_told(self):
        """Some modules do so: then it is asked."""
        waits = []
        self.assertEqual(sample(self.radar, waits), NONE)
        self.assertEqual((self.wire.commands, waits), ([ENABLE, END], [0, 100, 100]))
        self.assertEqual(self.poll(drive(30, 4)), (1, 0, None))
        self.assertEqual(self.poll(drive(60, 24)), NONE)
        self.assertEqual(self.poll(b""), NONE)
        self.assertEqual(self.poll(drive(20, 4)), NONE)  # after that, it is another
        self.wire.answers = {ENABLE: ENABLE_ACK}
        self.assertFault(SILENT, b"")  # it did not leave the mode

    def test_frozen(self):
        standing = frame((30, 1, 50))
        self.assertEqual(self.poll(standing * 60), NONE)
        self.assertEqual(self.poll(EMPTY * 600), NONE)  # these are always the same
        self.assertEqual(self.poll(frame((29, 1, 50)) + standing * 99), NONE)
        self.assertFault(FROZEN, standing)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 5), 2000)


class ChipCase(unittest.TestCase):
    """The driver on the chip model, sampled every 3 s as the node does."""

    def setUp(self):
        self.now_ms = 0
        self.signals = Signals()
        self.connect()

    def connect(self, **options):
        self.options = options
        self.chip = Chip(self.signals, **options)
        self.line = UartLine(lambda: self.now_ms, self.chip, LD2451.BAUD, LD2451.RXBUF)
        self.total = [0, 0]
        self.speeds = []
        self.faults = []
        self.radar = None

    def sample(self):
        """As pipeline/sample.py: a driver that failed is made anew."""
        values = None
        try:
            if self.radar is None:
                self.radar = LD2451(self.line, **self.options)
            self.now_ms += self.radar.start()
            values = self.radar.read()
            while isinstance(values, int):
                self.now_ms += values
                values = self.radar.read()
        except SensorFault as err:
            values = self.radar = None
            self.faults.append(err.args[0])
        if values:
            self.total[0] += values[0]
            self.total[1] += values[1]
            if values[2] is not None:
                self.speeds.append(values[2])
        return values

    def run_for(self, duration_ms):
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.now_ms += 3000 - self.now_ms % 3000
            self.sample()

    def settle(self, vehicles=()):
        self.signals.extend(self.now_ms + 3_600_000, {}, {"vehicles": [list(v) for v in vehicles]})
        self.run_for(6000)
        self.assertEqual(self.faults, [])
        self.total = [0, 0]

    def recovers(self, vehicles):
        """Within two samples; then it counts again."""
        self.run_for(6000)
        self.faults = []
        self.total = [0, 0]
        self.run_for(120_000)
        self.assertEqual((self.total, self.faults), (vehicles, []))


def every_minute(direction, count=20):
    return [(k * 60_000, direction, 14_000) for k in range(1, count)]


class TestWithChip(ChipCase):
    def test_each_direction_and_speed(self):
        for speed_mmps in (6000, 9999, 14_000, 17_000, 33_000):
            for direction, wanted in ((1, [3, 0]), (-1, [0, 3])):
                self.setUp()
                self.settle([(k * 30_000, direction, speed_mmps) for k in (1, 2, 3)])
                self.run_for(110_000)
                self.assertEqual((self.total, self.faults), (wanted, []))
                self.assertEqual(len(self.speeds), 1)
                self.assertTrue(abs(self.speeds[0] - speed_mmps) <= 140)  # 0.5 km/h

    def test_a_busy_street(self):
        random = Random(4)
        for approaching in (0, 1):  # whatever the direction byte says
            self.setUp()
            self.chip.approaching = approaching
            vehicles, time_ms, wanted = [], 20_000, [0, 0]
            while time_ms < 900_000:
                time_ms += 1000 + random.below(8000)
                direction = random.below(2) * 2 - 1
                vehicles.append((time_ms, direction, 6000 + random.below(11_001)))
                wanted[direction < 0] += 1
            self.settle(vehicles)
            self.run_for(920_000)
            self.assertEqual((self.total, self.faults), (wanted, []))

    def test_told_eight_seconds_ahead(self):
        """As the conductor does."""
        self.signals.extend(3000, {}, {"vehicles": []}, known_ms=11_000)
        wanted = [0, 0]
        for step in range(1, 60):
            begin = 3000 * step
            events = [[begin + 8000 + 1500, 1 if step % 3 else -1, 6000 + 190 * step]]
            wanted[0 if step % 3 else 1] += 1
            self.signals.extend(begin + 3000, {}, {"vehicles": events}, known_ms=begin + 11_000)
            self.now_ms = begin + 3000
            self.sample()
        self.signals.extend(400_000, {}, {"vehicles": []})
        self.run_for(60_000)
        self.assertEqual((self.total, self.faults), (wanted, []))

    def test_slower_than_told_is_no_vehicle(self):
        self.connect(min_kmh=30)
        self.settle([(30_000, 1, 8000), (60_000, 1, 9000)])
        self.run_for(90_000)
        self.assertEqual(self.total, [1, 0])

    def test_each_fault_and_recovery(self):
        self.settle(every_minute(1))
        for fault in ("short", "range"):
            self.chip.fault = fault
            self.run_for(6000)
            self.assertEqual(self.faults[:1], [FRAME])
            self.chip.fault = None
            self.recovers([2, 0])

    def test_frozen(self):
        self.settle(every_minute(1))
        self.chip.fault = "frozen"
        self.run_for(15_000)
        self.assertEqual(self.faults, [FROZEN])
        self.chip.fault = None
        self.run_for(24_000)
        self.recovers([2, 0])

    def test_bytes_lost_and_brown_out(self):
        self.settle(every_minute(-1))
        self.chip.wire = "loses"
        self.run_for(6000)
        self.assertEqual(self.faults[0], FRAME)
        self.chip.wire = None
        self.recovers([0, 2])
        self.chip.wire = "brown-out"  # each time it is read: a frame that breaks off, and a second
        self.run_for(6000)
        self.assertEqual([reason for reason in self.faults if reason not in (FRAME, SILENT)], [])
        self.chip.wire = None
        self.recovers([0, 2])

    def test_unplug_and_replug(self):
        self.settle(every_minute(-1, 30))
        for powered_by_hand in (False, True):
            self.chip.plugged = False
            self.run_for(60_000)
            self.assertEqual([reason for reason in self.faults if reason != SILENT], [])
            self.assertTrue(len(self.faults) >= 20)
            self.chip.plugged = True
            if powered_by_hand:
                self.chip.power_on(self.now_ms)
            self.recovers([0, 2])

    def test_a_module_that_tells_nothing_while_nothing_moves(self):
        self.chip.tells_nothing = True
        self.settle(every_minute(1))
        self.run_for(120_000)
        self.assertEqual((self.total, self.faults), ([2, 0], []))
        self.chip.plugged = False
        self.run_for(6000)
        self.assertEqual(self.faults[0], SILENT)
        self.chip.plugged = True
        self.recovers([2, 0])

    def test_at_another_baud_rate(self):
        self.signals.extend(60_000, {}, {})
        self.line = UartLine(lambda: self.now_ms, self.chip, 256_000, 4096)
        self.run_for(9000)
        self.assertEqual(self.faults[-1], FRAME)

    def test_bluetooth_is_off_for_good(self):
        self.assertTrue(self.chip.bluetooth)
        self.settle()
        self.assertFalse(self.chip.bluetooth)
        self.chip.power_on(self.now_ms)
        self.assertFalse(self.chip.bluetooth)

    def test_a_module_without_bluetooth(self):
        self.chip.knows_bluetooth = False
        self.settle(every_minute(1))
        self.run_for(120_000)
        self.assertEqual((self.total, self.faults), ([2, 0], []))

    def test_a_node_that_was_away_for_long(self):
        self.settle([(600_000, 1, 14_000)])
        self.now_ms += 500_000
        self.assertEqual(self.sample(), NONE)
        self.run_for(120_000)
        self.assertEqual((self.total, self.faults), ([1, 0], []))


class TestChip(ChipCase):
    """What the chip says, byte by byte."""

    def setUp(self):
        ChipCase.setUp(self)
        self.signals.extend(3_600_000, {}, {})

    def say(self, command):
        self.chip.transmit(self.now_ms)
        self.chip.receive(self.now_ms, command)
        self.now_ms += 50
        return self.chip.transmit(self.now_ms)

    def test_ten_frames_a_second(self):
        self.chip.transmit(5000)
        self.assertEqual(self.chip.transmit(5099), b"")
        self.assertEqual(self.chip.transmit(5100), EMPTY)
        self.assertEqual(self.chip.transmit(8100), EMPTY * 30)

    def test_commands(self):
        self.now_ms = 5000
        self.assertEqual(self.say(READ_DETECT), b"")  # invalid before it is enabled
        self.assertEqual(self.say(ENABLE), ENABLE_ACK)
        self.now_ms += 3000
        self.assertEqual(self.chip.transmit(self.now_ms), b"")  # no frames meanwhile
        self.assertEqual(self.say(READ_DETECT), READ_DETECT_ACK)  # the manual's values
        self.assertEqual(self.say(READ_SENSITIVITY), READ_SENSITIVITY_ACK)
        self.assertEqual(self.say(DETECT), DETECT_ACK)
        changed = READ_DETECT_ACK[:10] + DETECT[8:12] + READ_DETECT_ACK[-4:]
        self.assertEqual(self.say(READ_DETECT), changed)
        self.assertEqual(self.say(DETECT_EXAMPLE), DETECT_ACK)
        self.assertEqual(self.say(READ_DETECT), READ_DETECT_ACK)
        self.assertEqual(self.say(END)[: len(END_ACK)], END_ACK)
        self.say(ENABLE)
        self.assertEqual(self.say(RESTART), RESTART_ACK)
        self.now_ms += 1000
        self.assertEqual(self.chip.transmit(self.now_ms), EMPTY)

    def test_from_the_factory_it_tells_of_those_who_come_nearer_only(self):
        events = [[40_000, 1, 14_000], [50_000, -1, 14_000]]
        self.signals.extend(3_600_000, {}, {"vehicles": events}, known_ms=3_600_001)
        chip = Chip(self.signals)
        chip.transmit(35_000)
        self.assertTrue(len(chip.transmit(45_000)) > 100 * len(EMPTY))
        self.assertEqual(chip.transmit(60_000)[-50:], EMPTY * 5)
        self.assertEqual(len(chip.transmit(70_000)), 100 * len(EMPTY))


if __name__ == "__main__":
    unittest.main()
