# SPDX-License-Identifier: MIT
"""node/policy/rules.py: what the node takes for a policy, and what it computes from it."""

import unittest

from node import cbor
from node.errors import PolicyError
from node.policy.rules import Policy

GOOD = [1, "co2_ppm", 300, ["mean"], 10, 350, 5000, "why"]


def compiled(*streams, label="lp1 policy"):
    return cbor.encode([label, "id", 1, "air", list(streams)])


class TestPolicy(unittest.TestCase):
    def test_a_good_one(self):
        policy = Policy(compiled(GOOD, [7, "pressure_pa", 900, ["min"], 1, 1, 2, "why"]))
        self.assertEqual((policy.id, policy.version, policy.kit), ("id", 1, "air"))
        self.assertEqual(policy.windows_s, [300, 900])
        self.assertEqual([s.number for s in policy.closing(600)], [1])
        self.assertEqual([s.number for s in policy.closing(900)], [1, 7])
        self.assertEqual(policy.next_instant(600), 900)
        self.assertEqual(policy.next_instant(599), 600)

    def test_all_others_are_refused(self):
        def changed(index, value):
            return compiled(GOOD[:index] + [value] + GOOD[index + 1 :])

        for data in (
            b"", b"\xff", compiled(), compiled(GOOD, label="lp2 policy"), compiled(GOOD, GOOD),
            compiled([2] + GOOD[1:], GOOD), compiled(GOOD[:-1]), compiled(GOOD + [1]),
            changed(0, 0), changed(0, 256), changed(0, True), changed(0, "1"), changed(2, 0),
            changed(2, 301), changed(2, -300), changed(3, []), changed(3, ["median"]),
            changed(4, 0), changed(4, None), changed(5, 5001), compiled(GOOD) + b"\x00",
            cbor.encode(["lp1 policy"]), cbor.encode(5),
            cbor.encode(["lp1 policy", "i", 1, "a", 5]),
        ):  # fmt: skip
            with self.assertRaises(PolicyError):
                Policy(data)

    def test_rounding_and_clamping(self):
        fields = [1, "temperature_mc", 300, ["mean"], 100, -5000, 5000, "why"]
        stream = Policy(compiled(fields)).streams[0]
        for total, count, step in (
            (149, 1, 1), (150, 1, 2), (-150, 1, -1), (-151, 1, -2), (0, 7, 0), (1000, 3, 3),
            (-1000, 3, -3), (99_999, 1, 50), (-99_999, 1, -50), (99_999, 2, 50),
        ):  # fmt: skip
            self.assertEqual(stream.steps("mean", total, count), step)
        self.assertEqual(stream.limits("mean"), (-50, 50))
        self.assertEqual(stream.steps("count", 70_000), 65_535)
        self.assertEqual(stream.limits("count"), (0, 65_535))


if __name__ == "__main__":
    unittest.main()
