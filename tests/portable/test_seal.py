# SPDX-License-Identifier: MIT
"""node/pipeline/seal.py: what the node can read of what it sealed before. See test_vectors.py for
the bytes."""

import unittest

from policy_fixture import rules, stream

from node.errors import KeyMissing
from node.pipeline import envelope
from node.pipeline.look_back import instant_s
from node.pipeline.seal import Sealer
from node.policy.rules import Policy
from node.policy.store import NoPolicy

POLICY = rules(stream(statistics=["sum"]))
NOON = 1_800_014_400


class Keys:
    def __init__(self):
        self.seal, self.epoch = bytes(range(32)), 3


class TestSealer(unittest.TestCase):
    def setUp(self):
        self.keys = Keys()
        self.sealer = self.make(b"series 1")

    def make(self, series, policy=POLICY):
        return Sealer(self.keys, "0123456789", Policy(policy), series)

    def sealed(self, records, instant_s):
        return self.sealer.seal(b"log!", 7, 1, records, instant_s)

    def test_the_next_power_up_reads_when_records_were_released(self):
        sealed = self.sealed([[1, NOON // 300 - 1, 5]], NOON)
        self.assertEqual(instant_s(self.make(b"series 2"), sealed), NOON)

    def test_also_of_records_that_are_masked(self):
        fields = stream(statistics=["count", "sum"]) + [[]]
        self.sealer = self.make(b"series 1", rules(fields))
        slot = NOON // 300 - 1
        for record in ([1, slot, slot - 2, bytes(16)], [1, slot, None, None]):
            sealed = self.sealed([record], NOON)
            self.assertEqual(instant_s(self.make(b"series 2", rules(fields)), sealed), NOON)

    def test_but_not_of_what_has_none_or_does_not_open(self):
        sealed = self.sealed([[1, NOON // 300 - 1, 5]], NOON)
        after = self.make(b"series 2")
        self.assertIsNone(instant_s(after, self.sealed([], None)))
        self.assertIsNone(instant_s(after, sealed[:-1] + bytes([sealed[-1] ^ 1])))
        self.assertIsNone(instant_s(after, b"not an envelope"))
        self.assertIsNone(
            instant_s(
                self.make(b"series 2", rules(stream(statistics=["sum"]), version=2)), sealed
            )
        )
        self.keys.epoch = 4
        self.assertIsNone(instant_s(after, sealed))
        self.keys.epoch, self.keys.seal = 3, None
        self.assertIsNone(instant_s(after, sealed))
        with self.assertRaises(KeyMissing):
            self.sealed([], None)

    def test_another_policy_goes_on_with_the_counter(self):
        """Key and nonce must not come again, though what they are bound to changes."""
        partial_ivs = []
        for version in (1, 2, 3):
            self.sealer.use(Policy(rules(stream(statistics=["sum"]), version=version)))
            sealed = self.sealed([[1, NOON // 300 - 1, 5]], NOON)
            _, _, series, _, counter, _ = envelope.unpack(sealed)
            partial_ivs.append((series, counter))
            self.assertEqual(instant_s(self.sealer, sealed), NOON)
        self.assertEqual(partial_ivs, [(b"series 1", n) for n in range(3)])
        self.sealer.use(NoPolicy())
        with self.assertRaises(KeyMissing):
            self.sealed([], None)


if __name__ == "__main__":
    unittest.main()
