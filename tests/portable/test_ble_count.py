# SPDX-License-Identifier: MIT
"""node/drivers/ble_count.py with simulator/chips/ble_count.py and simulator/hal/bluetooth.py."""

import unittest
from hashlib import sha256

from bench_fixture import fresh_bench
from driver_fixture import Random, failure

from node.drivers import ble_count
from node.drivers.ble_count import BleCount
from node.errors import RANGE, SILENT
from simulator.buses.signals import Signals
from simulator.chips.ble_count import BleCount as Chip
from simulator.chips.ble_count import resolvable_address
from simulator.hal.bluetooth import BLE

ENODEV, EALREADY = 19, 114
SCAN_RESULT, SCAN_DONE = 5, 6
HOUR_MS = 3_600_000


def address(number, salt=b""):
    """One of many random addresses."""
    digest = sha256(salt + number.to_bytes(4, "big")).digest()
    return bytes((digest[0] & 0x3F | 0x40,)) + digest[1:6]


class Quiet:
    """A radio that hears what a test says."""

    def __init__(self):
        self.handler = None
        self.is_on = True
        self.calls = []

    def active(self, active=None):
        self.is_on = self.is_on if active is None else active
        return self.is_on

    def irq(self, handler):
        self.handler = handler

    def gap_scan(self, *args):
        self.calls.append(args)

    def say(self, addr, kind=1, dbm=-60, payload=b""):
        self.handler(SCAN_RESULT, (kind, memoryview(addr), 0, dbm, memoryview(payload)))


def opened(**options):
    """A radio and a driver that has just opened a period."""
    ble = Quiet()
    driver = BleCount(ble, **options)
    driver.start()
    if driver.read() is not None:
        raise ValueError("opened twice")
    return ble, driver


class TestSketch(unittest.TestCase):
    def test_none(self):
        _, driver = opened()
        self.assertEqual([driver.read() for _ in range(3)], [(0,)] * 3)

    def test_each_counts_once(self):
        ble, driver = opened()
        for _ in range(49):
            for number in range(5):
                ble.say(address(number))
        self.assertEqual(driver.read(), (5,))
        for number in range(7):
            ble.say(address(number))
        self.assertEqual(driver.read(), (7,))
        self.assertEqual(driver.read(), (0,))

    def test_error(self):
        """1.6 % of 100, 1.2 % of 2000, 1.7 % of 10000 as standard errors: five of them, and five
        of the mean's, which has no bias."""
        for count, rounds, most_permille, mean_permille in (
            (10, 20, 200, 40), (100, 16, 80, 20), (2000, 5, 60, 27), (9000, 1, 80, 80),
        ):  # fmt: skip
            ble, driver = opened()
            total = 0
            for turn in range(rounds):
                for number in range(count):
                    ble.say(address(number, bytes((turn,))))
                (found,) = driver.read()
                self.assertTrue(abs(found - count) * 1000 <= count * most_permille)
                total += found
            self.assertTrue(abs(total - count * rounds) * 1000 <= count * rounds * mean_permille)

    def test_addresses_that_follow_each_other(self):
        ble, driver = opened()
        for number in range(2000):
            ble.say(b"\x40\x11\x22\x33" + number.to_bytes(2, "big"))
        self.assertTrue(abs(driver.read()[0] - 2000) <= 400)

    def test_one_address_more_changes_little(self):
        """By less than 2, up to 2838: what the policy's contribution rests on."""
        ble, driver = opened()
        before = 0
        for number in range(3200):
            ble.say(address(number))
            found = driver._sum
            if found > 2838 * 2048:
                break
            self.assertTrue(found - before <= 2 * 2048)
            self.assertTrue(found == before or found - before >= 2048)
            before = found
        self.assertTrue(number > 2500)

    def test_strength_and_kind(self):
        for options, counted in (
            ({}, (2, 2, 0)),
            ({"min_rssi_dbm": -80}, (1, 1, 0)),
            ({"public": 1}, (2, 2, 2)),
        ):
            ble, driver = opened(**options)
            for kind, wanted in ((1, counted[0]), (3, counted[1]), (0, counted[2])):
                ble.say(address(1), kind, -80)
                ble.say(address(2), kind, -81)
                self.assertEqual(driver.read(), (wanted,))

    def test_the_payload_is_not_looked_at(self):
        class Secret:
            pass

        ble, driver = opened()
        ble.handler(SCAN_RESULT, (1, address(1), Secret(), -60, Secret()))
        self.assertEqual(driver.read(), (1,))

    def test_the_scan(self):
        """Passive, without end, a quarter of the time, after one that may be under way."""
        ble, _ = opened()
        self.assertEqual(ble.calls, [(None,), (0, 320_000, 80_000, False)])

    def test_other_events_are_nothing(self):
        ble, driver = opened()
        for event in (1, 2, 7, 11, 30):
            ble.handler(event, ())
        self.assertEqual(driver.read(), (0,))


class TestForgets(unittest.TestCase):
    def test_bits_and_key_of_the_period_are_overwritten(self):
        ble, driver = opened()
        for number in range(100):
            ble.say(address(number))
        key, bits = driver._key, driver._bits
        used, marks = bytes(key), bytes(bits)
        self.assertTrue(sum(marks) > 0)
        driver.read()
        self.assertTrue(driver._key is key and driver._bits is bits)
        self.assertEqual(sum(bits), 0)
        same = len([1 for i in range(len(key)) if key[i] == used[i]])
        self.assertTrue(same < 20)  # 384 / 256 by chance

    def test_a_call_within_read(self):
        """The radio may call between any two steps: while the key is replaced it is not heard."""
        ble, driver = opened()
        ble.say(address(1))
        original, calls = ble_count.aes, []

        class Calling:
            def __init__(self, key, mode):
                self.encrypt = original(key, mode).encrypt
                ble.say(address(99))
                calls.append(sum(driver._bits))

        ble_count.aes = Calling
        try:
            marks = sum(driver._bits)
            self.assertEqual([driver.read(), driver.read()], [(1,), (0,)])
        finally:
            ble_count.aes = original
        self.assertEqual(calls, [marks, 0])
        self.assertEqual(sum(driver._bits), 0)

    def test_a_driver_that_fails_leaves_nothing(self):
        ble, driver = opened()
        ble.say(address(1))
        ble.is_on = False
        self.assertEqual(failure(driver.read), SILENT)
        self.assertEqual((sum(driver._bits), sum(driver._key)), (0, 0))
        self.assertTrue(ble.handler is None)


class Bench(unittest.TestCase):
    options = {}

    def setUp(self):
        self.bench = fresh_bench()
        self.bench.signals = self.signals = Signals()
        self.chip = Chip(self.signals)
        self.bench.wired["ble", None] = self.chip
        self.ble = BLE()
        self.ble.active(True)

    def people(self, times, duration_ms=HOUR_MS):
        now = self.bench.now_ms
        events = [[now + at, 1, 1200, 1000 + 37 * i % 4000] for i, at in enumerate(times)]
        self.signals.extend(now + duration_ms, {}, {"people": events})

    def sample(self, driver, people=0):
        """An hour with so many people, then a sampling; the rest of it the board sleeps."""
        self.people([1000 + i * 3_500_000 // max(1, people) for i in range(people)])
        end = self.bench.now_ms + HOUR_MS
        while self.bench.now_ms < end:
            self.bench.sleep_ms(min(60_000, end - self.bench.now_ms))
        self.bench.now_ms += driver.start()
        return driver.read()

    def running(self, **options):
        driver = BleCount(self.ble, **options)
        self.assertEqual(driver.read(), None)
        return driver

    def near(self, found, people):
        self.assertTrue(abs(found[0] - people) <= 1 + people // 12)


class TestWorld(Bench):
    def test_people_who_walk_by(self):
        driver = self.running(min_rssi_dbm=-85)
        for people in (0, 1, 40, 300, 0):
            self.near(self.sample(driver, people), people)

    def test_devices_nearby(self):
        self.assertEqual(self.sample(self.running()), (2,))
        self.assertEqual(self.sample(self.running(public=1)), (4,))
        self.assertEqual(self.sample(self.running(min_rssi_dbm=-85, public=1)), (0,))

    def test_a_device_of_two_periods(self):
        """It is in range for a minute; each period counts it anew."""
        driver = self.running(min_rssi_dbm=-85)
        self.people([HOUR_MS - 30_000], HOUR_MS)
        self.bench.sleep_ms(HOUR_MS)
        self.assertEqual(driver.read(), (1,))
        self.assertEqual(self.sample(driver), (1,))
        self.assertEqual(self.sample(driver), (0,))


class TestRadio(Bench):
    def heard(self, duration_ms):
        seen = []

        def note(event, data):
            told = (self.bench.now_ms, event)
            seen.append(told + tuple([bytes(d) if not isinstance(d, int) else d for d in data]))

        self.ble.irq(note)
        self.ble.gap_scan(duration_ms, 320_000, 80_000)
        self.people([5000])
        self.bench.sleep_ms(100_000)
        return seen

    def test_resolvable_address(self):
        """Core Specification, volume 3, part H, appendix D.7: ah(IRK, prand)."""
        irk = b"\xec\x02\x34\xa3\x57\xc8\xad\x05\x34\x10\x10\xa6\x0a\x39\x7d\x9b"
        self.assertEqual(resolvable_address(irk, 0x708194), b"\x70\x81\x94\x0d\xfb\xaa")

    def test_each_call_comes_at_its_time(self):
        seen = self.heard(0)
        times = [call[0] for call in seen]
        self.assertEqual(times, sorted(times))
        self.assertTrue(len(set(times)) > 90)
        self.assertEqual(self.bench.now_ms, 100_000)
        walker = [call for call in seen if call[5] > -80]
        self.assertEqual(len(set([call[3] for call in walker])), 1)
        self.assertEqual(walker[0][3][0] & 0xC0, 0x40)
        self.assertTrue(walker[0][0] > 5000 and walker[-1][0] <= 65_000 and len(walker) == 15)
        kinds = set([(call[2], call[3][0] & 0xC0) for call in seen])
        self.assertEqual(kinds, set([(0, 0), (1, 0xC0), (1, 0x40)]))

    def test_a_scan_that_ends(self):
        seen = self.heard(20_000)
        self.assertEqual(seen[-1][1], SCAN_DONE)
        self.assertTrue(seen[-2][0] <= 20_000)

    def test_what_is_given_is_used_again(self):
        kept = []
        self.ble.irq(lambda event, data: kept.append(data[1]))
        self.ble.gap_scan(0)
        self.people([])
        self.bench.sleep_ms(10_000)
        self.assertEqual(len(set([bytes(address) for address in kept])), 1)

    def test_states(self):
        self.ble.gap_scan(0)
        self.assertEqual(failure(BLE().gap_scan, 0), EALREADY)
        self.ble.gap_scan(None)
        self.ble.gap_scan(0)
        self.ble.active(False)
        self.assertEqual(failure(self.ble.gap_scan, 0), ENODEV)


class TestFaults(Bench):
    def recovers(self):
        """A fresh driver reads within two samples."""
        driver = self.running(min_rssi_dbm=-85)
        self.near(self.sample(driver, 30), 30)

    def test_not_there(self):
        self.chip.plugged = False
        self.assertEqual(failure(BleCount, self.ble), ENODEV)
        self.chip.plugged = True
        self.recovers()

    def test_gone_and_back(self):
        for moment in range(2):
            driver = self.running()
            self.chip.plugged = False
            if moment:
                self.people([])
                self.bench.sleep_ms(1000)
            self.assertEqual(failure(self.sample, driver, 9), SILENT)
            self.chip.plugged = True
            self.recovers()

    def test_it_stops_to_listen(self):
        driver = self.running()
        self.chip.fault = "stops"
        self.assertEqual(failure(self.sample, driver, 9), SILENT)
        self.chip.fault = None
        self.recovers()

    def test_a_flood(self):
        driver = self.running()
        self.chip.fault = "range"
        self.people([], 40_000)
        self.bench.sleep_ms(40_000)
        self.assertEqual(failure(driver.read), RANGE)
        self.chip.fault = None
        self.recovers()

    def test_a_driver_made_anew_while_it_scans(self):
        self.running()
        self.recovers()


def fuzz(count, seed):
    """Random events and advertisements: counts within bounds, the buffers of one size."""
    random = Random(seed)
    ble, driver = opened(min_rssi_dbm=-100)
    distinct = 0
    for _ in range(count):
        event = SCAN_RESULT if random.below(8) else random.below(40)
        addr = bytes([random.below(256) for _ in range(6)])
        payload = bytes([random.below(256) for _ in range(random.below(32))])
        data = (random.below(256), addr, random.below(256), random.below(256) - 128, payload)
        distinct += event == SCAN_RESULT
        if event == SCAN_DONE:
            continue
        ble.handler(event, data if event == SCAN_RESULT else ())
        if random.below(300) == 0:
            (found,) = driver.read()
            if not 0 <= found <= distinct + distinct // 10 + 3:
                raise ValueError("count")
            distinct = 0
        if len(driver._bits) != 512 or len(driver._key) != 384:
            raise ValueError("buffers")
    return count


class TestFuzz(unittest.TestCase):
    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 3), 2000)


if __name__ == "__main__":
    unittest.main()
