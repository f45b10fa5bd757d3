# SPDX-License-Identifier: MIT
"""node/crypto/mask.py: the tree, what it forgets, and masked values."""

import random
import unittest

from vectors_fixture import unhex, vectors

from node.crypto import ccm
from node.crypto.mask import LEAVES, TREE_BYTES, decode, from_root, mask, pads
from node.errors import KeyMissing

ROOT = bytes(range(16))
CASES = 60


def children(seed):
    """Both, as zeros that CCM seals show them."""
    both = ccm.encrypt(seed, bytes(13), bytes(32), b"any")
    return both[:16], both[16:32]


def seed_of(level, index, root=ROOT):
    """The seed of the subtree number `index` of 2^level subtrees."""
    for bit in range(level - 1, -1, -1):
        root = children(root)[index >> bit & 1]
    return root


def places(count):
    """Rising leaves: some near, some far, some at the edges of large subtrees."""
    at, found = 0, []
    for _ in range(count):
        kind = random.randrange(5)
        if kind == 0:
            step = random.randrange(1 << random.randrange(1, 24))
        elif kind == 1:
            step = -at % (1 << random.randrange(24))
        else:
            step = (1, 15, 1440)[kind - 2]
        if at + step >= LEAVES:
            break
        at += step
        found.append(at)
    return found


class TestVectors(unittest.TestCase):
    def test_leaves_pads_and_masked_values(self):
        for vector in vectors("mask"):
            tree = from_root(unhex(vector["root"]))
            tree.move_to(vector["first"])
            self.assertEqual(tree.leaf(), unhex(vector["leaf"]))
            got = ["%016x" % pad for pad in pads(tree.leaf(), len(vector["values"]))]
            self.assertEqual(got, vector["pads"])
            masked = mask(tree, vector["first"], vector["last"], vector["values"])
            self.assertEqual(masked, unhex(vector["masked"]))
            self.assertEqual(tree.index, vector["last"])


class TestTree(unittest.TestCase):
    def setUp(self):
        random.seed(7)

    def test_any_moves_give_the_leaves_of_the_whole_tree(self):
        for _ in range(CASES):
            tree = from_root(ROOT)
            for at in places(5):
                tree.move_to(at)
                self.assertEqual(tree.leaf(), seed_of(24, at))
                tree = decode(tree.encode())
            self.assertEqual(len(tree.encode()), TREE_BYTES)

    def test_no_seed_above_a_leaf_that_is_forgotten_remains(self):
        """All that derives it lies on the way from the root down: 25 seeds."""
        for _ in range(CASES):
            tree = from_root(ROOT)
            for at in places(4):
                tree.move_to(at)
                if not at:
                    continue
                kept = tree.encode()
                for before in (0, at - 1, random.randrange(at)):
                    for level in range(25):
                        self.assertFalse(seed_of(level, before >> (24 - level)) in kept)

    def test_what_is_kept_is_what_covers_the_rest_and_no_more(self):
        for at, levels in ((0, [0]), (1, range(24, 0, -1)), (1 << 23, [1]), (3 << 22, [2])):
            tree = from_root(ROOT)
            tree.move_to(at)
            place, wanted = at, b""
            for level in levels:
                wanted += seed_of(level, place >> (24 - level))
                place += 1 << (24 - level)
            self.assertEqual(place, LEAVES)
            encoded = at.to_bytes(4, "big") + wanted
            self.assertEqual(tree.encode(), encoded + bytes(TREE_BYTES - len(encoded)))

    def test_no_way_back_and_no_leaf_beyond(self):
        tree = from_root(ROOT)
        tree.move_to(1440)
        before = tree.encode()
        for index in (-1, 0, 1439, LEAVES, LEAVES + 1):
            with self.assertRaises(KeyMissing):
                tree.move_to(index)
            self.assertEqual(tree.encode(), before)
        tree.move_to(LEAVES - 1)
        self.assertEqual(tree.leaf(), seed_of(24, LEAVES - 1))

    def test_what_is_no_tree(self):
        for data in (b"", bytes(TREE_BYTES - 1), bytes(TREE_BYTES + 1), b"\xff" * TREE_BYTES):
            with self.assertRaises(KeyMissing):
                decode(data)


class TestMask(unittest.TestCase):
    def test_sums_telescope_and_wrap(self):
        ends = (0, 15, 30, 60, 61, 1440)
        rows = ([1, 2, 3], [-5, 0, 1 << 63], [0, 0, 0], [-1, -(1 << 63), 7], [9, 9, 9])
        total = [0, 0, 0]
        for first, last, values in zip(ends, ends[1:], rows):
            c = mask(from_root(ROOT), first, last, values)
            for j in range(3):
                total[j] += int.from_bytes(c[8 * j : 8 * j + 8], "big")
        plus, minus = pads(seed_of(24, 0), 3), pads(seed_of(24, 1440), 3)
        for j in range(3):
            true = sum([row[j] for row in rows])
            self.assertEqual((total[j] - plus[j] + minus[j] - true) % (1 << 64), 0)

    def test_a_slot_of_no_length_is_refused(self):
        for first, last in ((5, 5), (6, 5), (-1, 5), (5, LEAVES)):
            with self.assertRaises(KeyMissing):
                mask(from_root(ROOT), first, last, [1])


if __name__ == "__main__":
    unittest.main()
