# SPDX-License-Identifier: MIT
"""Masks of a stream: a tree of seeds (Goldreich, Goldwasser, Micali), of which a node keeps what
lies right of a place, and no more.

Leaf i of 2^24 is a minute. What is kept is the place, and the seeds of the largest subtrees that
together cover all leaves from there on, left to right; their sizes follow from the place. A seed
gives its children by AES-128 alone, so no seed that is kept gives a leaf that lies before.
host_tools/controller/README.md has the layout.
"""

import cryptolib

from node.errors import KeyMissing

LEVELS = 24
LEAVES = 1 << LEVELS
SEED_BYTES = 16
TREE_BYTES = 4 + LEVELS * SEED_BYTES
ELEMENT_BYTES = 8
_ECB = 1
_MODULUS = 1 << 8 * ELEMENT_BYTES


def _counters(count: int) -> bytes:
    """The counter blocks 1 to `count` of AES-CCM with a nonce of zeros."""
    prefix = b"\x01" + bytes(13)
    return b"".join([prefix + i.to_bytes(2, "big") for i in range(1, count + 1)])


_BOTH = _counters(2)


def _children(seed: bytes) -> bytes:
    """The seeds of both halves of a subtree, 32 bytes."""
    return cryptolib.aes(seed, _ECB).encrypt(_BOTH)


def pads(leaf: bytes, count: int) -> list:
    """One number of 64 bits for each of `count` elements, from the seed of a leaf."""
    blocks, found = cryptolib.aes(leaf, _ECB).encrypt(_counters(count)), []
    for at in range(0, len(blocks), 16):
        halves = [int.from_bytes(blocks[i : i + 8], "big") for i in (at, at + 8)]
        found.append(halves[0] ^ halves[1])
    return found


def _size(index: int) -> int:
    """How many leaves the largest subtree has that begins at leaf `index`."""
    return index & -index if index else LEAVES


class MaskTree:
    """index: the first leaf that it gives, up to LEAVES; seeds: of the subtrees from there on."""

    def __init__(self, index: int, seeds: list):
        self.index = index
        self._seeds = seeds

    def move_to(self, index: int):
        """Forgets all leaves before `index`. KeyMissing when it is gone already, or there is no
        such leaf."""
        if not self.index <= index < LEAVES:
            raise KeyMissing("mask")
        at, seeds = self.index, list(self._seeds)
        while at + _size(at) <= index:
            at += _size(at)
            del seeds[0]
        size = _size(at)
        while at < index:
            size //= 2
            children = _children(seeds.pop(0))
            seeds.insert(0, children[SEED_BYTES:])
            if at + size <= index:
                at += size
            else:
                seeds.insert(0, children[:SEED_BYTES])
        self.index, self._seeds = index, seeds

    def leaf(self) -> bytes:
        """The seed of leaf `index`."""
        size, seed = _size(self.index), self._seeds[0]
        while size > 1:
            size //= 2
            seed = _children(seed)[:SEED_BYTES]
        return seed

    def encode(self) -> bytes:
        """TREE_BYTES bytes: the index, the seeds, zeros."""
        data = self.index.to_bytes(4, "big") + b"".join(self._seeds)
        return data + bytes(TREE_BYTES - len(data))


def from_root(root: bytes) -> MaskTree:
    """The whole tree of a root of 16 bytes."""
    return MaskTree(0, [root])


def decode(data: bytes) -> MaskTree:
    """The tree that encode() gave; KeyMissing when it is none."""
    index = int.from_bytes(data[:4], "big")
    if len(data) != TREE_BYTES or not index < LEAVES:
        raise KeyMissing("mask")
    seeds, at, place = [], index, 4
    while at < LEAVES:
        seeds.append(data[place : place + SEED_BYTES])
        at += _size(at)
        place += SEED_BYTES
    return MaskTree(index, seeds)


def mask(tree: MaskTree, first: int, last: int, values) -> bytes:
    """c = m + F(first) - F(last) modulo 2^64 of each element, big-endian, where first < last are
    leaves. Moves the tree to `last`; KeyMissing when it does not give both."""
    if not first < last:
        raise KeyMissing("mask")
    tree.move_to(first)
    plus = pads(tree.leaf(), len(values))
    tree.move_to(last)
    minus = pads(tree.leaf(), len(values))
    masked = [(m + a - b) % _MODULUS for m, a, b in zip(values, plus, minus)]
    return b"".join([c.to_bytes(ELEMENT_BYTES, "big") for c in masked])
