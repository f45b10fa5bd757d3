# SPDX-License-Identifier: MIT
"""Who takes a node away has its flash and its NVS as they are, byte for byte, and with the store's
help all that it ever sent. Of the past, before the day that a receipt last confirmed, nothing
unmasks; of the day itself and of what comes, all does. Of other nodes, nothing."""

import pytest

from host_tools.provisioning.ticket import make_ticket
from node.crypto.mask import LEVELS, pads
from node.device.keys import Keys
from node.errors import KeyMissing
from simulator.hal.bench import bench
from simulator.world.nvs import NvsPartition
from tests.host_tools.reference_masks import blocks
from tests.simulated_node.own_bench import a_bench  # noqa: F401
from tests.soak import masked_world as world
from tests.soak.cut_flash import ImageFlash

POLICY = world.rules()
MIDNIGHT_S = world.BEGIN_S + 7200
STREAMS = {1: 300, 2: 600}  # of POLICY: the length of their windows
DAY = 1440  # leaves


def an_evening() -> world.Board:
    """From 22:00 to a little after midnight."""
    it = world.Board(ImageFlash(world.BLANK_DATA), world.fresh_nvs(), POLICY, world.BEGIN_S + 10)
    it.run_to(MIDNIGHT_S + 300)
    return it


def a_night() -> world.Board:
    """A receipt confirms the new day, and the node goes on until 01:00; it scrubs by itself."""
    it = an_evening()
    it.receipt()
    it.run_to(MIDNIGHT_S + 3600)
    return it


def leaf_of(time_s: int) -> int:
    return (time_s - world.DAY0 * 86_400) // 60


def keys_of_the_past(root: bytes, before: int) -> set[bytes]:
    """Every seed of the tree that gives a leaf before this one, and those leaves."""
    found, level = {root}, [root]
    for depth in range(1, LEVELS + 1):
        size = 1 << (LEVELS - depth)
        both = [blocks(seed, 2) for seed in level]
        level = [pair[at : at + 16] for pair in both for at in (0, 16)]
        level = level[: -(-before // size)]
        found.update(level)
    return found


def held(it: world.Board) -> set[bytes]:
    """Every 16 bytes in a row of what the thief has."""
    images = it.nvs.image(), it.data.image()
    return {image[at : at + 16] for image in images for at in range(len(image) - 15)}


def stolen_tree(it: world.Board, stream: int):
    """The tree in the NVS, read by the firmware's own code."""
    bench.nvs = NvsPartition(ImageFlash(it.nvs.image()))
    return Keys().masks().tree(stream)


def test_nothing_in_the_node_gives_a_leaf_of_the_past():
    it = a_night()
    found = held(it)
    for stream in STREAMS:
        index = stolen_tree(it, stream).index
        assert DAY <= index <= DAY + 5  # the end of the last mask before the receipt
        past = keys_of_the_past(world.TICKET.masks[stream], index)
        assert len(past) > 2 * DAY - LEVELS
        assert not past & found


def test_the_search_finds_what_is_left():
    """Before a receipt the day is not over for the node; right after it NVS still has what was,
    until the node has scrubbed it, a write at a time."""
    it = an_evening()
    past = {stream: keys_of_the_past(world.TICKET.masks[stream], DAY) for stream in STREAMS}
    assert all(past[stream] & held(it) for stream in STREAMS)
    it.receipt()
    assert all(past[stream] & held(it) for stream in STREAMS)
    it.run_to(MIDNIGHT_S + 3600)
    assert not any(past[stream] & held(it) for stream in STREAMS)


def test_what_the_thief_gets_is_the_day_and_what_comes():
    it = a_night()
    for stream, window_s in STREAMS.items():
        for policy, record in world.masked_records(it.outbox, [POLICY])[stream]:
            _, slot, first, c = record
            tree = stolen_tree(it, stream)
            begin, end = (leaf_of(at * window_s) for at in (first, slot + 1))
            if begin < tree.index:
                with pytest.raises(KeyMissing):
                    tree.move_to(begin)
                continue
            elements = len(c) // 8
            tree.move_to(begin)
            plus = pads(tree.leaf(), elements)
            tree.move_to(end)
            minus = pads(tree.leaf(), elements)
            numbers = [int.from_bytes(c[8 * i : 8 * i + 8], "big") for i in range(elements)]
            m = [(v - a + b) % 2**64 for v, a, b in zip(numbers, plus, minus, strict=True)]
            assert m == [v % 2**64 for v in world.true_values(policy, stream, slot)]


def test_the_last_window_of_the_past_stays_masked():
    """Its mask ends where the thief's tree begins: one of its two leaves is his, and no use."""
    it = a_night()
    for stream, window_s in STREAMS.items():
        chain = world.masked_records(it.outbox, [POLICY])[stream]
        tree = stolen_tree(it, stream)
        ends = [(leaf_of((record[1] + 1) * window_s), record) for _, record in chain]
        (last,) = [record for end, record in ends if end == tree.index]
        half = pads(tree.leaf(), len(last[3]) // 8)
        for at, (pad, true) in enumerate(
            zip(half, world.true_values(POLICY, stream, last[1]), strict=True)
        ):
            value = int.from_bytes(last[3][8 * at : 8 * at + 8], "big") + pad
            assert 1 << 40 < (value - true) % 2**64 < 2**64 - (1 << 40)


def test_nothing_of_another_node():
    other = make_ticket(bytes(range(1, 33)), "abcdefghjk", world.DAY0, STREAMS)
    found = held(a_night())
    for stream in STREAMS:
        assert not keys_of_the_past(other.masks[stream], 2 * DAY) & found
