# SPDX-License-Identifier: MIT
"""Which epsilon do releases really have? A lower bound, from runs on two neighbouring inputs.

Differential privacy with epsilon says that no event is more than e^epsilon times likelier on one
input than on its neighbour. So each event whose two probabilities are known, with confidence, to
be further apart shows a larger epsilon. Events are made from a quarter of the runs, the best one
is chosen on another, and counted on the rest, so that choosing costs no confidence.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence

from host_tools.attacks.firmware_stages import alone, sums
from host_tools.attacks.result import Result, clopper_pearson

_WITHHELD = -(1 << 60)  # below all that is told, as it is when the noisy sum is below k


def lower_bound(one: Sequence, other: Sequence, confidence: float = 0.95) -> float:
    """The epsilon that is certain, with this confidence, from outcomes on two inputs: what can be
    ordered, and is equal or is not. 0 when nothing shows."""
    made, chosen, counted = zip(_split(one), _split(other), strict=True)
    best = 0.0
    for likely in (0, 1):  # which of the two is to show the event more often
        events = _orders(made[likely], made[1 - likely])
        event = _best_event(events, chosen[likely], chosen[1 - likely])
        best = max(best, _bound(event, counted[likely], counted[1 - likely], (1 + confidence) / 2))
    return best


def _split(outcomes: Sequence) -> tuple[Counter, Counter, Counter]:
    """A quarter, a quarter, and the rest."""
    quarter = len(outcomes) // 4
    return (Counter(outcomes[:quarter]), Counter(outcomes[quarter : 2 * quarter]),
            Counter(outcomes[2 * quarter :]))  # fmt: skip


def _bound(event: set, likely: Counter, rare: Counter, confidence: float) -> float:
    """ln of how much likelier the event is, certainly: two one-sided intervals share the rest."""
    hits, misses = (sum(counts[value] for value in event) for counts in (likely, rare))
    low = clopper_pearson(hits, likely.total(), confidence)[0]
    high = clopper_pearson(misses, rare.total(), confidence)[1]
    return math.log(low / high) if low > 0 else 0.0


def _orders(likely: Counter, rare: Counter) -> list[list]:
    """Outcomes in orders whose beginnings are events worth trying: half lines, and sets of those
    that speak most for `likely`."""
    values = sorted({*likely, *rare})

    def speaks(value):
        return (likely[value] + 0.5) / (rare[value] + 0.5)

    return [values, values[::-1], sorted(values, key=speaks, reverse=True)]


def _best_event(orders: list[list], likely: Counter, rare: Counter) -> set:
    """The beginning of an order that shows most."""
    best, found = -math.inf, set()
    for order in orders:
        hits = misses = 0
        for upto, value in enumerate(order, 1):
            hits, misses = hits + likely[value], misses + rare[value]
            shown = _roughly(hits, likely.total(), misses, rare.total())
            if shown > best:
                best, found = shown, order[:upto]
    return set(found)


def _roughly(hits: int, trials: int, misses: int, others: int) -> float:
    """About what _bound() gives: exact intervals for each candidate would take too long."""
    p, q = (hits + 0.5) / (trials + 1), (misses + 0.5) / (others + 1)
    spread = math.sqrt((1 - p) / (p * trials)) + math.sqrt((1 - q) / (q * others))
    return math.log(p / q) - 2.24 * spread


def outcomes(policy, total: int, runs: int, seed: bytes) -> list[int]:
    """What is told of one and the same window, in so many runs with fresh noise."""
    told = sums(policy, (total for _ in range(runs)), seed)
    return [_WITHHELD if value is None else value for value in told]


def stated(stream) -> float:
    """The epsilon of one release of one value."""
    return stream.noise[1] / stream.noise[2]


def _measured(policy, stream, units: int, runs: int, chance: random.Random) -> float:
    """The bound between a window and the same with so many units more."""
    total = max(stream.k, stream.low) + 200 * stream.resolution
    total = min(total, stream.high - units * stream.noise[0])
    both = [outcomes(policy, total + more, runs, chance.randbytes(32))
            for more in (0, units * stream.noise[0])]  # fmt: skip
    return lower_bound(*both)


def attack_stream(name: str, stream, runs: int, seed: int) -> list[Result]:
    """Of one stream with noise: one unit more, and as many as bring epsilon to 1; each also on a
    node that is broken on purpose: it has half the noise that is stated."""
    chance = random.Random(seed)
    numerator, denominator = stream.noise[1:]
    honest = alone(stream, statistics=["sum"])
    broken = alone(stream, statistics=["sum"],
                   noise=(stream.noise[0], 2 * numerator, denominator))  # fmt: skip
    results = []
    for units in sorted({1, max(1, denominator // numerator)}):
        bound = units * stated(stream)
        found = _measured(honest, stream, units, runs, chance)
        control = _measured(broken, stream, units, runs, chance)
        telling = control > bound or units == 1  # few runs cannot tell small epsilons apart
        results.append(Result(
            "epsilon", name,
            f"{stream.quantity}: {units} more or less",
            "epsilon, at least", None, found, 0.0, (found, bound),
            f"at most {bound:.4g}, as stated", found <= bound and telling,
            {"stated": bound, "broken": control, "units": units, "runs": 2 * runs},
        ))  # fmt: skip
    return results
