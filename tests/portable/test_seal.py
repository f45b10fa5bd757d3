# SPDX-License-Identifier: MIT
"""node/pipeline/seal.py: what the node can read of what it sealed before. See test_vectors.py for
the bytes."""

import unittest

from node import cbor
from node.errors import KeyMissing
from node.pipeline.seal import Sealer
from node.policy.rules import Policy

POLICY = [
    "lp1 policy", "t", 1, "air", [[1, "co2_ppm", 300, ["sum"], 1, 0, 99_999, "w"]]
]  # fmt: skip
NOON = 1_800_014_400


class Keys:
    def __init__(self):
        self.seal, self.epoch = bytes(range(32)), 3


class TestSealer(unittest.TestCase):
    def setUp(self):
        self.keys = Keys()
        self.sealer = self.make(b"series 1")

    def make(self, series, policy=POLICY):
        return Sealer(self.keys, "0123456789", Policy(cbor.encode(policy)), series)

    def sealed(self, records, instant_s):
        return self.sealer.seal(b"log!", 7, 1, records, instant_s)

    def test_the_next_power_up_reads_when_records_were_released(self):
        sealed = self.sealed([[1, NOON // 300 - 1, 5]], NOON)
        self.assertEqual(self.make(b"series 2").instant_s(sealed), NOON)

    def test_but_not_of_what_has_none_or_does_not_open(self):
        sealed = self.sealed([[1, NOON // 300 - 1, 5]], NOON)
        after = self.make(b"series 2")
        self.assertIsNone(after.instant_s(self.sealed([], None)))
        self.assertIsNone(after.instant_s(sealed[:-1] + bytes([sealed[-1] ^ 1])))
        self.assertIsNone(after.instant_s(b"not an envelope"))
        self.assertIsNone(
            self.make(b"series 2", ["lp1 policy", "t", 2] + POLICY[3:]).instant_s(sealed)
        )
        self.keys.epoch = 4
        self.assertIsNone(after.instant_s(sealed))
        self.keys.epoch, self.keys.seal = 3, None
        self.assertIsNone(after.instant_s(sealed))
        with self.assertRaises(KeyMissing):
            self.sealed([], None)


if __name__ == "__main__":
    unittest.main()
