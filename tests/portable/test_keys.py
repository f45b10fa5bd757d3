# SPDX-License-Identifier: MIT
"""node/device/keys.py: the seal, its epoch and what else is kept beside it in NVS."""

import unittest

from bench_fixture import fresh_bench, write_nvs

from node.crypto.seal_chain import seal_at
from node.device.keys import Keys
from node.errors import CommandError, KeyMissing

SEAL = bytes(range(32))
HEAD = bytes(8)  # epoch 0, no policy yet
A, B = bytes([1] * 32), bytes([2] * 32)
FORM, BEGUN, OTHER, FULL, NOT_KEPT = 1, 2, 3, 4, 5  # why a mix is refused


class TestKeys(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        write_nvs(seal=HEAD + SEAL, receipt=SEAL)

    def test_they_are_read(self):
        keys = Keys()
        self.assertEqual((keys.epoch, keys.seal, keys.receipt), (0, SEAL, SEAL))
        self.assertEqual((keys.policy_version, keys.commanded), (0, 0))
        self.assertEqual(keys.missing(), ["command"])

    def test_a_step_forgets_the_seal_before_and_is_durable(self):
        keys = Keys()
        keys.step_to(3)
        third = seal_at(SEAL, 0, 3, {})
        for both in (keys, Keys()):
            self.assertEqual((both.epoch, both.seal), (3, third))

    def test_an_epoch_only_rises(self):
        keys = Keys()
        keys.step_to(3)
        for epoch in (3, 2, 0, -1):
            keys.step_to(epoch)
        self.assertEqual((keys.epoch, Keys().epoch), (3, 3))
        with self.assertRaises(ValueError):
            seal_at(SEAL, 3, 2, {})

    def test_the_policys_version_only_rises_and_stays_when_the_seal_steps(self):
        keys = Keys()
        keys.note_policy(4)
        keys.note_policy(4)
        keys.step_to(2)
        again = Keys()
        self.assertEqual((again.epoch, again.policy_version, again.seal), (2, 4, keys.seal))
        again.note_policy(3)
        self.assertEqual(Keys().policy_version, 4)

    def test_a_command_works_once_also_after_a_restart(self):
        keys = Keys()
        keys.use_command(7)
        for both in (keys, Keys()):
            for number in (7, 6, 0):
                with self.assertRaises(CommandError):
                    both.use_command(number)
        Keys().use_command(0xFFFFFFFF)
        self.assertEqual(Keys().commanded, 0xFFFFFFFF)

    def test_without_its_blob_there_is_no_key(self):
        for content, missing in (
            ({}, ["seal", "receipt", "command"]),
            ({"seal": HEAD + SEAL[:31], "receipt": SEAL}, ["seal", "command"]),
            ({"seal": HEAD + SEAL, "receipt": b"x"}, ["receipt", "command"]),
            ({"seal": HEAD + SEAL + b"x", "receipt": SEAL}, ["seal", "command"]),
            ({"seal": HEAD + SEAL + bytes(5 * 36), "receipt": SEAL}, ["seal", "command"]),
        ):
            write_nvs(**content)
            keys = Keys()
            self.assertEqual(keys.missing(), missing)
            if keys.seal is None:
                keys.step_to(5)
                keys.note_policy(2)
                self.assertEqual((Keys().seal, Keys().epoch), (None, 0))


class TestMix(unittest.TestCase):
    """What is mixed into seals to come: the command [number, "mix", epoch, a]."""

    def setUp(self):
        self.bench = fresh_bench()
        write_nvs(seal=HEAD + SEAL)

    def refused(self, keys, code, number, *arguments):
        waiting = keys.mixes
        try:
            keys.take("mix", number, list(arguments))
            self.fail("it is taken")
        except CommandError as err:
            self.assertEqual((err.args[0], keys.mix_refused), (code, code))
        for both in (keys, Keys()):
            self.assertEqual((both.mixes, both.commanded), (waiting, number))

    def test_it_waits_for_its_epoch_and_goes_with_the_step(self):
        keys = Keys()
        keys.take("mix", 1, [2, A])
        keys.note_policy(3)
        for first in (keys, Keys()):
            self.assertEqual((first.seal, first.commanded, first.policy_version), (SEAL, 1, 3))
        keys = Keys()
        keys.step_to(1)
        self.assertEqual((keys.seal, len(keys.mixes)), (seal_at(SEAL, 0, 1, {}), 36))
        keys.step_to(2)
        second = seal_at(SEAL, 0, 2, {2: A})
        for both in (keys, Keys()):
            self.assertEqual((both.epoch, both.seal, both.mixes), (2, second, b""))
        keys.step_to(3)
        self.assertEqual((keys.seal, keys.mix_refused), (seal_at(second, 2, 3, {}), 0))

    def test_a_long_step_mixes_in_all_that_it_passes(self):
        keys = Keys()
        for number, (epoch, a) in enumerate(((9, A), (3, B), (4, A), (12, B))):
            keys.take("mix", 1 + number, [epoch, a])
            keys = Keys()
        keys.step_to(10)
        self.assertEqual(keys.seal, seal_at(SEAL, 0, 10, {3: B, 4: A, 9: A}))
        self.assertEqual(Keys().mixes, b"\x00\x00\x00\x0c" + B)
        keys = Keys()
        keys.step_to(14)
        self.assertEqual(keys.seal, seal_at(SEAL, 0, 14, {3: B, 4: A, 9: A, 12: B}))

    def test_refused(self):
        keys = Keys()
        keys.step_to(5)
        keys.take("mix", 1, [7, A])
        number = 1
        for code, arguments in (
            (BEGUN, (5, A)), (BEGUN, (4, A)), (BEGUN, (0, A)), (OTHER, (7, B)), (FORM, ()),
            (FORM, (6,)), (FORM, (6, A, 0)), (FORM, (6, A[1:])), (FORM, (6, A + b"x")),
            (FORM, (-1, A)), (FORM, (0x10000, A)), (FORM, (True, A)), (FORM, ("6", A)),
            (FORM, (6, "x" * 32)), (FORM, (6, None)), (FORM, (1 << 63, A)),
        ):  # fmt: skip
            number += 1
            self.refused(keys, code, number, *arguments)
        for epoch in (8, 9, 0xFFFF):
            number += 1
            keys.take("mix", number, [epoch, B])
        self.refused(keys, FULL, number + 1, 10, A)
        keys.take("mix", number + 2, [9, B])  # again
        self.assertEqual(len(Keys().mixes), 4 * 36)
        keys.step_to(8)
        keys.take("mix", number + 3, [10, A])
        self.assertEqual(len(Keys().mixes), 3 * 36)

    def test_it_works_once(self):
        keys = Keys()
        keys.take("mix", 4, [2, A])
        keys.step_to(2)
        for number in (0, 3, 4):
            with self.assertRaises(CommandError):
                keys.take("mix", number, [9, B])
        self.assertEqual((Keys().mixes, keys.mix_refused), (b"", 0))

    def test_without_a_seal_there_is_nothing_to_mix_into(self):
        write_nvs(receipt=SEAL)
        keys = Keys()
        with self.assertRaises(KeyMissing):
            keys.take("mix", 1, [2, A])
        self.assertEqual((Keys().commanded, self.bench.nvs.has("lamppost", "seal")), (0, False))

    def test_what_nvs_does_not_take_may_come_again_with_its_number(self):
        keys, write = Keys(), self.bench.nvs.set

        def failing(*arguments):
            raise OSError(-0x1105)

        self.bench.nvs.set = failing
        with self.assertRaises(OSError):
            keys.take("mix", 1, [2, A])
        self.bench.nvs.set = write
        for both in (keys, Keys()):
            self.assertEqual((both.mixes, both.commanded), (b"", 0))
        self.assertEqual(keys.mix_refused, NOT_KEPT)
        keys.take("mix", 1, [2, A])
        self.assertEqual(len(Keys().mixes), 36)

    def test_one_that_is_in_is_no_refusal_though_its_number_is_not_noted(self):
        keys, write = Keys(), self.bench.nvs.set

        def failing(namespace, key, *arguments):
            if key.startswith("commanded"):
                raise OSError(-0x1105)
            write(namespace, key, *arguments)

        self.bench.nvs.set = failing
        with self.assertRaises(OSError):
            keys.take("mix", 1, [2, A])
        self.bench.nvs.set = write
        for both in (keys, Keys()):
            self.assertEqual((len(both.mixes), both.commanded, both.mix_refused), (36, 0, 0))
        keys.take("mix", 1, [2, A])  # the broker brings it again
        self.assertEqual((keys.commanded, keys.mix_refused), (1, 0))

    def test_the_code_alone_is_no_proof_that_it_is_not_in(self):
        """As when a cut took the number, the broker the command, and it comes too late."""
        self.bench.nvs.items.clear()
        write_nvs(seal=HEAD + SEAL + b"\x00\x00\x00\x02" + A)
        keys = Keys()
        keys.step_to(2)
        self.refused(keys, BEGUN, 1, 2, A)
        self.assertEqual(keys.seal, seal_at(SEAL, 0, 2, {2: A}))

    def test_a_tree_that_nvs_does_not_take_may_come_again_with_its_number(self):
        keys, write = Keys(), self.bench.nvs.set

        def failing(*arguments):
            raise OSError(-0x1105)

        self.bench.nvs.set = failing
        with self.assertRaises(OSError):
            keys.take("mask", 1, [7, bytes(16)])
        self.bench.nvs.set = write
        self.assertEqual((Keys().commanded, Keys().masks().has(7)), (0, False))
        keys.take("mask", 1, [7, bytes(16)])
        self.assertEqual((Keys().commanded, Keys().masks().has(7)), (1, True))
        for number in (1, 2):  # it came before; there is one
            with self.assertRaises(CommandError):
                keys.take("mask", number, [7, bytes(range(16))])


if __name__ == "__main__":
    unittest.main()
