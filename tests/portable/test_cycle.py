# SPDX-License-Identifier: MIT
"""node/cycle.py: what a step does, in which order, and what happens when a part fails."""

import unittest

from node import cbor
from node.cycle import Node
from node.errors import KeyMissing, LinkError
from node.pipeline.minimise import Minimiser
from node.policy.rules import Policy

NOON_MS = 1_800_014_400_000
POLICY = Policy(
    cbor.encode(["lp1 policy", "t", 1, "air", [[1, "co2_ppm", 300, ["sum"], 1, 0, 99_999, "w"]]])
)


class Clock:
    """Uptime is counted from NOON_MS on; utc may be unknown or not to be trusted."""

    def __init__(self):
        self.now_ms, self.known, self.trusted = 0, True, True
        self.confirmed_s, self.steps, self.slept = None, 1, []

    def uptime_ms(self):
        return self.now_ms

    def utc_ms(self):
        return NOON_MS + self.now_ms if self.known else None

    def set_utc_ms(self, utc_ms):
        self.known = True
        return True

    def may_close_windows(self):
        return self.known and self.trusted

    def sleep_ms(self, duration_ms):
        self.slept.append(duration_ms)


class Sensor:
    """One reading of 1 at each multiple of 30 s, whenever it is asked after that."""

    samples = faults = 0

    def __init__(self):
        self.due_ms = NOON_MS

    def next_ms(self):
        return self.due_ms

    def step(self, utc_ms):
        if utc_ms < self.due_ms:
            return []
        self.due_ms = utc_ms - utc_ms % 30_000 + 30_000
        return [("co2_ppm", 1)]


class Link:
    def __init__(self):
        self.connected, self.refuse, self.connects, self.polled = False, None, 0, []
        self.owed = False

    def connect(self):
        self.connects += 1
        if self.refuse:
            raise self.refuse
        self.connected = True

    def close(self):
        self.connected = False

    def poll(self, timeout_ms):
        self.polled.append(timeout_ms)
        if self.refuse:
            raise self.refuse

    def tick(self):
        pass

    def awaits_answer(self):
        return self.owed


class Publisher:
    receipts = expects = 0

    def on_connect(self):
        pass

    def step(self, now_ms):
        pass

    def expects_ms(self, now_ms):
        return self.expects


class Outbox:
    floor, log = 1, b"log!"

    def __init__(self):
        self.kept, self.error = [], None

    @property
    def next_number(self):
        return len(self.kept) + 1

    def make_room(self):
        pass

    def append(self, envelope):
        if self.error:
            raise self.error
        self.kept.append(envelope)

    def waiting(self):
        return len(self.kept)


class Part:
    """Wi-Fi, time and watchdog in one."""

    online, answer, fed = True, None, 0

    def step(self, now_ms):
        return self.online

    def feed(self):
        self.fed += 1


class TimeSync:
    answer, asked = None, 0

    def step(self, now_ms):
        return self.answer

    def waiting(self):
        return False

    def ask_soon(self, now_ms):
        self.asked += 1


class Sealer:
    error = None

    def seal(self, log, number, floor, records, instant_s):
        if self.error:
            raise self.error
        return records, instant_s


class TestCycle(unittest.TestCase):
    def setUp(self):
        self.clock, self.link, self.outbox, self.sealer = Clock(), Link(), Outbox(), Sealer()
        self.wifi, self.watchdog = Part(), Part()
        self.publisher, self.sync = Publisher(), TimeSync()
        self.jitter = []
        self.node = Node(
            clock=self.clock,
            wifi=self.wifi,
            time_sync=self.sync,
            link=self.link,
            sensors=[Sensor()],
            minimiser=Minimiser(POLICY, {"co2_ppm": 30}),
            sealer=self.sealer,
            outbox=self.outbox,
            publisher=self.publisher,
            watchdog=self.watchdog,
            random_below=self.random_below,
        )

    def random_below(self, limit):
        self.jitter.append(limit)
        return limit - 1

    def run_until(self, to_ms, late_ms=0):
        """Steps whenever the node asks for it, each time `late_ms` late."""
        while True:
            rest_ms = self.node.step()
            self.assertTrue(0 < rest_ms <= 60_000)
            if self.clock.now_ms + rest_ms + late_ms > to_ms:
                return
            self.clock.now_ms += rest_ms + late_ms

    def sums(self):
        return [records[0][2] for records, _ in self.outbox.kept if records]

    def test_windows_close_on_their_instant(self):
        self.run_until(900_500)
        # the first began before its reading at the start: it is not whole
        self.assertEqual(self.sums(), [10, 10])
        instants = [instant_s for records, instant_s in self.outbox.kept if records]
        self.assertEqual(instants, [NOON_MS // 1000 + 600, NOON_MS // 1000 + 900])

    def test_a_step_up_to_a_second_late_still_counts_for_the_window_that_ends(self):
        self.run_until(1_300_000, late_ms=700)
        self.assertEqual(self.sums()[:2], [10, 10])

    def test_a_later_one_does_not(self):
        self.run_until(290_000)
        self.clock.now_ms = 595_000
        self.run_until(599_000)
        self.clock.now_ms = 605_000  # the reading due at 600 000 comes 5 s late
        self.run_until(899_999)
        self.clock.now_ms = 900_000
        self.node.step()
        self.assertEqual(self.sums()[-1], 11)

    def test_before_the_time_is_known_not_one_tls_byte_and_no_window(self):
        self.clock.known = False
        for self.clock.now_ms in range(0, 1_000_000, 20_000):
            self.node.step()
        self.assertEqual((self.link.connects, self.outbox.kept), (0, []))

    def test_a_time_that_is_not_trusted_closes_no_window(self):
        self.clock.trusted = False
        self.run_until(1_000_000)
        self.assertEqual(self.sums(), [])
        self.assertTrue(self.link.connected)

    def test_an_answer_that_is_not_believed_is_asked_for_again(self):
        self.sync.answer = 5
        self.clock.set_utc_ms = lambda utc_ms: False
        self.node.step()
        self.assertEqual(self.sync.asked, 1)

    def test_an_empty_envelope_when_it_connects_without_confirmed_time_once(self):
        self.run_until(50_000)
        self.link.close()
        self.run_until(100_000)
        self.assertEqual(self.link.connects, 2)
        self.assertEqual(self.outbox.kept, [([], None)])

    def test_and_none_with_it(self):
        self.clock.confirmed_s = 5
        self.run_until(50_000)
        self.assertEqual(self.outbox.kept, [])

    def test_and_once_more_if_it_could_not_be_kept(self):
        self.outbox.error = OSError(28)
        self.node.step()
        self.outbox.error = None
        self.link.close()
        self.run_until(5000)
        self.assertEqual(self.outbox.kept, [([], None)])

    def test_back_off_doubles_with_full_jitter_and_ends_at_five_minutes(self):
        self.link.refuse = LinkError("refused")
        self.run_until(3_000_000)
        self.assertEqual(self.jitter[:5], [1000, 2000, 4000, 8000, 16_000])
        self.assertEqual(max(self.jitter), 300_000)
        self.link.refuse = None
        self.run_until(4_000_000)  # connected, but that alone shows nothing
        self.link.close()
        self.link.refuse = LinkError("refused")
        self.node.step()
        self.assertEqual(self.jitter[-1], 300_000)
        self.link.refuse = None
        self.clock.now_ms += 300_000
        self.publisher.receipts = 1
        self.run_until(self.clock.now_ms + 1000)
        self.link.refuse = LinkError("closed")
        self.node.step()
        self.assertEqual(self.jitter[-1], 1000)

    def test_without_wifi_it_measures_on(self):
        self.run_until(10_000)
        self.wifi.online = False
        self.run_until(900_500)
        self.assertFalse(self.link.connected)
        self.assertEqual(self.sums(), [10, 10])

    def test_what_cannot_be_sealed_or_kept_does_not_end_the_node(self):
        for holder, error in (
            (self.sealer, KeyMissing("counter")),
            (self.outbox, OSError(28)),
        ):
            holder.error = error
            self.run_until(self.clock.now_ms + 700_000)
            holder.error = None
        self.assertTrue(self.node._unsealed >= 2)
        before = len(self.outbox.kept)
        self.run_until(self.clock.now_ms + 700_000)
        self.assertTrue(len(self.outbox.kept) > before)

    def test_it_rests_asleep_unless_an_answer_is_owed(self):
        self.run_until(1000)
        self.link.polled = []
        self.node.rest(500)
        self.assertEqual((self.clock.slept, self.link.polled), ([500], []))
        self.publisher.expects = 200
        self.node.rest(500)
        self.assertEqual(self.link.polled, [200])
        self.link.owed = True
        self.node.rest(500)
        self.assertEqual(self.link.polled, [200, 500])

    def test_trouble_while_it_rests_ends_the_connection_only(self):
        for error in (LinkError("closed"), OSError(28)):
            self.link.refuse, self.link.connected, self.link.owed = error, True, True
            self.node.rest(500)
            self.assertFalse(self.link.connected)

    def test_each_step_feeds_the_watchdog(self):
        self.run_until(300_000)
        self.assertTrue(self.watchdog.fed >= 10)


if __name__ == "__main__":
    unittest.main()
