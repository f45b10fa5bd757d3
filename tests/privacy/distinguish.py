# SPDX-License-Identifier: MIT
"""Tells two dwellings apart by their masked values, if anything of them shows: what adds up or
takes away of them, their bits, and the learners of host_tools/attacks on all of it."""

import math
import random
from itertools import accumulate, pairwise

from host_tools.attacks.guess import best_success
from host_tools.attacks.street import numbers
from node.crypto.mask import from_root, mask

MODULUS = 1 << 64
SLOTS, MINUTES = 6, 15
QUIET, BUSY = (0, 0), (50_000, 900_000)  # mWh in a quarter of an hour
PAIRS = 400
CHANCE = 0.5
FAR = 0.08  # above chance: once in 10^5 by chance, of 800 guesses


def real(root: bytes, values: list[int], slot: int) -> bytes:
    """What a node masks of one slot, by the firmware's own code."""
    tree = from_root(root)
    return mask(tree, slot * MINUTES, (slot + 1) * MINUTES, values)


def masked_day(masker, limits: tuple[int, int], chance: random.Random) -> list[int]:
    """c of the sums of a few slots that follow each other, of a dwelling with keys of its own."""
    root, first = chance.randbytes(16), chance.randrange(100_000)
    found = []
    for slot in range(first, first + SLOTS):
        found.append(numbers(masker(root, [60, chance.randint(*limits)], slot))[1])
    return found


def features(c: list[int]) -> list[float]:
    """Sizes of the values, of each sum from the first on, of each difference, and their bits."""
    pairs = list(pairwise(c))
    combined = [*c, *accumulate(c), *(b - a for a, b in pairs), *(a ^ b for a, b in pairs)]
    bits = [bin(value).count("1") for value in c] + [value & 0xFF for value in c]
    return [_size(value) for value in combined] + bits


def _size(value: int) -> float:
    """Logarithm, with the sign, of a number modulo 2^64."""
    value %= MODULUS
    if value >= MODULUS // 2:
        return -math.log2(1 + MODULUS - value)
    return math.log2(1 + value)


def success(masker, seed: int, of_case=masked_day) -> float:
    """How often the best learner names the busy one of a quiet and a busy dwelling. of_case: what
    it is shown of one."""
    chance = random.Random(seed)
    lines = [
        features(of_case(masker, limits, chance))
        for _ in range(PAIRS) for limits in (QUIET, BUSY)
    ]  # fmt: skip
    groups = [case // 2 for case in range(2 * PAIRS)]
    return best_success(lines, [0, 1] * PAIRS, groups)[0]
