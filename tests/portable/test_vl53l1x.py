# SPDX-License-Identifier: MIT
"""node/drivers/vl53l1x.py with simulator/chips/vl53l1x.py: people through a doorway."""

import unittest

from driver_fixture import Random, failure

from node.drivers.vl53l1x import VL53L1X
from node.errors import CHIP_ID, FROZEN, RANGE, SILENT, SensorFault
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.vl53l1x import VL53L1X as Chip

ENODEV, ETIMEDOUT = 19, 116
LEARN_MS = 3000


class Replay:
    """An I2C bus with results that a test says; notes what is written."""

    def __init__(self, results):
        self.results = list(results)  # (status, mm)
        self.written = []
        self.noise = 0
        self.polarity = 0x01

    def writeto(self, address, data):
        self.written.append(bytes(data))

    def readfrom_mem_into(self, address, register, into, *, addrsize=8):
        if register == 0x010F:
            into[:] = b"\xea\xcc"
        elif register == 0x0030:
            into[0], into[1] = self.polarity, 1 if self.results else 0
        else:
            status, mm = self.results.pop(0)
            self.noise += 1
            into[:] = (
                bytes((status, 0, 1, self.noise & 255))
                + bytes(9)
                + bytes((mm >> 8, mm & 255))
                + bytes(2)
            )


def polled(results, **options):
    """What the driver counts over the results, after it has learnt a floor at 2 m."""
    learn = [] if "max_mm" in options else [(9, 2000)] * 32
    bus = Replay([(9, 2000)] + learn + list(results))
    door = VL53L1X(bus, **options)
    while bus.results:
        door.poll()
    return door.read()


def walk(path, near=900):
    """Results for a path of states: bit 0 is the half of SPAD 167."""
    told = []
    for here in path:
        told += [(9, near if here & 1 else 2000), (9, near if here & 2 else 2000)]
    return told


class Bench(unittest.TestCase):
    options = {}

    def setUp(self):
        self.now = 0
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now)
        self.chip = Chip(self.signals, **self.options)
        self.bus.attach(0x29, self.chip)
        self.now = 5000

    def tell(self, people, duration_ms=20_000):
        self.signals.extend(self.now + duration_ms, {}, {"door": people})

    def run_for(self, door, duration_ms):
        """Polls as pipeline/watch.py does."""
        end = self.now + duration_ms
        while self.now < end:
            self.now = min(end, self.now + door.poll())

    def running(self):
        door = VL53L1X(self.bus, **self.options)
        self.run_for(door, LEARN_MS)
        self.assertEqual(door.read(), (0, 0))
        return door

    def count(self, door, people):
        """Lets people through, [(after ms, direction), …], and reads."""
        at, told = self.now, []
        for after_ms, direction in people:
            at += after_ms
            told.append([at, direction, 2000 + at % 7000])
        self.tell(told, at + 3000 - self.now)
        self.run_for(door, at + 3000 - self.now)
        door.start()
        return door.read()

    def sound(self, door):
        self.assertEqual(self.count(door, [(2000, 1), (2000, -1), (2000, 1)]), (2, 1))


class TestDatasheet(unittest.TestCase):
    def test_configuration(self):
        """UM2510 (STSW-IMG009), default configuration, 0x2D to 0x87, in the lines of its listing:
        what differs is the budget (its words for 33 ms) and the region (8 x 16 around 167)."""
        st = (
            b"\x00\x00\x00\x01\x02\x00\x02\x08\x00\x08\x10\x01\x01\x00\x00\x00\x00\xff\x00\x0f\x00"
            b"\x00\x00\x00\x00\x20\x0b\x00\x00\x02\x0a\x21\x00\x00\x05\x00\x00\x00\x00\xc8\x00\x00"
            b"\x38\xff\x01\x00\x08\x00\x00\x01\xcc\x0f\x01\xf1\x0d\x01\x68\x00\x80\x08\xb8\x00\x00"
            b"\x00\x00\x0f\x89\x00\x00\x00\x00\x00\x00\x00\x01\x0f\x0d\x0e\x0e\x00\x00\x02\xc7\xff"
            b"\x9b\x00\x00\x00\x01\x00\x00"
        )
        self.assertEqual(len(st), 0x88 - 0x2D)
        bus = Replay([])
        VL53L1X(bus)
        block = next(data for data in bus.written if len(data) > 9)
        self.assertEqual(block[:2], b"\x00\x2d")
        self.assertEqual(len(block), 2 + len(st))
        differ = [0x2D + i for i in range(len(st)) if block[2 + i] != st[i]]
        self.assertEqual(differ, [0x5E, 0x5F, 0x61, 0x62, 0x7F, 0x80])
        self.assertEqual([block[2 + r - 0x2D] for r in differ], [0, 0x60, 0, 0x6E, 167, 0xF7])

    def test_range_status(self):
        """UM2356, range status, by ST's table of what the device says: 9 and 19 are a range; 4, 5
        and 7 are nobody near; 6 and 8 cannot be used; 1 to 3 are the part's own defects."""
        passage = [
            (9, 2000),
            (9, 900),
            (9, 900),
            (9, 900),
            (9, 900),
            (9, 2000),
            (9, 2000),
            (9, 2000),
        ]
        passage = [(9, 2000)] + passage  # of 167, of 231, …
        for status in (9, 19):
            told = [(status, mm) for _, mm in passage]
            self.assertEqual(sum(polled(told)), 1)
        for status in (4, 5, 7):  # the range beside it may be anything
            told = [(9, mm) if mm < 1000 else (status, 300) for _, mm in passage]
            self.assertEqual(sum(polled(told)), 1)
        for status in (6, 8, 0, 31):
            told = [(9, mm) if mm > 1000 else (status, mm) for _, mm in passage]
            self.assertEqual(polled(told), (0, 0))
        for status in (1, 2, 3):
            self.assertEqual(failure(polled, [(status, 2000)]), RANGE)

    def test_regions(self):
        """UM2555: regions of 8 x 16 SPADs around 167 and 231, in turn, each from a start."""
        bus = Replay([(9, 2000)] * 6)
        door = VL53L1X(bus)
        del bus.written[:]
        for _ in range(5):
            door.poll()
        centres = [data[2] for data in bus.written if data[:2] == b"\x00\x7f"]
        self.assertEqual(centres, [167, 231, 167, 231, 167])
        orders = [data for data in bus.written if data[1] in (0x86, 0x87)]
        self.assertEqual(orders, [b"\x00\x86\x01\x00", b"\x00\x87\x40"] * 5)


class TestPaths(unittest.TestCase):
    def test_in_and_out(self):
        self.assertEqual(polled(walk((0, 1, 3, 2, 0))), (0, 1))
        self.assertEqual(polled(walk((0, 2, 3, 1, 0))), (1, 0))
        self.assertEqual(polled(walk((0, 1, 1, 3, 3, 3, 2, 0))), (0, 1))
        self.assertEqual(polled(walk((0, 2, 3, 1, 0, 1, 3, 2, 0, 2, 3, 1, 0))), (2, 1))

    def test_inverted(self):
        self.assertEqual(polled(walk((0, 1, 3, 2, 0)), invert=1), (1, 0))
        self.assertEqual(polled(walk((0, 2, 3, 1, 0)), invert=1), (0, 1))

    def test_who_turns_back_is_not_counted(self):
        for path in (
            (0, 1, 0), (0, 2, 0), (0, 1, 3, 1, 0), (0, 2, 3, 2, 0), (0, 1, 3, 2, 3, 1, 0),
            (0, 1, 2, 0),
        ):  # fmt: skip
            self.assertEqual(polled(walk(path)), (0, 0))
        self.assertEqual(polled(walk((0, 1, 3, 1, 3, 2, 0))), (0, 1))
        self.assertEqual(polled(walk((0, 1, 3, 2, 3, 2, 0))), (0, 1))

    def test_thresholds(self):
        for near, options, counted in (
            (1690, {}, 1),  # 85 % of 2 m
            (1710, {}, 0),
            (1390, {"max_permille": 700}, 1),
            (1410, {"max_permille": 700}, 0),
            (1190, {"max_mm": 1200}, 1),
            (1200, {"max_mm": 1200}, 0),
            (399, {"min_mm": 400}, 0),
            (400, {"min_mm": 400}, 1),
        ):
            self.assertEqual(polled(walk((0, 1, 3, 2, 0), near), **options), (0, counted))

    def test_nothing_is_told_before_the_floor_is_known(self):
        bus = Replay([(9, 2000)] * 40)
        door = VL53L1X(bus)
        for polls in range(1, 41):
            door.poll()
            self.assertEqual(door.read(), None if polls < 33 else (0, 0))

    def test_somebody_in_the_way_at_the_start(self):
        """The floor is learnt from what is steady."""
        people = [(9, 700 + 90 * (i % 5)) for i in range(60)]
        bus = Replay([(9, 2000)] + people + [(9, 2000)] * 40 + walk((0, 2, 3, 1, 0)))
        door = VL53L1X(bus)
        while bus.results:
            door.poll()
        self.assertEqual(door.read(), (1, 0))

    def test_somebody_who_stood_still_at_the_start(self):
        told = walk((0,) * 60, 700) + walk((0, 2, 3, 1, 0))
        bus = Replay([(9, 700)] * 81 + told)
        door = VL53L1X(bus)
        while bus.results:
            door.poll()
        self.assertEqual(door.read(), (1, 0))

    def test_furniture(self):
        """What stays in the doorway for more than a minute becomes the floor."""
        told = [(9, 1000)] * 2000
        for here in (0, 2, 3, 1, 0):
            told += [(9, 400 if here & 1 else 1000), (9, 400 if here & 2 else 1000)]
        self.assertEqual(polled(told), (1, 0))


class TestDoor(Bench):
    def test_people(self):
        self.sound(self.running())

    def test_many_people(self):
        door, random = self.running(), Random(7)
        for _ in range(2):
            people = [(1 + random.below(4000), random.below(2) * 2 - 1) for _ in range(60)]
            going_in = len([1 for _, direction in people if direction > 0])
            self.assertEqual(
                self.count(door, people + [(90_000, 1)]), (going_in + 1, 60 - going_in)
            )

    def test_nobody(self):
        door = self.running()
        for _ in range(4):
            self.assertEqual(self.count(door, []), (0, 0))

    def test_one_who_crosses_a_sampling_time(self):
        door = self.running()
        self.tell([[self.now + 1000, 1, 3000]])
        total = 0
        for _ in range(20):
            self.run_for(door, 137)
            total += door.read()[0]
        self.assertEqual(total, 1)

    def test_busy_for_a_while(self):
        """Who goes through while the node is busy is not seen, and disturbs nothing."""
        door = self.running()
        self.tell([[self.now + 10_000, 1, 3000]])
        self.now += 9900
        door.poll()
        self.now += 30_000
        self.run_for(door, 1000)
        self.assertEqual(door.read(), (0, 0))
        self.sound(door)


class TestTurned(Bench):
    options = {"invert": 1, "max_mm": 1500}

    def test_people(self):
        self.sound(self.running())


class TestChip(Bench):
    def register(self, at, size=1):
        return self.bus.readfrom_mem(0x29, at, size, addrsize=16)

    def test_identity_and_start(self):
        self.assertEqual(self.register(0x010F, 3), b"\xea\xcc\x10")
        self.assertEqual(self.register(0x00E5), b"\x03")
        self.chip.power_on(self.now)
        self.assertEqual(failure(self.register, 0x010F), ENODEV)
        self.now += 2
        self.assertEqual(self.register(0x0001), b"\x29")

    def test_ready_follows_the_polarity(self):
        for polarity, idle, ready in ((0x01, 0, 1), (0x11, 1, 0)):
            self.bus.writeto_mem(0x29, 0x30, bytes((polarity,)), addrsize=16)
            self.bus.writeto_mem(0x29, 0x5E, b"\x00\x60", addrsize=16)
            self.bus.writeto_mem(0x29, 0x87, b"\x40", addrsize=16)
            self.now += 30
            self.assertEqual(self.register(0x31)[0] & 1, idle)
            self.now += 10
            self.assertEqual(self.register(0x31)[0] & 1, ready)
            self.bus.writeto_mem(0x29, 0x86, b"\x01", addrsize=16)
            self.assertEqual(self.register(0x31)[0] & 1, idle)
            self.now += 40
            self.assertEqual(self.register(0x31)[0] & 1, ready)
            self.bus.writeto_mem(0x29, 0x86, b"\x01\x00", addrsize=16)
            self.now += 400
            self.assertEqual(self.register(0x31)[0] & 1, idle)

    def test_ranges_have_noise(self):
        self.bus.writeto_mem(0x29, 0x87, b"\x40", addrsize=16)
        seen = set()
        for _ in range(50):
            self.now += 200
            self.register(0x31)
            seen.add(self.register(0x96, 2))
            self.bus.writeto_mem(0x29, 0x86, b"\x01", addrsize=16)
        self.assertTrue(5 <= len(seen) <= 9)


class TestFaults(Bench):
    def found(self, door, duration_ms=8000):
        return failure(self.run_for, door, duration_ms)

    def recovers(self):
        self.sound(self.running())

    def test_not_there(self):
        self.chip.plugged = False
        self.assertEqual(failure(VL53L1X, self.bus), ENODEV)
        self.chip.plugged = True
        self.now += 5
        self.assertEqual(failure(VL53L1X, self.bus), ENODEV)  # starts when it is looked at
        self.now += 5
        self.recovers()

    def test_another_chip(self):
        self.chip.fault = "chip id"
        self.assertEqual(failure(VL53L1X, self.bus), CHIP_ID)
        self.chip.fault = None
        self.recovers()

    def test_what_the_chip_can_play(self):
        for fault, reason in (
            ("range", RANGE),
            ("defect", RANGE),
            ("frozen", FROZEN),
            ("idle", SILENT),
        ):
            door = self.running()
            self.chip.fault = fault
            self.assertEqual(self.found(door), reason)
            door = VL53L1X(self.bus)  # made anew while it lasts
            self.assertTrue(failure(self.run_for, door, 8000) in (reason, SILENT))
            self.chip.fault = None
            self.recovers()

    def test_sunlight_from_the_start(self):
        self.chip.fault = "range"
        door = VL53L1X(self.bus)
        self.assertEqual(self.found(door), RANGE)
        self.assertEqual(door.read(), None)

    def test_no_floor(self):
        bus = Replay([(4, 0)] * 400)
        door = VL53L1X(bus)

        def poll_all():
            while bus.results:
                door.poll()

        self.assertEqual(failure(poll_all), RANGE)
        self.assertEqual(polled([(4, 0)] * 400, max_mm=1500), (0, 0))

    def test_unplugged_and_put_back(self):
        door = self.running()
        self.chip.plugged = False
        self.assertEqual(self.found(door), ENODEV)
        self.chip.plugged = True
        failure(VL53L1X, self.bus)
        self.now += 5000
        self.recovers()

    def test_power_lost_unseen(self):
        """Its configuration is gone, and it does not measure."""
        door = self.running()
        self.chip.plugged = False
        self.chip.plugged = True
        failure(door.poll)
        self.now += 10
        self.assertEqual(self.found(door, 1000), SILENT)
        self.recovers()

    def test_wires(self):
        for wire in ("stretch", "stuck"):
            door = self.running()
            self.chip.wire = wire
            self.assertEqual(self.found(door), ETIMEDOUT)
            self.chip.wire = None
            self.recovers()

    def test_a_driver_made_anew_while_it_ranges(self):
        self.running()
        self.now += 17
        self.recovers()


def fuzz(count, seed):
    """Random results and flags: only faults, counts that cannot exceed the passages there were."""
    random = Random(seed)
    bus = door = None
    tried = 0
    while tried < count:
        if door is None:
            bus = Replay([])
            door = VL53L1X(bus, max_mm=random.below(2) * 1500, invert=random.below(2))
        status = random.below(256) if random.below(3) == 0 else 9
        bus.results.append((status, random.below(65_536) if random.below(4) == 0 else 300))
        if random.below(9) == 0:
            bus.results[-1] = (9, 2000)
        tried += 1
        try:
            wait_ms = door.poll()
            values = door.read() if random.below(20) == 0 else None
        except (SensorFault, OSError):
            door = None
            continue
        if not 0 < wait_ms < 1000 or len(bus.results) > 1:
            raise ValueError("poll")
        if values is not None and not (len(values) == 2 and 0 <= sum(values) <= tried):
            raise ValueError("counts")
    return tried


class TestFuzz(unittest.TestCase):
    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 5), 2000)


if __name__ == "__main__":
    unittest.main()
