# SPDX-License-Identifier: MIT
"""node/cycle.py: what a step does, in which order, and what happens when a part fails."""

import unittest

from policy_fixture import rules, stream

from node.cycle import Node
from node.errors import KeyMissing, LinkError, PolicyError
from node.pipeline.health import HEALTH
from node.pipeline.minimise import Minimiser, Released
from node.policy.rules import Policy

NOON_MS = 1_800_014_400_000
POLICY = Policy(rules(stream(statistics=["sum"])))


class Clock:
    """Uptime is counted from NOON_MS on; utc may be unknown or not to be trusted."""

    def __init__(self):
        self.now_ms, self.known, self.trusted, self.held = 0, True, True, True
        self.confirmed_s, self.steps, self.slept, self.back_ms = None, 1, [], 0

    def uptime_ms(self):
        return self.now_ms

    def utc_ms(self):
        return NOON_MS - self.back_ms + self.now_ms if self.known else None

    def set_utc_ms(self, utc_ms):
        self.known = True
        return True

    def is_held(self):
        return self.held

    def kept_s(self):
        return 0

    def may_close_windows(self):
        return self.known and self.trusted

    def offset_ms(self):
        return NOON_MS - self.back_ms if self.may_close_windows() else 0

    def sleep_ms(self, duration_ms):
        self.slept.append(duration_ms)


class Sensor:
    """One reading of 1 at each multiple of 30 s, whenever it is asked after that."""

    samples = faults = 0

    def __init__(self):
        self.due_ms = None

    def next_ms(self):
        return self.due_ms

    def shift(self, by_ms):
        self.due_ms = None

    def step(self, now_ms):
        if self.due_ms is None:
            self.due_ms = now_ms + -now_ms % 30_000
        if now_ms < self.due_ms:
            return []
        self.due_ms = now_ms - now_ms % 30_000 + 30_000
        return [("co2_ppm", 1)]


class Link:
    def __init__(self):
        self.connected, self.refuse, self.connects, self.polled = False, None, 0, []
        self.owed, self.takes_ms = False, 0
        self.serial, self.turn, self.turns, self.no_memory = 0, None, [], False

    def connect(self):
        self.connects += 1
        if self.takes_ms:
            self.clock.now_ms += self.takes_ms
        if self.refuse:
            raise self.refuse
        self.connected = True

    def close(self):
        self.connected = False

    def rarely(self, name, err):
        self.turns.append((name, err.args, self.connected))
        if self.no_memory:
            raise MemoryError

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
    floor, log, is_broken = 1, b"log!", False

    def __init__(self):
        self.kept, self.error, self.room = [], None, None

    @property
    def next_number(self):
        return len(self.kept) + 1

    def make_room(self):
        pass

    def append(self, *envelopes):
        for envelope in envelopes:
            if self.error:
                raise self.error
            self.kept.append(envelope)
            if self.room is not None:
                self.room -= 1
                if not self.room:
                    self.error = OSError(28)

    def waiting(self):
        return len(self.kept)


class Part:
    """Wi-Fi, time and watchdog in one."""

    online, answer, fed, wait_ms = True, None, 0, 1000

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
    unmasked = 0
    under = 1  # version of the policy

    def __init__(self):
        self.versions = []

    def use(self, policy):
        self.under = policy.version

    def seal(self, log, number, floor, records, instant_s):
        if self.error:
            raise self.error
        self.versions.append(self.under)
        return records, instant_s


class Boots:
    power = watchdog = other = formats = unreached = 0
    safe, left = False, 0

    def is_safe(self):
        return self.safe

    def reached(self):
        self.unreached = 0

    def leave_safe(self):
        self.left += 1


class Scrub:
    """Finds an old seal for some writes, and can fail."""

    stale, writes, error = 0, 0, None

    def step(self, epoch):
        if self.error:
            raise self.error
        self.writes -= 1
        self.stale = 1 if self.writes > 0 else 0
        return self.writes > 0


class Keys:
    stepped, epoch, mix_refused, starts = False, 3, 0, False


class Renewal:
    """`following` takes effect at `at_s`."""

    refused, following, at_s, starts = 0, None, None, False

    def is_due(self, instant_s):
        return self.at_s is not None and instant_s >= self.at_s

    def is_late(self, instant_s):
        return self.at_s is not None and instant_s > self.at_s

    def take_next(self, now_s):
        if self.following is None:
            raise PolicyError(1, "gone")
        self.at_s = None
        return self.following

    def needs_start(self):
        return self.starts


class TestCycle(unittest.TestCase):
    def setUp(self):
        self.clock, self.link, self.outbox, self.sealer = Clock(), Link(), Outbox(), Sealer()
        self.wifi, self.watchdog = Part(), Part()
        self.publisher, self.sync = Publisher(), TimeSync()
        self.jitter = []
        self.boots, self.scrub, self.keys = Boots(), Scrub(), Keys()
        self.renewal = Renewal()
        self.node = self.make()

    def make(self):
        return Node(
            clock=self.clock,
            wifi=self.wifi,
            time_sync=self.sync,
            link=self.link,
            sensors=[Sensor()],
            minimiser=Minimiser(POLICY, {"co2_ppm": 30}),
            sealer=self.sealer,
            outbox=self.outbox,
            append=self.outbox.append,
            publisher=self.publisher,
            watchdog=self.watchdog,
            keys=self.keys,
            make_scrub=lambda: self.scrub,
            boots=self.boots,
            renewal=self.renewal,
            quantities=["co2_ppm"] + list(HEALTH),
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

    def test_readings_from_before_the_time_was_known_are_placed_when_it_is(self):
        self.clock.known = False
        self.run_until(1_000_000)
        self.assertEqual(self.sums(), [])
        self.clock.known, self.clock.steps = True, 2
        self.run_until(1_200_500)
        # 33 minutes and more of readings: the first window is not whole, the second is
        self.assertEqual(self.sums(), [10, 10, 10])
        instants = [instant_s - NOON_MS // 1000 for _, instant_s in self.outbox.kept if instant_s]
        self.assertEqual(instants, [600, 900, 1200])

    def test_and_so_are_those_from_while_it_was_not_to_be_trusted(self):
        self.run_until(700_000)
        self.clock.now_ms = 705_000
        self.clock.trusted = False
        self.run_until(1_000_000)
        self.clock.now_ms = 1_005_000
        self.clock.trusted = True
        self.run_until(1_500_500)
        self.assertEqual(self.sums(), [10, 10, 10, 10])

    def test_where_records_were_released_before_an_envelope_without_any_goes(self):
        self.run_until(700_000)
        self.assertEqual(self.sums(), [10])
        before = len(self.outbox.kept)
        self.clock.back_ms, self.clock.steps = 600_000, 2
        self.run_until(1_800_500)
        instants = [instant_s and instant_s - NOON_MS // 1000
                    for _, instant_s in self.outbox.kept[before:]]  # fmt: skip
        # noon + 600 s was released; the window before it is not whole, those after are new
        self.assertEqual(instants, [None, 900, 1200])

    def test_sensors_are_told_the_time_after_a_tls_set_up(self):
        self.link.takes_ms, self.link.clock = 4000, self.clock
        told = []
        step = self.node.sensors[0].step
        self.node.sensors[0].step = lambda now_ms: told.append(now_ms) or step(now_ms)
        self.node.step()
        self.assertEqual(told, [NOON_MS + 4000])

    def test_a_time_that_no_receipt_bounds_is_asked_for_again_soon(self):
        self.sync.answer = NOON_MS
        self.clock.held = False
        self.node.step()
        self.assertEqual(self.sync.asked, 1)
        self.clock.held = True
        self.node.step()
        self.assertEqual(self.sync.asked, 1)

    def test_several_windows_at_once_are_written_together_as_far_as_they_go(self):
        self.clock.known = False
        self.run_until(2_000_000)
        self.clock.known = True
        self.outbox.room = 4  # one is the greeting
        self.node.step()
        self.assertEqual(len(self.sums()), 3)
        self.assertEqual(self.node._unsealed, 2)

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

    def test_nothing_but_a_receipt_resets_the_back_off_and_nothing_skips_it(self):
        def lose_wifi():
            self.wifi.online = False
            self.node.step()
            self.wifi.online = True

        def refused(*reason):
            def lose():
                self.link.connected = False
                self.link.refuse = LinkError(*reason)
                self.clock.now_ms = max(self.clock.now_ms, self.node._connect_at_ms)
                self.node.step()
                self.link.refuse = None

            return lose

        self.run_until(1000)
        losses = (
            lose_wifi, refused("refused"), refused("certificate", "future"), refused("tls", 104),
            refused("network", 111), refused("no answer"), refused("oversized"), lose_wifi,
        )  # fmt: skip
        for n, lose in enumerate(losses):
            before = len(self.jitter)
            lose()
            self.assertEqual(self.jitter[before:], [min(1000 << n, 300_000)])
            connects, due_ms = self.link.connects, self.node._connect_at_ms
            self.assertEqual(due_ms - self.clock.now_ms, self.jitter[-1] - 1)
            self.run_until(due_ms - 1)
            self.assertEqual(self.link.connects, connects)
            self.clock.now_ms = due_ms
            self.node.step()
            self.assertTrue(self.link.connects == connects + 1 and self.link.connected)

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

    def test_an_old_seal_is_written_away_without_haste(self):
        self.run_until(10_000)
        self.keys.stepped, self.scrub.writes = True, 20
        self.run_until(self.clock.now_ms + 30_000)
        self.assertEqual((self.keys.stepped, self.scrub.stale), (False, 0))

    def test_and_tried_again_each_hour_if_it_stays(self):
        self.keys.stepped, self.scrub.error = True, OSError(5)
        self.run_until(3_500_000)
        self.assertTrue(self.keys.stepped)
        self.scrub.error, self.scrub.writes = None, 3
        self.run_until(3_700_000)
        self.assertFalse(self.keys.stepped)

    def test_the_safe_state_ends_with_a_receipt_or_after_an_hour(self):
        self.assertFalse(self.node.over())
        self.boots.safe, self.boots.unreached = True, 6
        node = self.node = self.make()
        self.run_until(3_599_000)
        self.assertFalse(node.over())
        self.clock.now_ms = 3_600_000
        self.assertTrue(node.over())
        self.assertEqual(self.boots.left, 1)
        self.clock.now_ms = 0
        self.publisher.receipts = 1
        node.step()
        self.assertTrue(node.over())
        self.assertEqual(self.boots.left, 1)

    def test_a_flash_that_takes_nothing_for_an_hour_starts_anew(self):
        self.run_until(3_600_000)
        self.assertFalse(self.node.over())
        self.outbox.error = OSError(84)
        self.run_until(2 * 3_600_000 - 301_000)
        self.assertFalse(self.node.over())
        self.outbox.error = None  # it takes one
        self.run_until(2 * 3_600_000 + 1000)
        self.outbox.error = OSError(84)
        self.run_until(3 * 3_600_000 - 299_000)
        self.assertFalse(self.node.over())
        self.run_until(3 * 3_600_000 + 1000)
        self.assertTrue(self.node.over())

    def test_health_is_measured_like_anything_else(self):
        policy = rules(
            stream(1, "old_seals", 600, ["last"], high=99),
            stream(2, "sensor_faults", 600, ["last"], high=99),
            stream(3, "mix_refused", 600, ["last"], high=99),
        )
        intervals_s = {"old_seals": 300, "sensor_faults": 300, "mix_refused": 300}
        self.keys.mix_refused = 4
        self.node.minimiser = Minimiser(Policy(policy), intervals_s)
        self.node.sensors[0].faults, self.scrub.stale, self.keys.stepped = 7, 2, True
        self.scrub.step = lambda epoch: False
        self.run_until(1_300_000)
        records = [records for records, instant_s in self.outbox.kept if records]
        self.assertEqual([[r[2] for r in all] for all in records], [[2, 7, 4]])

    def test_health_tells_the_certificate_of_the_latest_receipt(self):
        policy = Policy(rules(stream(1, "certificate", 600, ["last"], high=99)))
        self.node.minimiser = Minimiser(policy, {"certificate": 300})
        self.publisher.receipts, self.link.serial = 1, 4
        self.run_until(650_000)
        self.link.serial = 5  # no receipt has come under it
        self.run_until(1_250_000)
        self.publisher.receipts = 2
        self.run_until(1_850_000)
        told = [records[0][2] for records, _ in self.outbox.kept if records]
        self.assertEqual(told, [4, 5])

    def test_a_receipt_under_the_certificate_before_does_not_tell_the_next_one(self):
        """Also when it comes at the end of the link that the next one takes the place of."""
        for dropped in (False, True):
            self.setUp()
            self.run_until(5000)
            self.link.serial, self.link.rarely = 4, self.use_next
            self.publisher.receipts += 1
            self.link.turn = -1  # the parts of another have come, just after the receipt
            self.link.refuse = LinkError("closed") if dropped else None
            self.node.step()
            self.link.refuse = None
            told = self.node._certificate
            self.assertEqual((told, self.link.serial), (0 if dropped else 4, 5))
            self.run_until(60_000)
            self.assertTrue(self.link.connected)
            self.assertEqual(self.node._certificate, told)
            self.publisher.receipts += 1
            self.run_until(70_000)
            self.assertEqual(self.node._certificate, 5)

    def use_next(self, name, err):
        self.link.serial, self.link.turn = 5, 0

    def test_where_there_is_another_certificate_it_is_told_why_the_link_ended(self):
        self.link.refuse = LinkError("tls", -0x7780)
        self.run_until(2000)
        self.assertEqual(self.link.turns, [])
        self.link.turn = 0
        self.run_until(5000)
        self.assertTrue(len(self.link.turns) > 0)
        self.assertEqual(set(self.link.turns), {("identity", ("tls", -0x7780), False)})
        self.link.no_memory = True  # it goes on with the one it has
        connects = self.link.connects
        self.run_until(60_000)
        self.assertTrue(self.link.connects > connects)

    def test_when_a_new_certificate_has_come_the_link_ends(self):
        self.run_until(2000)
        self.link.turn = -1
        self.run_until(60_000)
        self.assertEqual(self.link.turns[0], ("identity", ("a new certificate",), False))
        self.link.turn = 0
        self.run_until(120_000)
        self.assertTrue(self.link.connected)

    def test_a_new_policy_takes_effect_at_midnight(self):
        """What ends then is sealed under the one before, the next window under the new one."""
        midnight_ms = 12 * 3_600_000
        self.clock.now_ms = midnight_ms - 900_000
        self.renewal.following = Policy(rules(stream(7, statistics=["max"]), version=2))
        self.renewal.at_s = (NOON_MS + midnight_ms) // 1000
        self.run_until(midnight_ms + 310_000)
        kept = [(records, at_s) for records, at_s in self.outbox.kept if records]
        before, first = NOON_MS // 1000 + 12 * 3600, NOON_MS // 1000 + 12 * 3600 + 300
        self.assertEqual([at_s for _, at_s in kept][-2:], [before, first])
        self.assertEqual([r[0][0] for r, _ in kept][-3:], [1, 1, 7])
        self.assertEqual(self.sealer.versions[-3:], [1, 1, 2])
        self.assertEqual(kept[-1][0][0][1:], [first // 300 - 1, 1])

    def test_a_new_policy_that_midnight_has_passed_takes_effect_with_the_first_window(self):
        self.renewal.following = Policy(rules(stream(7, statistics=["max"]), version=2))
        self.renewal.at_s = NOON_MS // 1000 - 43_200
        self.run_until(310_000)
        self.assertEqual(self.sealer.under, 2)
        self.renewal.following, self.renewal.at_s = None, 0
        self.run_until(13 * 3_600_000)  # it is gone: the one before stays
        self.assertEqual(self.sealer.under, 2)

    def test_a_new_policy_takes_effect_late_when_the_time_was_not_sure(self):
        """Windows that are open then began under the old one, and end untold."""
        self.run_until(500_000)
        self.renewal.following = Policy(rules(stream(7, statistics=["max"]), version=2))
        self.renewal.at_s = NOON_MS // 1000 - 300
        self.run_until(1_300_000)
        kept = [(records, at_s) for records, at_s in self.outbox.kept if records]
        first = NOON_MS // 1000 + 900
        told = [(records[0][0], at_s) for records, at_s in kept[-2:]]
        self.assertEqual(told, [(7, first), (7, first + 300)])

    def test_until_a_late_policy_takes_effect_the_store_hears_and_is_told_nothing(self):
        self.run_until(500_000)
        self.renewal.is_due = lambda instant_s: False  # the time is not sure
        self.renewal.at_s = NOON_MS // 1000 + 300
        self.node.minimiser.use(Policy(rules(stream(1), days=(0, 1))), NOON_MS // 1000 + 500)
        before = len(self.outbox.kept)
        self.run_until(1_600_000)
        self.assertEqual(self.outbox.kept[before:], [([], None)] * 4)

    def test_noise_is_drawn_in_no_step_that_releases_and_moves_none(self):
        drawn, minimiser = [], self.node.minimiser
        minimiser.draw_ahead = lambda: drawn.append(1)
        for _ in range(60):
            before, due_s = len(drawn), minimiser.next_instant_s
            self.clock.now_ms += self.node.step()
            self.assertEqual(len(drawn) > before, due_s == minimiser.next_instant_s)
        self.assertTrue(len(drawn) > 10)
        now_ms = self.clock.now_ms
        rest_ms = self.node.step()
        self.clock.now_ms = now_ms

        def draw_ahead():
            self.clock.now_ms += 7

        minimiser.draw_ahead = draw_ahead
        self.assertEqual(self.node.step() + 7, rest_ms)

    def test_a_node_without_a_policy_starts_anew_when_one_comes(self):
        self.assertFalse(self.node.over())
        self.renewal.starts = True
        self.assertTrue(self.node.over())

    def test_a_node_that_masks_nothing_starts_anew_when_a_tree_comes(self):
        self.keys.starts = True
        self.assertTrue(self.node.over())

    def test_what_was_released_is_kept_before_an_envelope_that_does_not_tell_it(self):
        kept = []
        released = Released(keep=kept.append)
        self.node.minimiser = Minimiser(POLICY, {"co2_ppm": 30}, released)
        self.link.refuse = LinkError("away")
        self.run_until(1_300_000)
        released_s = [at_s for _, at_s in self.outbox.kept if at_s]
        self.assertFalse(released_s[-1] in Released(kept[-1]))
        self.link.refuse = None
        self.run_until(2_000_000)
        self.assertTrue(([], None) in self.outbox.kept)
        self.assertTrue(released_s[-1] in Released(kept[-1]))

    def test_each_step_feeds_the_watchdog(self):
        self.run_until(300_000)
        self.assertTrue(self.watchdog.fed >= 10)


if __name__ == "__main__":
    unittest.main()
