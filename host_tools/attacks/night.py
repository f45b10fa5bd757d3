# SPDX-License-Identifier: MIT
"""Did one certain person walk by tonight? The observer has the counts of many nights on which they
know the answer, and guesses for others.

How many others are about decides what a count tells, so each number of them is tried, as if the
observer knew it: the worst of these is what counts. The streets of a real night lie in between.
"""

import random
from collections.abc import Sequence

from host_tools.attacks.firmware_stages import alone, sums
from host_tools.attacks.result import Result, share_interval

OTHERS = tuple(range(21))
MARGIN = 0.02
QUANTITIES = ("people_rightward", "people_leftward", "vehicles")
_WITHHELD = -(1 << 60)


def best_guess(counts: Sequence, present: Sequence) -> float:
    """The share of right guesses on the second half, by the threshold and the side of it that
    were best on the first."""
    half = len(counts) // 2
    learned = sorted(zip(counts[:half], present[:half], strict=True))
    above = sum(present[:half])  # right, if all are taken for nights with the person
    best, rule = max((above, (None, 1)), (half - above, (None, 0)))
    right = above
    for i, (count, is_there) in enumerate(learned):
        right += -1 if is_there else 1  # this one is now guessed to be without
        if i + 1 < half and learned[i + 1][0] == count:
            continue
        best, rule = max((best, rule), (right, (count, 1)), (half - right, (count, 0)),
                         key=lambda one: one[0])  # fmt: skip
    threshold, side = rule
    hits = sum(
        (side if threshold is None or count > threshold else 1 - side) == is_there
        for count, is_there in zip(counts[half:], present[half:], strict=True)
    )
    return hits / (len(counts) - half)


def _success(policy, others: int, nights: int, chance: random.Random) -> float:
    present = [chance.randrange(2) for _ in range(nights)]
    chance.shuffle(present)
    step = policy.streams[0].noise[0] if policy.streams[0].noise else 1
    told = sums(policy, (others + step * is_there for is_there in present), chance.randbytes(32))
    return best_guess([_WITHHELD if value is None else value for value in told], present)


def attack_stream(name: str, stream, nights: int, seed: int) -> list[Result]:
    """Of one stream that counts: as it is, with its k alone, and as raw counts."""
    chance = random.Random(seed)
    variants = {
        "without": alone(stream, statistics=["sum"], k=0, noise=None, resolution=1),
        "k only": alone(stream, statistics=["sum"], noise=None),
        "policy": alone(stream, statistics=["sum"]),
    }
    curves = {
        kind: [_success(policy, others, nights, chance) for others in OTHERS]
        for kind, policy in variants.items()
    }
    details = {"others": list(OTHERS), "curves": curves, "quantity": stream.quantity,
               "k": stream.k, "nights": nights}  # fmt: skip
    results = []
    for kind, met_by in (("policy", True), ("k only", False)):
        if kind == "k only" and not (stream.k and stream.noise):
            continue
        worst = max(curves[kind], key=lambda share: abs(share - 0.5))
        at = curves[kind].index(worst)
        interval = share_interval(worst, nights - nights // 2, 1 - 0.05 / len(OTHERS))
        said = "" if met_by else ", if k were all"
        results.append(Result(
            "night", name, f"{stream.quantity}: was one person there, among {at} others{said}",
            "right guesses", curves["without"][at], worst, 0.5, interval,
            f"within {MARGIN} of chance" if met_by else "",
            not met_by or (interval[0] <= 0.5 + MARGIN and abs(worst - 0.5) < MARGIN + 0.02),
            details if met_by else {},
        ))  # fmt: skip
    return results
