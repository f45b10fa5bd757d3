# SPDX-License-Identifier: MIT
"""Sums of masks over many trees, against one tree at a time by the words of the README."""

import json
import os
from pathlib import Path

import pytest
from controller_fixture import DAY, DAY0, START, mask
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.controller.mask_tree import LEAVES, leaf_index, leaf_sums, pads

M = 1 << 64
roots = st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=4)
indices = st.lists(st.integers(0, LEAVES - 1), min_size=1, max_size=6, unique=True).map(sorted)


def test_the_last_leaf_and_what_lies_outside():
    assert leaf_index(START, DAY0) == 0
    assert leaf_index(START + 60 * (LEAVES - 1), DAY0) == LEAVES - 1
    assert leaf_index(START + 60 * LEAVES, DAY0) is None
    assert leaf_index(START - 60, DAY0) is None


@settings(max_examples=40, deadline=None)
@given(roots, indices, st.integers(1, 5))
def test_sums_of_leaves(found, at, elements):
    expected = []
    for index in at:
        rows = [mask(root, 0, index * 60, elements) for root in found]
        expected.append([sum(column) % M for column in zip(*rows, strict=True)])
    assert list(leaf_sums(found, at, elements)) == expected


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_pads_of_ranges_that_touch_overlap_and_repeat(data):
    minutes = st.integers(0, 5000)
    days = st.integers(DAY0 - 3, DAY0)
    trees = data.draw(st.lists(st.tuples(days, st.binary(min_size=16, max_size=16)), max_size=4))
    span = st.tuples(minutes, minutes).filter(lambda s: s[0] < s[1])
    spans = [
        (START + 60 * a, START + 60 * b)
        for a, b in data.draw(st.lists(span, min_size=1, max_size=4))
    ]
    for (start, end), row in zip(spans, pads(trees, spans, 2), strict=True):
        total = [0, 0]
        for day0, root in trees:
            before, after = mask(root, day0, start, 2), mask(root, day0, end, 2)
            total = [(t + b - a) % M for t, a, b in zip(total, before, after, strict=True)]
        assert row == total


def test_no_leaf_no_pad():
    with pytest.raises(ValueError):
        pads([(DAY0 + 1, os.urandom(16))], [(START, START + DAY)], 1)


VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mask.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: f"{one['first']}-{one['last']}")
def test_what_the_node_masks_opens(vector):
    """The vectors that the node's code meets on both interpreters, by the code for many trees."""
    root, values = bytes.fromhex(vector["root"]), vector["values"]
    first, last = vector["first"], vector["last"]
    (found,) = leaf_sums([root], [first], len(values))
    assert [f"{pad:016x}" for pad in found] == vector["pads"]
    (row,) = pads([(DAY0, root)], [(START + 60 * first, START + 60 * last)], len(values))
    masked = bytes.fromhex(vector["masked"])
    c = [int.from_bytes(masked[at : at + 8], "big") for at in range(0, len(masked), 8)]
    opened = [(a + b) % M for a, b in zip(c, row, strict=True)]
    assert opened == [value % M for value in values]
