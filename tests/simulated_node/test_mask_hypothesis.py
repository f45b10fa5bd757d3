# SPDX-License-Identifier: MIT
"""node/crypto/mask.py: for any moves that hypothesis finds, the leaves are those of the whole
tree, what is kept comes back from its bytes, and no earlier leaf can be derived from it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.mask import LEAVES, TREE_BYTES, decode, from_root, mask
from node.errors import KeyMissing
from tests.soak.masked_world import _blocks, pads_of

ROOTS = st.binary(min_size=16, max_size=16)
PLACES = st.lists(st.integers(0, LEAVES - 1), min_size=1, max_size=6).map(sorted)
VALUES = st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=5)


def path(root: bytes, leaf: int) -> list[bytes]:
    """The seeds from the root down to a leaf."""
    seeds = [root]
    for bit in f"{leaf:024b}":
        seeds.append(_blocks(seeds[-1], 2)[int(bit)])
    return seeds


@given(ROOTS, PLACES)
def test_any_moves(root, places):
    tree = from_root(root)
    for place in places:
        tree.move_to(place)
        kept = tree.encode()
        assert len(kept) == TREE_BYTES
        tree = decode(kept)
        assert tree.encode() == kept
        assert tree.leaf() == path(root, place)[-1]
        for before in {0, place // 2, place - 1} if place else ():
            assert not [seed for seed in path(root, before) if seed in kept]
            with pytest.raises(KeyMissing):
                tree.move_to(before)


@given(ROOTS, st.lists(st.integers(0, LEAVES - 1), min_size=2, max_size=5, unique=True), VALUES)
def test_any_chain_opens_to_its_sum(root, places, values):
    places, total = sorted(places), [0] * len(values)
    for first, last in itertools.pairwise(places):
        c = mask(from_root(root), first, last, values)
        total = [t + int.from_bytes(c[8 * j : 8 * j + 8], "big") for j, t in enumerate(total)]
    plus, minus = (pads_of(path(root, at)[-1], len(values)) for at in (places[0], places[-1]))
    for t, a, b, value in zip(total, plus, minus, values, strict=True):
        assert (t - a + b - value * (len(places) - 1)) % 2**64 == 0
