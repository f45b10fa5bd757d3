# SPDX-License-Identifier: MIT
"""node/policy/rules.py: what the node takes for a policy, and what it computes from it."""

import unittest

from policy_fixture import TERMS, refusal, rules, stream

from node import cbor
from node.policy.rules import Policy
from node.policy.store import NoPolicy

# Why a policy is refused: node/policy/README.md
BAD_FORM = 1
GOOD = stream(low=350, high=5000, resolution=10)


class TestPolicy(unittest.TestCase):
    def test_a_good_one(self):
        noisy = stream(9, "vehicles", 3600, ["sum"], k=10, noise=[1, 1, 24])
        policy = Policy(rules(GOOD, stream(7, "pressure_pa", 900, ["min"]), noisy, id="id"))
        self.assertEqual((policy.id, policy.version, policy.kit), ("id", 1, "air"))
        self.assertEqual(policy.windows_s, [300, 900, 3600])
        self.assertEqual([s.number for s in policy.closing(600)], [1])
        self.assertEqual([s.number for s in policy.closing(900)], [1, 7])
        self.assertEqual(policy.next_instant(600), 900)
        self.assertEqual(policy.next_instant(599), 600)
        self.assertEqual(policy.terms_digest, TERMS)
        self.assertEqual([(s.k, s.noise) for s in policy.streams],
                         [(0, None), (0, None), (10, (1, 1, 24))])  # fmt: skip

    def test_its_days(self):
        policy = Policy(rules(days=(20_000, 20_001)))
        first, end = 20_000 * 86_400, 20_002 * 86_400
        self.assertEqual([policy.permits(at) for at in (first, first + 1, end, end + 1)],
                         [False, True, True, False])  # fmt: skip

    def test_all_others_are_refused(self):
        def changed(index, value):
            return rules(GOOD[:index] + [value] + GOOD[index + 1 :])

        for data in (
            b"", b"\xff", cbor.encode(["lp1 policy", "i", 1, "a", 0, 1, [], TERMS]),
            rules(GOOD, label="lp2 policy"), rules(GOOD, GOOD),
            rules([2] + GOOD[1:], GOOD), rules(GOOD[:-1]), rules(GOOD + [1]),
            changed(0, 0), changed(0, 256), changed(0, True), changed(0, "1"), changed(2, 0),
            changed(2, 301), changed(2, -300), changed(3, []), changed(3, ["median"]),
            changed(4, 0), changed(4, None), changed(5, 5001), rules(GOOD) + b"\x00",
            changed(7, -1), changed(7, None), changed(7, 5), changed(8, []), changed(8, 1),
            changed(8, [1, 1]), changed(8, [0, 1, 1]), changed(8, [1, 0, 1]),
            changed(8, [1, 1, 0]), changed(8, [1, 1, True]), changed(8, "abc"),
            rules(version=0), rules(version="1"), rules(version=1 << 31), rules(days=(2, 1)),
            rules(days=(-1, 1)), rules(days=("0", 1)), rules(terms=b""), rules(terms="x" * 32),
            cbor.encode(["lp1 policy"]), cbor.encode(5),
            cbor.encode(["lp1 policy", "i", 1, "a", 0, 1, 5, TERMS]),
        ):  # fmt: skip
            self.assertEqual(refusal(Policy, data), BAD_FORM)

    def test_rounding_and_clamping(self):
        fields = stream(1, "temperature_mc", resolution=100, low=-5000, high=5000)
        line = Policy(rules(fields)).streams[0]
        for total, count, step in (
            (149, 1, 1), (150, 1, 2), (-150, 1, -1), (-151, 1, -2), (0, 7, 0), (1000, 3, 3),
            (-1000, 3, -3), (99_999, 1, 50), (-99_999, 1, -50), (99_999, 2, 50),
        ):  # fmt: skip
            self.assertEqual(line.steps("mean", total, count), step)
        self.assertEqual(line.limits("mean"), (-50, 50))
        self.assertEqual(line.steps("count", 70_000), 65_535)
        self.assertEqual(line.limits("count"), (0, 65_535))

    def test_no_policy_names_nothing(self):
        policy = NoPolicy()
        self.assertEqual((policy.closing(86_400), policy.version, policy.digest), ([], 0, None))
        self.assertEqual(policy.next_instant(5), 86_400)
        self.assertFalse(policy.permits(86_400))


if __name__ == "__main__":
    unittest.main()
