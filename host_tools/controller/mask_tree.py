# SPDX-License-Identifier: MIT
"""From the roots of nodes' trees to what takes their masks away: README.md here has the tree.

The sums over many nodes are derived level by level, all nodes of a level in one go, and from one
leaf to the next only what their paths do not share: about one AES-CCM call a level and node.
"""

import struct
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

LEVELS = 24
LEAVES = 1 << LEVELS
LEAF_S = 60
_NONCE = bytes(13)
_BLOCK = 16
_DAY_S = 86_400


def leaf_index(instant_s: int, day0: int) -> int | None:
    """The leaf of this moment (Unix time, a whole minute) in a tree that begins with the UTC day
    `day0`; None when it has none."""
    index = (instant_s - day0 * _DAY_S) // LEAF_S
    return index if 0 <= index < LEAVES else None


def leaf_sums(roots: Iterable[bytes], indices: Iterable[int], elements: int) -> Iterator[list]:
    """For each of the leaves `indices`, which rise: Σ over the trees of F, one integer for each
    element, modulo 2^64."""
    levels = [list(roots)]
    before = 0
    for index in indices:
        shared = LEVELS - (index ^ before).bit_length()
        del levels[shared + 1 :]
        for level in range(len(levels) - 1, LEVELS):
            levels.append(_children(levels[-1], index >> (LEVELS - 1 - level) & 1))
        before = index
        yield _sum(levels[-1], elements)


def _children(seeds: list[bytes], which: int) -> list[bytes]:
    zeros, at = bytes(_BLOCK * (which + 1)), _BLOCK * which
    return [AESCCM(seed).encrypt(_NONCE, zeros, None)[at : at + _BLOCK] for seed in seeds]


def _sum(leaves: list[bytes], elements: int) -> list[int]:
    """Σ over the leaves of each element: its block, first half XOR second half."""
    zeros = bytes(_BLOCK * elements)
    halves = struct.Struct(f">{2 * elements}Q{_BLOCK}x").unpack  # the tag is passed over
    blocks = [halves(AESCCM(leaf).encrypt(_NONCE, zeros, None)) for leaf in leaves]
    return [
        sum(block[at] ^ block[at + 1] for block in blocks) % (1 << 64)
        for at in range(0, 2 * elements, 2)
    ]


def pads(
    trees: Iterable[tuple[int, bytes]], spans: list[tuple[int, int]], elements: int
) -> list[list[int]]:
    """For each of the ranges (from_s, to_s): Σ over the trees of F(to) − F(from), modulo 2^64.
    trees: (day0, root). ValueError when one has no leaf for a border."""
    borders = sorted({border for span in spans for border in span})
    total = {border: [0] * elements for border in borders}
    for day0, roots in _by_day0(trees).items():
        indices = [leaf_index(border, day0) for border in borders]
        if None in indices:
            raise ValueError("a tree has no leaf there")
        for border, sums in zip(borders, leaf_sums(roots, indices, elements), strict=True):
            total[border] = [a + b for a, b in zip(total[border], sums, strict=True)]
    return [
        [(b - a) % (1 << 64) for a, b in zip(total[start], total[end], strict=True)]
        for start, end in spans
    ]


def _by_day0(trees) -> dict[int, list[bytes]]:
    found = {}
    for day0, root in trees:
        found.setdefault(day0, []).append(root)
    return found
