# SPDX-License-Identifier: MIT
"""node/device/keys.py: the seal, its epoch and what else is kept beside it in NVS."""

import unittest

from bench_fixture import fresh_bench, write_nvs

from node.crypto.seal_chain import next_seal, seal_at
from node.device.keys import Keys
from node.errors import CommandError

SEAL = bytes(range(32))
HEAD = bytes(8)  # epoch 0, no policy yet


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
        third = next_seal(next_seal(next_seal(SEAL)))
        for both in (keys, Keys()):
            self.assertEqual((both.epoch, both.seal), (3, third))

    def test_an_epoch_only_rises(self):
        keys = Keys()
        keys.step_to(3)
        for epoch in (3, 2, 0, -1):
            keys.step_to(epoch)
        self.assertEqual((keys.epoch, Keys().epoch), (3, 3))
        with self.assertRaises(ValueError):
            seal_at(SEAL, 3, 2)

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
        ):
            write_nvs(**content)
            keys = Keys()
            self.assertEqual(keys.missing(), missing)
            if keys.seal is None:
                keys.step_to(5)
                keys.note_policy(2)
                self.assertEqual((Keys().seal, Keys().epoch), (None, 0))


if __name__ == "__main__":
    unittest.main()
