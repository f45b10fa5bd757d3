# SPDX-License-Identifier: MIT
"""node/drivers/ld2450.py against hand-made frames and against the chip model."""

import unittest
from binascii import unhexlify
from struct import pack

from count_fixture import CountBench
from driver_fixture import Random, Waiting, mutated

from node.drivers.ld2450 import LD2450
from node.errors import FRAME, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.ld2450 import LD2450 as Chip

# Manual V1.00, section 6: one target at x = -782 mm, y = 1713 mm, -16 cm/s, resolution 320 mm.
EXAMPLE = unhexlify("aaff0300" + "0e03b18610004001" + 2 * "0000000000000000" + "55cc")

# Serial protocol V1.03, sections 2.2.1, 2.2.2, 2.2.9, 2.2.10
ENABLE = unhexlify("fdfcfbfa0400ff00010004030201")
ENABLE_ACK = unhexlify("fdfcfbfa0800ff0100000100400004030201")
END = unhexlify("fdfcfbfa0200fe0004030201")
END_ACK = unhexlify("fdfcfbfa0400fe01000004030201")
RESTART = unhexlify("fdfcfbfa0200a30004030201")
RESTART_ACK = unhexlify("fdfcfbfa0400a301000004030201")
BLUETOOTH_OFF = unhexlify("fdfcfbfa0400a400000004030201")
BLUETOOTH_ACK = unhexlify("fdfcfbfa0400a401000004030201")


def signed(value):
    return 0x8000 + value if value > 0 else -value


def frame(*targets):
    """A data frame; a target is (x, y) or None."""
    body = b""
    for target in (targets + (None,) * 3)[:3]:
        if target is None:
            body += bytes(8)
        else:
            body += pack("<HHHH", signed(target[0]), signed(target[1]), 0, 320)
    return b"\xaa\xff\x03\x00" + body + b"\x55\xcc"


def walk(from_x, to_x, step=100, y=2000):
    """Frames of one person."""
    step = step if to_x > from_x else -step
    return b"".join([frame((x, y)) for x in range(from_x, to_x + (1 if step > 0 else -1), step)])


class Wire(Waiting):
    """A UART at whose other end a test sits; configuration commands are acknowledged."""

    acknowledges = True

    def __init__(self):
        Waiting.__init__(self)
        self.commands = []

    def write(self, data):
        self.commands.append(bytes(data))
        answers = {ENABLE: ENABLE_ACK, BLUETOOTH_OFF: BLUETOOTH_ACK}
        if self.acknowledges:
            self.waiting += answers.get(bytes(data), b"")


class WireCase(unittest.TestCase):
    """Frames written by hand."""

    def setUp(self):
        self.connect()

    def connect(self, line_x_mm=0):
        self.wire = Wire()
        self.radar = LD2450(self.wire, line_x_mm=line_x_mm)
        for _ in range(2):
            self.radar.start()
            self.assertIsNone(self.radar.read())

    def poll(self, data):
        self.wire.waiting += data
        self.assertEqual(self.radar.start(), 0)
        return self.radar.read()

    def assertFault(self, reason, data):
        try:
            self.poll(data)
        except SensorFault as err:
            self.assertEqual(err.args, (reason,))  # and nothing else
        else:
            self.fail("no fault")


def fuzz(count, seed):
    """Pieces of a stream: frames with targets anywhere, mutated, cut and doubled, bytes by chance,
    acknowledgements; returns how many."""
    random = Random(seed)
    wire = Wire()
    radar = LD2450(wire)
    for tried in range(count):
        if tried % 500 == 0:
            wire.waiting = b""
            radar = LD2450(wire, line_x_mm=random.below(4000) - 2000)
            for _ in range(2):
                radar.start()
                radar.read()
        targets = [(random.below(16_200) - 8100, random.below(8100)) for _ in range(3)]
        good = frame(*targets[: random.below(4)])
        kind = random.below(8)
        wire.waiting = mutated(random, good) + (mutated(random, good) if kind & 1 else b"")
        if kind == 6:
            wire.waiting = frame() * random.below(34) + good[: random.below(30)]
        elif kind == 7:
            wire.waiting += END_ACK + walk(-300, 300)
        most = 3 * (len(wire.waiting) // len(good) + 1)
        radar.start()
        try:
            counts = radar.read()
        except SensorFault:
            continue
        if len(counts) != 2 or min(counts) < 0 or sum(counts) > most or wire.waiting:
            raise AssertionError("more than there were")
    return count


class TestFrames(WireCase):
    def test_the_manuals_example(self):
        self.assertEqual(frame((-782, 1713))[:8], EXAMPLE[:8])
        # The driver tells no position, but -782 is further than its margin of 100 mm from a line
        # at -681 and at -883, and not from one a millimetre nearer.
        for line_x_mm, next_x, counts in (
            (-681, -500, (1, 0)),
            (-682, -500, (0, 0)),
            (-882, -1100, (0, 0)),
            (-883, -1100, (0, 1)),
        ):
            self.connect(line_x_mm)
            self.assertEqual(self.poll(EXAMPLE), (0, 0))
            self.assertEqual(self.poll(frame((next_x, 1713))), counts, line_x_mm)

    def test_the_chip_writes_the_example(self):
        signals = Signals()
        chip = Chip(signals)
        # At 0.41 m/s along x, -782 mm is 1.907 s before the crossing, and -16 cm/s by the radar.
        signals.extend(60_000, {}, {"people": [[30_007, 1, 410, 1713]]})
        chip.transmit(28_000)
        self.assertEqual(chip.transmit(28_100), EXAMPLE)


class TestCrossings(WireCase):
    def test_both_directions(self):
        self.assertEqual(self.poll(walk(-1000, 1000)), (1, 0))
        self.assertEqual(self.poll(walk(1000, -1000)), (0, 1))
        self.assertEqual(self.poll(frame()), (0, 0))  # what was told is not told again

    def test_over_two_samples(self):
        self.assertEqual(self.poll(walk(-1000, -200)), (0, 0))
        self.assertEqual(self.poll(walk(-100, 1000)), (1, 0))

    def test_at_each_line(self):
        for line_x_mm in (-3000, -1, 0, 1234):
            self.connect(line_x_mm)
            self.assertEqual(self.poll(walk(line_x_mm - 500, line_x_mm + 100)), (0, 0))
            self.assertEqual(self.poll(frame((line_x_mm + 101, 2000))), (1, 0))
            self.assertEqual(self.poll(walk(line_x_mm, line_x_mm - 100, step=50)), (0, 0))
            self.assertEqual(self.poll(frame((line_x_mm - 101, 2000))), (0, 1))

    def test_who_sways_on_the_line_crosses_once(self):
        swaying = b"".join([frame((x, 2000)) for x in (-300, -90, 80, -70, 99, -100, 100)])
        self.assertEqual(self.poll(swaying), (0, 0))
        self.assertEqual(self.poll(walk(0, 500) + walk(400, -90) + walk(0, 300)), (1, 0))

    def test_who_appears_on_the_line_has_no_direction(self):
        self.assertEqual(self.poll(walk(-50, 1000)), (0, 0))
        self.assertEqual(self.poll(walk(900, -900)), (0, 1))  # but is known from then on

    def test_who_turns_back_is_not_counted(self):
        self.assertEqual(self.poll(walk(-1000, -150) + walk(-200, -1000)), (0, 0))

    def test_three_at_once(self):
        data = b""
        for k in range(21):
            x = -1000 + 100 * k
            data += frame((x, 1000), (-x, 2500), (x, 4000))
        self.assertEqual(self.poll(data), (2, 1))

    def test_two_pass_each_other(self):
        for y in (2000, 2050, 2700):  # also when they brush past each other
            for start in (-1000, -1030, -1065):
                self.connect()
                data = b"".join([frame((x, 2000), (-x, y)) for x in range(start, 1100, 130)])
                self.assertEqual(self.poll(data), (1, 1))

    def test_a_target_that_vanishes_for_some_frames(self):
        for missing in range(5):
            self.connect()
            data = walk(-1000, -200) + frame() * missing
            data += walk(-100 + 100 * missing, 1000)
            self.assertEqual(self.poll(data), (1, 0), missing)

    def test_a_target_that_vanishes_for_long_is_somebody_else(self):
        for missing in (5, 6, 10, 11, 21, 30, 100):
            self.connect()
            data = walk(-1000, -200) + frame() * missing + walk(300, 1000)
            self.assertEqual(self.poll(data), (0, 0), missing)

    def test_a_slot_that_somebody_else_gets(self):
        for new_x in (700, 2000, 3900):
            self.connect()
            self.assertEqual(self.poll(walk(-1000, -300) + walk(new_x, new_x + 300)), (0, 0))
        self.connect()  # also when the jump is away from the radar, along the line
        self.assertEqual(self.poll(walk(-1000, -200) + walk(200, 900, y=5000)), (0, 0))
        self.assertEqual(self.poll(walk(800, -1000, y=5000)), (0, 1))

    def test_others_move_up_when_one_leaves(self):
        # The first leaves at x, while the second is before the line at -300, and moves up.
        for x in (350, 1500, 3900):
            for third in (None, (-2500, 3000)):
                self.connect()
                data = frame((x - 100, 2000), (-400, 2100), third)
                data += frame((x, 2000), (-300, 2100), third)
                data += frame((-200, 2100), third, None)
                data += b"".join([frame((k, 2100), third, None) for k in range(-100, 900, 100)])
                self.assertEqual(self.poll(data), (1, 0), (x, third))

    def test_somebody_who_appears_beside_another(self):
        data = frame((-300, 2000)) + frame((-200, 2000), (150, 2300))
        data += b"".join([frame((-300 - k, 2000), (250 + k, 2300)) for k in range(0, 900, 100)])
        self.assertEqual(self.poll(data), (0, 0))

    def test_one_hides_the_other_for_a_moment(self):
        data = b""
        for k in range(21):
            first, second = (-1000 + 100 * k, 1000), (1000 - 100 * k, 3000)
            # At the line the far one is hidden, and the slots come back the other way round.
            data += (
                frame(first, second) if k < 9 else frame(first) if k < 12 else frame(second, first)
            )
        self.assertEqual(self.poll(data), (1, 1))


class TestStream(WireCase):
    GOOD = walk(-500, 500) + frame() * 25 + walk(400, -400, step=200) + frame() * 12
    COUNTS = (1, 1)

    def test_cut_between_two_samples_at_every_byte(self):
        for cut in range(30, len(self.GOOD)):
            self.connect()
            before, after = self.poll(self.GOOD[:cut]), self.poll(self.GOOD[cut:])
            self.assertEqual((before[0] + after[0], before[1] + after[1]), self.COUNTS, cut)

    def test_in_small_pieces(self):
        for size in (30, 31, 44, 59, 97, 301, 959):
            self.connect()
            data, total = self.GOOD + frame() * 40, [0, 0]
            for at in range(0, len(self.GOOD) + size, size):
                total = [a + b for a, b in zip(total, self.poll(data[at : at + size]))]
            self.assertEqual(tuple(total), self.COUNTS, size)

    def test_garbage_between_frames(self):
        random = Random(17)
        for _ in range(60):
            self.connect()
            data = b""
            for at in range(0, len(self.GOOD), 30):
                if random.below(4) == 0:
                    noise = random.bytes(random.below(80))
                    # Also headers with nothing behind them, and acknowledgements.
                    data += (noise, EXAMPLE[: random.below(30)], END_ACK)[random.below(3)]
                data += self.GOOD[at : at + 30]
            self.assertEqual(self.poll(data), self.COUNTS)

    def test_a_byte_lost_at_every_place(self):
        for lost in range(30):
            for at in (0, 5, 12, 20):  # frames
                self.connect()
                place = at * 30 + lost
                self.assertEqual(
                    self.poll(self.GOOD[:place] + self.GOOD[place + 1 :]), self.COUNTS, place
                )

    def test_the_frame_after_a_broken_one_is_good(self):
        for broken in (EXAMPLE[:29], EXAMPLE[1:], EXAMPLE[:9], frame((9000, 1)), EXAMPLE[:4] * 9):
            self.connect()
            data = frame((-400, 2000)) + broken + frame((150, 2000)) + frame() * 20
            self.assertEqual(self.poll(data), (1, 0), broken)

    def test_a_header_that_is_cut_after_garbage(self):
        for cut in range(1, 30):
            self.connect()
            good = frame((150, 2000))
            self.assertEqual(self.poll(frame((-400, 2000)) + bytes(40) + good[:cut]), (0, 0))
            self.assertEqual(self.poll(good[cut:]), (1, 0), cut)

    def test_more_than_the_buffer_holds(self):
        self.assertEqual(self.poll(self.GOOD * 2), (2, 2))

    def test_frames_beyond_the_range_are_broken(self):
        self.assertEqual(self.poll(frame((8000, 8000), (-8000, 1))), (0, 0))
        for bad in ((8001, 2000), (-8001, 2000), (100, 8001)):
            for targets in ((bad,), (None, bad), (None, None, bad)):
                self.connect()
                self.assertFault(FRAME, frame(*targets) * 5)
                self.connect()
                data = walk(-500, -100) + frame(*targets) + walk(100, 500)
                self.assertEqual(self.poll(data), (1, 0))

    def test_silent_and_broken(self):
        self.assertFault(SILENT, b"")
        for data in (
            b"\x00",
            bytes(500),
            EXAMPLE[:29],
            Random(3).bytes(1000),
            b"\xaa\xff\x03\x00" * 99,
        ):
            self.connect()
            self.assertFault(FRAME, data)

    def test_empty_frames_in_runs_and_single(self):
        for count in (1, 9, 10, 11, 29, 30, 31, 32, 33, 64):
            self.connect()
            self.assertEqual(self.poll(walk(-300, -200) + frame() * count), (0, 0))
            # The next ten frames are aligned to nothing.
            self.assertEqual(self.poll(frame() * 7 + walk(300, -300, step=50)), (0, 1))

    def test_fuzz(self):
        self.assertEqual(fuzz(1000, 1), 1000)


class TestBluetooth(WireCase):
    def test_the_commands(self):
        self.assertEqual(self.wire.commands, [ENABLE, BLUETOOTH_OFF, ENABLE, RESTART])

    def test_there_is_a_pause_for_each_answer_and_then_none(self):
        radar = LD2450(Wire())
        for wait_ms in (100, 100):
            self.assertEqual(radar.start(), wait_ms)
            self.assertIsNone(radar.read())
        self.assertEqual(radar.start(), 0)

    def test_what_was_waiting_is_dropped(self):
        wire = Wire()
        wire.waiting = walk(-1000, 1000) + BLUETOOTH_ACK
        LD2450(wire)
        self.assertEqual(wire.waiting, b"")

    def test_a_module_that_does_not_switch_it_off_is_not_used(self):
        wire = Wire()
        wire.acknowledges = False
        radar = LD2450(wire)
        radar.start()
        wire.waiting = frame()
        radar.read()
        radar.start()
        refused = BLUETOOTH_ACK[:8] + b"\x01" + BLUETOOTH_ACK[9:]
        wire.waiting = frame() + refused
        try:
            radar.read()
        except SensorFault as err:
            self.assertEqual(err.args, (FRAME,))
        else:
            self.fail("no fault")
        self.assertTrue(RESTART not in wire.commands)

    def test_nobody_there(self):
        wire = Wire()
        wire.acknowledges = False
        radar = LD2450(wire)
        radar.start()
        try:
            radar.read()
        except SensorFault as err:
            self.assertEqual(err.args, (SILENT,))
        else:
            self.fail("no fault")


class ChipCase(CountBench, unittest.TestCase):
    DRIVER, CHIP = LD2450, Chip

    def cleared(self):
        self.total = [0, 0]

    def add(self, values):
        self.total[0] += values[0]
        self.total[1] += values[1]

    def settle(self, people=()):
        """Two samples of set-up, and the module's restart."""
        self.signals.extend(self.now_ms + 3_600_000, {}, {"people": [list(p) for p in people]})
        self.run_for(12_000)
        self.assertEqual(self.faults, [])


class TestWithChip(ChipCase):
    def test_one_person(self):
        self.settle([(30_000, 1, 1400, 2000)])
        self.run_for(60_000)
        self.assertEqual(self.total, [1, 0])
        self.assertEqual(self.faults, [])

    def test_everybody_is_counted_once(self):
        random, people, expected = Random(23), [], [0, 0]
        time_ms = 30_000
        for _ in range(120):
            direction = random.below(2) * 2 - 1
            people.append(
                (time_ms, direction, 600 + random.below(1400), 1000 + random.below(4000))
            )
            expected[direction < 0] += 1
            time_ms += 7000 + random.below(4000)  # at 0.6 m/s two are in view, never four
        self.settle(people)
        self.run_for(time_ms + 10_000)
        self.assertEqual(self.total, expected)
        self.assertEqual(self.faults, [])
        self.assertEqual(self.line.lost_bytes, 0)

    def test_in_both_directions_at_the_same_moment(self):
        people = []
        for k in range(20):
            time_ms = 30_000 + 15_000 * k
            people += [(time_ms, 1, 1300, 2000), (time_ms + k, -1, 1300, 2000 + 50 * k)]
        self.settle(people)
        self.run_for(400_000)
        self.assertEqual(self.total, [20, 20])

    def test_at_another_line(self):
        self.connect(line_x_mm=-1500)
        self.settle([(30_000, 1, 1000, 2000), (40_000, -1, 1000, 2000), (40_000, 1, 900, 3000)])
        self.run_for(60_000)
        self.assertEqual(self.total, [2, 1])

    def test_nobody_is_lost_between_two_pieces_of_the_world(self):
        self.signals.extend(30_000, {}, {})
        self.run_for(30_000)
        random, expected = Random(5), [0, 0]
        for _ in range(40):
            # The world tells of each only when they are this close to the line, or on it.
            direction = random.below(2) * 2 - 1
            speed, ahead_ms = 600 + random.below(1400), 1 + random.below(2000)
            event = [self.now_ms + ahead_ms, direction, speed, 1000 + random.below(4000)]
            expected[direction < 0] += 1
            self.signals.extend(self.now_ms + 15_000, {}, {"people": [event]})
            self.run_for(15_000)
        self.assertEqual(self.total, expected)

    def test_only_three_are_seen(self):
        people = [(30_000 + k, 1, 1000, 1000 + 900 * k) for k in range(5)]
        self.settle(people)
        self.run_for(60_000)
        self.assertEqual(self.total, [3, 0])

    def test_each_fault_and_recovery(self):
        self.settle([(k * 60_000, 1, 1400, 2000) for k in range(1, 9)])
        for fault in ("short", "range"):
            self.chip.fault = fault
            self.run_for(60_000)
            self.assertTrue(len(self.faults) > 1)
            self.assertEqual([reason for reason in self.faults if reason != FRAME], [])
            self.chip.fault = None
            self.run_for(30_000)
            self.faults = []
            self.total = [0, 0]
            self.run_for(120_000)
            self.assertEqual((self.total, self.faults), ([2, 0], []))

    def test_unplug_and_replug(self):
        self.settle([(k * 60_000, -1, 1400, 2000) for k in range(1, 20)])
        for powered_by_hand in (False, True):
            self.chip.plugged = False
            self.run_for(60_000)
            self.assertEqual([reason for reason in self.faults if reason != SILENT], [])
            self.assertTrue(len(self.faults) >= 20)
            self.chip.plugged = True
            if powered_by_hand:
                self.chip.power_on(self.now_ms)
            self.run_for(30_000)
            self.faults = []
            self.total = [0, 0]
            self.run_for(120_000)
            self.assertEqual((self.total, self.faults), ([0, 2], []))

    def test_a_node_that_was_away_for_long(self):
        self.settle([(600_000, 1, 1400, 2000)])
        self.now_ms += 500_000
        self.assertEqual(self.sample(), (0, 0))  # the buffer is full of what came first
        self.assertTrue(self.line.lost_bytes > 0)
        self.run_for(120_000)
        self.assertEqual((self.total, self.faults), ([1, 0], []))

    def test_at_another_baud_rate(self):
        self.signals.extend(60_000, {}, {})
        self.line = UartLine(lambda: self.now_ms, self.chip, 115_200, 4096)
        self.run_for(9000)
        self.assertEqual(self.faults[-1], FRAME)

    def test_bluetooth_is_off_for_good(self):
        self.assertTrue(self.chip.bluetooth)
        self.settle()
        self.assertFalse(self.chip.bluetooth)
        self.chip.power_on(self.now_ms)
        self.assertFalse(self.chip.bluetooth)


class TestChip(ChipCase):
    """What the chip says, byte by byte."""

    def setUp(self):
        CountBench.setUp(self)
        self.signals.extend(3_600_000, {}, {})

    def say(self, command):
        self.chip.transmit(self.now_ms)
        self.chip.receive(self.now_ms, command)
        self.now_ms += 50
        return self.chip.transmit(self.now_ms)

    def test_ten_frames_a_second(self):
        self.chip.transmit(5000)
        self.assertEqual(self.chip.transmit(5099), b"")
        self.assertEqual(self.chip.transmit(5100), frame())
        self.assertEqual(self.chip.transmit(8100), frame() * 30)

    def test_what_no_buffer_holds_is_not_made(self):
        self.assertTrue(len(self.chip.transmit(3_000_000)) <= 5000)
        self.assertEqual(self.chip.transmit(3_000_100), frame())

    def test_put_back_it_starts_anew(self):
        self.chip.transmit(5000)
        self.chip.plugged = False
        self.chip.plugged = True
        self.assertEqual(self.chip.transmit(65_000), b"")
        self.assertEqual(self.chip.transmit(65_999), b"")
        self.assertEqual(self.chip.transmit(66_100), frame() * 2)

    def test_configuration(self):
        self.now_ms = 5000
        self.assertEqual(self.say(BLUETOOTH_OFF), b"")  # invalid before it is enabled
        self.assertEqual(self.say(ENABLE), ENABLE_ACK)
        self.now_ms += 3000
        self.assertEqual(self.chip.transmit(self.now_ms), b"")  # no frames meanwhile
        self.assertEqual(self.say(ENABLE), ENABLE_ACK)
        self.assertEqual(self.say(BLUETOOTH_OFF), BLUETOOTH_ACK)
        self.assertTrue(self.chip.bluetooth)  # until the restart
        unknown = unhexlify("fdfcfbfa0200770004030201")
        self.assertEqual(self.say(unknown), unhexlify("fdfcfbfa04007701010004030201"))
        self.assertEqual(self.say(END)[: len(END_ACK)], END_ACK)
        self.now_ms += 1000
        self.assertEqual(self.chip.transmit(self.now_ms), frame() * 10)

    def test_restart(self):
        self.now_ms = 5000
        self.assertEqual(self.say(ENABLE + BLUETOOTH_OFF), ENABLE_ACK + BLUETOOTH_ACK)
        self.assertEqual(self.say(RESTART), RESTART_ACK)
        self.assertFalse(self.chip.bluetooth)
        self.assertEqual(self.chip.transmit(self.now_ms + 900), b"")
        self.assertEqual(self.chip.transmit(self.now_ms + 1000), frame())

    def test_a_command_in_pieces_and_after_garbage(self):
        self.now_ms = 5000
        for byte in b"\xfd\xfc" + ENABLE[:-1]:
            self.assertEqual(self.say(bytes((byte,))).replace(frame(), b""), b"")
        self.assertEqual(self.say(ENABLE[-1:]).replace(frame(), b""), ENABLE_ACK)


if __name__ == "__main__":
    unittest.main()
