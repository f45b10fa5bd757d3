# SPDX-License-Identifier: MIT
"""node/policy/store.py and renewal.py: which policy is in force, and what it takes for another to
take its place. Power is cut at every operation of the flash."""

import hashlib
import unittest

from flash_fixture import fresh_flash, mount_again
from policy_fixture import refusal
from vectors_fixture import unhex, vectors

from node.device import flash_file
from node.errors import PolicyError
from node.policy import renewal, store
from node.policy.renewal import Renewal
from node.policy.store import PolicyStore
from simulator.world.flash import PowerCut

# Why a policy is refused: node/policy/README.md
BAD_FORM = 1
BAD_SIGNATURE = 2
BAD_VERSION = 3
BAD_KIT = 4
BAD_QUANTITY = 5
ENDED = 6
BAD_PART = 7
NOT_KEPT = 8
NO_TREE = 9
NOW_S = 1_772_366_400  # 2026-03-01 12:00 UTC
MIDNIGHT_S = NOW_S + 43_200
PART = 400
SIGNED = {v["name"]: unhex(v["signed"]) for v in vectors("signed_policy")}
ONE, TWO, LATER = SIGNED["version 1"], SIGNED["version 2"], SIGNED["version 3, from 2026-03-11"]


class Keys:
    """trees: of which streams it has one."""

    policy_version, trees = 0, ()

    def masks(self):
        return self

    def has(self, number):
        return number in self.trees

    def note_policy(self, version):
        self.policy_version = max(version, self.policy_version)


def parts(signed, size=PART):
    tag = hashlib.sha256(signed).digest()[:8]
    return [[tag, len(signed), at, signed[at : at + size]] for at in range(0, len(signed), size)]


class TestPolicyStore(unittest.TestCase):
    def setUp(self):
        self.ram = fresh_flash()
        self.keys, self.said = Keys(), []
        store.say = lambda where, what: self.said.append(str(what))
        self.store = self.make(1)
        self.provision(ONE)

    def make(self, version):
        return PolicyStore(self.keys, "air", {"co2_ppm": 30}, version)

    def provision(self, signed, key=SIGNED["key"]):
        # /lp is another filesystem on a board; here it is a name in the same one
        store._PROVISIONED, store._KEY = "/data/lp-policy", "/data/lp-policy.key"
        flash_file.replace(store._PROVISIONED, signed)
        flash_file.replace(store._KEY, key)

    def send(self, signed, now_s=NOW_S):
        return [self.store.take_part(part, now_s) for part in parts(signed)][-1]

    def refused(self, code, function, *arguments):
        self.assertEqual(refusal(function, *arguments), code)

    def in_force(self):
        policy, at_s, refused = self.store.load()
        return policy.version, at_s, refused

    def test_the_one_that_was_provisioned(self):
        self.assertEqual(self.in_force(), (1, None, 0))
        self.assertEqual(self.keys.policy_version, 1)

    def test_a_new_one_waits_for_midnight_also_through_a_restart(self):
        self.assertEqual(self.send(TWO), MIDNIGHT_S)
        self.assertEqual(self.keys.policy_version, 2)
        self.assertEqual(self.in_force(), (1, MIDNIGHT_S, 0))
        self.assertEqual(self.store.take_next().version, 2)
        self.assertEqual(self.in_force(), (2, None, 0))
        self.refused(BAD_FORM, self.store.take_next)
        self.assertEqual(self.in_force(), (2, None, 0))

    def test_or_for_its_first_day(self):
        self.assertEqual(self.send(LATER), 20_523 * 86_400)

    def test_a_newer_one_takes_the_place_of_one_that_waits(self):
        self.send(TWO)
        self.send(LATER)
        self.assertEqual(self.store.take_next().version, 3)

    def test_who_provisions_a_newer_one_means_it(self):
        self.send(TWO)
        self.store.take_next()
        self.provision(LATER)
        self.assertEqual(self.in_force(), (3, None, 0))

    def test_parts_may_come_again_and_from_the_start_but_not_with_gaps(self):
        some = parts(TWO)
        self.refused(BAD_PART, self.store.take_part, some[1], NOW_S)
        for part in (some[0], some[1], some[0], some[1], some[1]):
            self.assertIsNone(self.store.take_part(part, NOW_S))
        self.refused(BAD_PART, self.store.take_part, some[3], NOW_S)
        for part in parts(TWO, 333)[:-1]:  # cut otherwise
            self.assertIsNone(self.store.take_part(part, NOW_S))
        self.assertEqual(self.store.take_part(parts(TWO, 333)[-1], NOW_S), MIDNIGHT_S)
        for part in some:  # it is accepted: nothing to do
            self.assertIsNone(self.store.take_part(part, NOW_S))
        self.store.take_next()
        for part in some:
            self.assertIsNone(self.store.take_part(part, NOW_S))
        self.assertEqual(self.in_force(), (2, None, 0))

    def test_old_parts_that_are_repeated_cost_no_flash_and_displace_nothing(self):
        self.send(TWO)
        self.store.take_next()
        self.store = self.make(2)
        for part in parts(LATER)[:2]:
            self.assertIsNone(self.store.take_part(part, NOW_S))
        before = self.ram.left
        for signed in (ONE, TWO):
            for part in parts(signed)[:1] * 3:
                if signed == ONE:
                    self.refused(BAD_VERSION, self.store.take_part, part, NOW_S)
                else:
                    self.assertIsNone(self.store.take_part(part, NOW_S))  # it is in force
        self.assertEqual(self.ram.left, before)
        for part in parts(LATER)[2:-1]:
            self.assertIsNone(self.store.take_part(part, NOW_S))
        self.assertEqual(self.store.take_part(parts(LATER)[-1], NOW_S), 20_523 * 86_400)

    def test_a_lower_one_does_not_displace_one_that_is_arriving(self):
        self.assertIsNone(self.store.take_part(parts(LATER)[0], NOW_S))
        self.refused(BAD_VERSION, self.store.take_part, parts(TWO)[0], NOW_S)
        self.assertEqual([self.store.take_part(part, NOW_S) for part in parts(LATER)[1:]][-1],
                         20_523 * 86_400)  # fmt: skip

    def test_what_comes_before_the_time_is_sure_waits_for_it(self):
        self.assertIsNone(self.send(TWO, None))
        self.assertEqual((self.in_force(), self.keys.policy_version), ((1, None, 0), 1))
        self.assertEqual(self.store.accept_arrived(NOW_S), MIDNIGHT_S)
        self.assertEqual(self.in_force(), (1, MIDNIGHT_S, 0))
        self.assertIsNone(self.store.accept_arrived(NOW_S))
        tag = parts(TWO)[0][0]  # a cut left what had arrived beside what was accepted
        flash_file.replace("/data/policy.part", tag + len(TWO).to_bytes(4, "big") + TWO)
        self.assertIsNone(self.store.accept_arrived(NOW_S))
        self.assertFalse("policy.part" in flash_file.names("/data"))
        self.store.take_part(parts(LATER)[0], NOW_S)
        self.assertIsNone(self.store.accept_arrived(NOW_S))

    def test_what_was_damaged_on_flash_may_come_again(self):
        self.send(TWO)
        data = flash_file.read("/data/policy.next")
        flash_file.replace("/data/policy.next", data[:40] + b"x" + data[41:])
        with self.assertRaises(PolicyError):
            self.store.take_next()
        self.assertEqual(self.in_force()[0], 0)  # it would have been as old as one before
        self.assertEqual(self.send(TWO), MIDNIGHT_S)
        self.assertEqual(self.store.take_next().version, 2)
        flash_file.remove("/data/policy")
        self.store = self.make(0)
        self.assertEqual(self.in_force()[0], 0)
        self.send(TWO)
        self.assertEqual(self.in_force(), (2, None, 0))

    def test_what_is_no_part_is_refused(self):
        tag, size, offset, part = parts(TWO)[0]
        for arguments in (
            [], [tag, size, offset], [tag[1:], size, offset, part], ["x" * 8, size, offset, part],
            [tag, "1", offset, part], [tag, size, -1, part], [tag, size, None, part],
            [tag, size, offset, "text"], [tag, len(part) - 1, 0, part], [tag, 1 << 20, 0, part],
        ):  # fmt: skip
            self.refused(BAD_FORM, self.store.take_part, arguments, NOW_S)
        self.assertFalse("policy.part" in flash_file.names("/data"))

    def test_what_may_not_be_used_is_refused_and_the_old_one_stays(self):
        for name, code in (
            ("another kit", BAD_KIT), ("not measured", BAD_QUANTITY),
            ("between samples", BAD_QUANTITY), ("ended", ENDED), ("not a policy", BAD_FORM),
        ):  # fmt: skip
            self.refused(code, self.send, SIGNED[name])
            self.assertEqual(self.in_force(), (1, None, 0))
        self.send(TWO)
        for again in (ONE, TWO[:30] + b"x" + TWO[31:]):
            with self.assertRaises(PolicyError):
                self.send(again)
        self.refused(BAD_VERSION, self.send, ONE)
        self.assertEqual((self.in_force(), self.keys.policy_version), ((1, MIDNIGHT_S, 0), 2))

    def test_one_that_masks_a_stream_without_a_tree_is_refused_and_may_come_again(self):
        masked = SIGNED["version 4, masked"]
        self.refused(NO_TREE, self.send, masked)
        self.keys.trees = (2,)
        self.refused(NO_TREE, self.send, masked)
        self.assertEqual((self.in_force(), self.keys.policy_version), ((1, None, 0), 1))
        self.keys.trees = (1,)
        self.assertEqual(self.send(masked), MIDNIGHT_S)
        self.assertEqual(self.keys.policy_version, 4)

    def test_without_a_signature_there_is_no_policy(self):
        for signed in (ONE[:-1], ONE + b"\x00", ONE[:-1] + b"x", ONE[:100], b"", b"x" + ONE[1:]):
            self.provision(signed)
            self.assertEqual(self.in_force(), (0, None, BAD_SIGNATURE))
        for key in (b"", SIGNED["key"][:-1] + b"x"):
            self.provision(ONE, key)
            self.assertEqual(self.in_force(), (0, None, BAD_SIGNATURE))
        flash_file.remove(store._PROVISIONED)
        self.assertEqual(self.in_force(), (0, None, BAD_VERSION))

    def test_an_older_one_than_before_is_not_in_force(self):
        self.keys.policy_version = 2
        self.assertEqual(self.in_force(), (0, None, BAD_VERSION))
        self.store = self.make(0)
        self.assertEqual(self.send(LATER), 20_523 * 86_400)
        # without one in force it is so at the next start; its days still hold
        self.assertEqual(self.in_force(), (3, None, 0))

    def test_a_cut_at_any_operation_leaves_the_old_or_the_new(self):
        """Also of what was accepted: the version that is noted is never without its policy."""
        after = seen = 0
        while True:
            after += 1
            for halves in range(3):
                self.ram = fresh_flash()
                self.keys.policy_version = 0
                self.provision(ONE)
                self.in_force()
                self.ram.cut(after, halves)
                cut = True
                try:
                    self.send(TWO)
                    self.store.take_next()
                    cut = False
                except PowerCut:
                    pass
                self.ram.cut(0, 2)
                mount_again()
                version, at_s, refused = self.in_force()
                self.assertEqual(refused, 0)
                self.assertTrue((version, at_s) in ((1, None), (1, MIDNIGHT_S), (2, None)))
                self.assertTrue(version >= self.keys.policy_version or at_s)
                if version == 1:
                    self.assertTrue(at_s or self.send(TWO) == MIDNIGHT_S or self.in_force()[1])
                    self.assertEqual(self.store.take_next().version, 2)
                self.assertEqual(self.in_force(), (2, None, 0))
                seen += cut
            if not cut:
                break
        self.assertTrue(seen > 60)


class TestRenewal(unittest.TestCase):
    def setUp(self):
        fresh_flash()
        store.say = lambda where, what: None
        renewal.forget = lambda package, name: None  # the paths below are for this module only
        store._PROVISIONED, store._KEY = "/data/lp-policy", "/data/lp-policy.key"
        flash_file.replace(store._PROVISIONED, ONE)
        flash_file.replace(store._KEY, SIGNED["key"])
        self.renewal = Renewal(Keys(), "air", {"co2_ppm": 30})

    def load(self):
        self.first = self.renewal.load()

    def due(self):
        return [self.renewal.is_due(at_s) for at_s in (NOW_S, MIDNIGHT_S - 1, MIDNIGHT_S)]

    def send(self, signed, now_s=NOW_S):
        for part in parts(signed):
            self.renewal.take_part(part, now_s)

    def test_from_part_to_force(self):
        self.load()
        self.assertEqual(self.first.version, 1)
        self.renewal.on_sure(NOW_S)
        self.send(TWO)
        self.assertFalse(self.renewal.needs_start())
        self.assertEqual(self.due(), [False, False, True])
        self.assertEqual(self.first.until_s, MIDNIGHT_S)  # nothing leaves under it after that
        self.assertEqual(self.renewal.take_next(MIDNIGHT_S).version, 2)
        self.assertFalse(self.renewal.is_due(MIDNIGHT_S))

    def test_a_forged_time_puts_no_policy_off_and_brings_none_forward(self):
        self.load()
        until_s = self.first.until_s
        self.send(TWO, NOW_S + 30 * 86_400)  # before any receipt
        self.assertEqual((self.renewal.is_due(MIDNIGHT_S), self.first.until_s), (False, until_s))
        self.renewal.on_sure(NOW_S)
        self.assertEqual(self.due(), [False, False, True])
        self.renewal = Renewal(Keys(), "air", {"co2_ppm": 30})  # a restart
        self.load()
        self.assertEqual(self.first.until_s, MIDNIGHT_S)
        self.assertEqual(self.due(), [False, False, False])
        self.renewal.on_sure(NOW_S)
        self.assertEqual(self.due(), [False, False, True])

    def test_one_that_is_damaged_when_it_takes_effect_ends_the_old_one_all_the_same(self):
        self.load()
        self.renewal.on_sure(NOW_S)
        self.send(TWO)
        data = flash_file.read("/data/policy.next")
        flash_file.replace("/data/policy.next", data[:40] + b"x" + data[41:])
        with self.assertRaises(PolicyError):
            self.renewal.take_next(MIDNIGHT_S)
        self.assertFalse(self.renewal.is_due(MIDNIGHT_S + 300))
        self.assertEqual(self.first.until_s, MIDNIGHT_S)
        self.send(TWO, MIDNIGHT_S + 300)
        self.assertEqual(self.first.until_s, MIDNIGHT_S)
        self.assertTrue(self.renewal.is_due(MIDNIGHT_S + 86_400))
        self.assertEqual(self.renewal.take_next(MIDNIGHT_S).version, 2)

    def test_one_that_comes_when_another_is_due_waits_until_that_is_taken(self):
        for is_sure in (True, False):  # before a receipt, or in the step that releases
            self.setUp()
            self.load()
            self.renewal.on_sure(NOW_S)
            self.send(TWO)
            if not is_sure:
                self.renewal = Renewal(Keys(), "air", {"co2_ppm": 30})
                self.load()
            self.send(LATER, MIDNIGHT_S)
            self.renewal.on_sure(MIDNIGHT_S + 5)
            self.assertEqual((self.first.until_s, self.due()[2]), (MIDNIGHT_S, True))
            self.assertEqual(self.renewal.take_next(MIDNIGHT_S + 5).version, 2)
            self.assertFalse(self.renewal.is_due(20_523 * 86_400 - 1))
            self.assertTrue(self.renewal.is_due(20_523 * 86_400))

    def test_one_whose_version_could_not_be_noted_is_awaited_all_the_same(self):
        keys = Keys()
        self.renewal = Renewal(keys, "air", {"co2_ppm": 30})
        self.load()
        self.renewal.on_sure(NOW_S)

        def note_policy(version):
            raise OSError(5)

        keys.note_policy = note_policy
        self.send(TWO)
        self.assertEqual((self.first.until_s, self.due()[2]), (MIDNIGHT_S, True))

    def test_a_node_whose_flash_does_not_give_the_next_one_starts_anew(self):
        self.load()
        self.renewal.on_sure(NOW_S)
        self.send(TWO)
        flash_file.remove("/data/policy.next")
        flash_file.make_folder("/data/policy.next")
        for _ in range(3):
            self.assertFalse(self.renewal.needs_start())
            with self.assertRaises(PolicyError):
                self.renewal.take_next(MIDNIGHT_S)
            self.assertTrue(self.renewal.is_due(MIDNIGHT_S))
        self.assertTrue(self.renewal.needs_start())

    def test_why_one_was_refused_is_told(self):
        self.renewal.load()
        self.renewal.on_sure(NOW_S)
        with self.assertRaises(PolicyError):
            self.send(SIGNED["another kit"])
        self.assertEqual(self.renewal.refused, BAD_KIT)
        with self.assertRaises(PolicyError):
            self.renewal.take_part(parts(TWO)[1], NOW_S)
        self.assertEqual(self.renewal.refused, BAD_PART)
        flash_file.make_folder("/data/policy.part")  # the flash does not take it
        with self.assertRaises(PolicyError):
            self.send(TWO)
        self.assertEqual(self.renewal.refused, NOT_KEPT)

    def test_a_node_without_one_starts_anew_when_one_comes(self):
        flash_file.remove(store._PROVISIONED)
        self.assertIsNone(self.renewal.load().digest)
        self.assertFalse(self.renewal.needs_start())
        self.send(TWO)
        self.assertTrue(self.renewal.needs_start())
        self.assertEqual(Renewal(Keys(), "air", {"co2_ppm": 30}).load().version, 2)


if __name__ == "__main__":
    unittest.main()
