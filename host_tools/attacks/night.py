# SPDX-License-Identifier: MIT
"""Did one certain person walk by tonight? The observer has the counts of many nights on which they
know the answer, and guesses for others.

How many others are about decides what a count tells, so each number of them is tried, as if the
observer knew it: the worst of these is what counts. The streets of a real night lie in between.
"""

import math
import random
from collections.abc import Sequence

from host_tools.attacks.epsilon import stated
from host_tools.attacks.firmware_stages import alone, sums
from host_tools.attacks.result import Result, share_interval

OTHERS = tuple(range(21))
MARGIN = 0.02
PASSERS_BY = 1.1  # on average, in one direction in one window of a night in the simulated city
QUANTITIES = ("people_rightward", "people_leftward", "vehicles")
_SURE = 1 - 1e-6  # a bound is missed when that is certain
_MANY = 8  # times as many nights for what the table shows
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


def _right(policy, others: list[int], chance: random.Random) -> float:
    """How often the best guess is right, in nights with so many others each."""
    present = [chance.randrange(2) for _ in others]
    step = policy.streams[0].noise[0] if policy.streams[0].noise else 1
    totals = (count + step * is_there for count, is_there in zip(others, present, strict=True))
    told = sums(policy, totals, chance.randbytes(32))
    return best_guess([_WITHHELD if value is None else value for value in told], present)


def _unknown(nights: int, chance: random.Random) -> list[int]:
    """Others of nights like any other: about one in each window."""
    slots = 60
    return [sum(chance.random() < PASSERS_BY / slots for _ in range(slots)) for _ in range(nights)]


def _worst(curve: list[float]) -> int:
    return curve.index(max(curve))


def allowed(stream) -> float:
    """The share of right guesses that the policy itself permits: its epsilon's, and without noise
    what is close to chance."""
    return 1 / (1 + math.exp(-stated(stream))) if stream.noise else 0.5 + MARGIN


def attack_stream(name: str, stream, nights: int, seed: int) -> list[Result]:
    """Of one stream that counts: as it is, with its k alone, and as raw counts."""
    chance = random.Random(seed)
    variants = {
        "without": alone(stream, statistics=["sum"], k=0, noise=None, resolution=1),
        "k only": alone(stream, statistics=["sum"], noise=None),
        "policy": alone(stream, statistics=["sum"]),
    }
    curves = {
        kind: [_right(policy, [others] * nights, chance) for others in OTHERS]
        for kind, policy in variants.items()
    }
    many = _MANY * nights
    usual = {
        kind: _right(policy, _unknown(many, chance), chance) for kind, policy in variants.items()
    }
    bound, asked = allowed(stream), many - many // 2
    details = {"others": list(OTHERS), "curves": curves, "usual": usual, "k": stream.k,
               "quantity": stream.quantity, "allowed": bound, "nights": nights}  # fmt: skip
    what = f"{stream.quantity}: was one person there tonight"
    wanted = f"at most {bound:.3f}, by its epsilon" if stream.noise else f"0.50 ± {MARGIN}"

    def row(said: str, without: float, found: float, trials: int, is_bound: bool) -> Result:
        interval = share_interval(found, trials)
        met = not is_bound or share_interval(found, trials, _SURE)[0] <= bound
        return Result("night", name, what + said, "right guesses", without, found, 0.5, interval,
                      wanted if is_bound else "", met, details if is_bound else {},
                      is_bound and met and found > bound)  # fmt: skip

    at = _worst(curves["policy"])
    worst = _right(variants["policy"], [OTHERS[at]] * many, chance)  # once more: it was chosen
    results = [
        row(", among others as usual", usual["without"], usual["policy"], asked, True),
        row(f", all others known: {at}, the worst", curves["without"][at], worst, asked, True),
    ]
    if stream.k and stream.noise:
        at = _worst(curves["k only"])
        worst = _right(variants["k only"], [OTHERS[at]] * many, chance)
        said = f", all others known: {at}; k without noise"
        results.append(row(said, curves["without"][at], worst, asked, False))
    return results
