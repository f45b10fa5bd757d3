# SPDX-License-Identifier: MIT
"""A store without a token: what it holds of a masked stream cannot be told from random bytes. And
a store with the controller's roots: nothing is hidden from these two together."""

import contextlib
import itertools
import random
import sqlite3
from collections import Counter

import pytest

from host_tools.attacks.street import numbers
from host_tools.controller.mask_tree import pads
from host_tools.provisioning.ticket import mask_root, new_root
from node.crypto.mask import LEAVES, from_root, mask
from tests.privacy import distinguish
from tests.privacy.distinguish import CHANCE, FAR, MINUTES, MODULUS, SLOTS, real, success
from tests.privacy.laplace import upper_tail

UNLIKELY = 1e-4


def all_masked(path) -> list[bytes]:
    """Every c of a store, and the sums of each node's from its first slot on."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT node, c FROM masked ORDER BY node, from_s").fetchall()
    found = [c for _, c in rows]
    for _, own in itertools.groupby(rows, lambda row: row[0]):
        columns = zip(*(numbers(c) for _, c in own), strict=True)
        sums = [list(itertools.accumulate(column))[1:] for column in columns]
        found += [(value % MODULUS).to_bytes(8, "big") for column in sums for value in column]
    return found


def bias(data: bytes) -> float:
    """How many standard deviations the number of ones is from half of the bits."""
    ones, bits = sum(bin(byte).count("1") for byte in data), 8 * len(data)
    return abs(ones - bits / 2) / (bits**0.5 / 2)


def evenness(data: bytes) -> float:
    """The probability of bytes that are as uneven, or more, by Pearson's chi-square. Of 255
    degrees of freedom one is left out, which makes it a little larger or smaller."""
    counts, expected = Counter(data), len(data) / 256
    statistic = sum((counts[value] - expected) ** 2 / expected for value in range(256))
    return upper_tail(statistic, 254)


def test_all_that_a_store_holds_looks_random(recorded):
    data = b"".join(all_masked(recorded.noisy_store))
    assert len(data) == 16 * 16 * (192 + 191)
    assert bias(data) < 4
    assert UNLIKELY < evenness(data) < 1 - UNLIKELY
    values = [value for c in all_masked(recorded.noisy_store) for value in numbers(c)]
    assert len(set(values)) == len(values)  # of 2^64: no two alike


def test_statistics_can_tell(recorded):
    """What was measured, or a mask of 32 bits alone, does not pass."""
    chance = random.Random(1)
    truths = [v for one in recorded.street.dwellings for v in one.truth.values()]
    plain = b"".join(value.to_bytes(8, "big") for values in truths for value in values)
    assert bias(plain) > 50 and evenness(plain) < UNLIKELY
    short = b"".join(chance.getrandbits(32).to_bytes(8, "big") for _ in range(6000))
    assert evenness(short) < UNLIKELY


def test_an_empty_dwelling_and_a_busy_one_look_alike():
    assert abs(success(real, 1) - CHANCE) < FAR


@pytest.mark.parametrize("wrong", ["no step", "one leaf", "one root"])
def test_masks_that_are_wrong_are_told_apart(wrong):
    """The same learners: masks that do not step on, that serve two slots, that are everybody's."""
    known = bytes(16)

    def masker(root, values, slot):
        if wrong == "no step":  # from and end are the same leaf
            return b"".join((value % MODULUS).to_bytes(8, "big") for value in values)
        if wrong == "one leaf":
            return mask(from_root(root), 0, MINUTES, values)
        return mask(from_root(known), 0, MINUTES, values)

    assert success(masker, 2) > 0.95


def twice(masker, limits, chance) -> list[int]:
    """Of one slot, masked of two measurements, as it must never be: the differences."""
    root, found = chance.randbytes(16), []
    for slot in range(SLOTS):
        pair = [numbers(masker(root, [60, chance.randint(*limits)], slot))[1] for _ in "12"]
        found.append((pair[1] - pair[0]) % MODULUS)
    return found


def test_a_slot_that_is_masked_twice_tells_everything():
    """Why a node masks a slot once, ever: tests/soak/masked_world.py shows that it does, whatever
    the power does."""
    assert success(real, 3, twice) > 0.95


def test_two_nodes_share_nothing():
    """What one node masks, less what another does: at chance, as their trees are their own."""

    def difference(masker, limits, chance):
        one, other = (distinguish.masked_day(masker, of, chance) for of in (limits, (0, 0)))
        return [(a - b) % MODULUS for a, b in zip(one, other, strict=True)]

    assert abs(success(real, 4, difference) - CHANCE) < FAR


def test_streams_and_nodes_have_trees_of_their_own():
    root = new_root()
    roots = {mask_root(root, node, n) for node in ("0123456789", "0123456788") for n in (1, 2)}
    assert len(roots) == 4
    leaves = {bytes(from_root(one).leaf()) for one in roots}
    assert len(leaves) == 4 and LEAVES == 1 << 24


def test_store_and_controller_together_open_everything(recorded, tmp_path):
    """Nothing protects from these two together: one dwelling's day, window by window."""
    home = recorded.street
    one = home.dwellings[3]
    node_id, stream = one.ticket.node_id, home.stream
    known = home.office(tmp_path, recorded.noisy).keys.nodes[node_id]  # the controller's
    assert known.roots == one.ticket.masks  # so who kept the ticket is as good as the controller
    tree = known.day0, known.roots[stream.number]
    with contextlib.closing(sqlite3.connect(recorded.noisy_store)) as db:  # the store's
        query = "SELECT from_s, end_s, c FROM masked WHERE node = ? ORDER BY from_s"
        rows = db.execute(query, (node_id,)).fetchall()
    spans = [(from_s, end_s) for from_s, end_s, _ in rows]
    off = pads([tree], spans, stream.elements())
    opened = {}
    for (from_s, _, c), pad in zip(rows, off, strict=True):
        pairs = zip(numbers(c), pad, strict=True)
        opened[from_s // stream.window_s] = [(a + b) % MODULUS for a, b in pairs]
    assert opened == one.truth
