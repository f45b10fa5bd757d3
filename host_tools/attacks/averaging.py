# SPDX-License-Identifier: MIT
"""The same street each day: who averages the releases of many days learns its true value ever
better, but not better than the sum of what each release costs."""

import math
import random

from host_tools.attacks.epsilon import lower_bound, stated
from host_tools.attacks.firmware_stages import alone, sums
from host_tools.attacks.result import Result

DAYS = (1, 2, 4, 8, 16)
_SLACK = 0.15  # of the error: it is itself measured
_PER_DAY = 0.25  # epsilon of what the two streets differ by


def _means(policy, total: int, runs: int, seed: bytes) -> dict[int, list[float]]:
    """{days: what each of the runs takes for the true value after so many}"""
    told = list(sums(policy, (total for _ in range(runs * DAYS[-1])), seed))
    step = policy.streams[0].resolution
    starts = range(0, len(told), DAYS[-1])
    return {
        days: [step * math.fsum(told[at : at + days]) / days for at in starts] for days in DAYS
    }


def _one_error(stream) -> float:
    """The standard deviation of one release, from the discrete Laplace's own."""
    ratio = math.exp(-stated(stream) / stream.noise[0])
    return math.sqrt(2 * ratio) / (1 - ratio)


def attack_stream(name: str, stream, runs: int, seed: int) -> list[Result]:
    """Of one stream with noise, that tells a sum: how far off the mean of N days is, and which
    epsilon N days show between two streets that differ each day."""
    chance = random.Random(seed)
    policy = alone(stream, statistics=["sum"], k=0)
    units = max(1, round(_PER_DAY / stated(stream)))
    total = (stream.low + stream.high) // 2
    more = total + units * stream.noise[0]
    means = [_means(policy, value, runs, chance.randbytes(32)) for value in (total, more)]
    curve, met = [], True
    for days in DAYS:
        error = math.sqrt(math.fsum((mean - total) ** 2 for mean in means[0][days]) / runs)
        allowed = _one_error(stream) / math.sqrt(days)
        shown = lower_bound(means[0][days], means[1][days])
        bound = days * units * stated(stream)
        met = met and shown <= bound and abs(error / allowed - 1) < _SLACK
        curve.append({"days": days, "error": error, "allowed": allowed, "epsilon": shown,
                      "stated": bound})  # fmt: skip
    last = curve[-1]
    return [Result(
        "averaging", name, f"{stream.quantity}: {units} more on each of {last['days']} days",
        "epsilon, at least", None, last["epsilon"], 0.0, (last["epsilon"], last["stated"]),
        f"at most {last['stated']:.4g}, as stated", met,
        {"curve": curve, "units": units, "runs": 2 * runs, "quantity": stream.quantity},
    )]  # fmt: skip
