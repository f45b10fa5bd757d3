# SPDX-License-Identifier: MIT
"""Which appliances run in a dwelling? Asked of a recorded household whose sub-meters know: of its
load as measured each minute, and of what a policy lets out of it, spread over the minutes that it
covers.

Learned on the first days, guessed for the last. A group that does not run in both tells nothing
and is left out.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from host_tools.attacks.firmware_stages import alone, readable, watch
from host_tools.attacks.recording import MINUTES, Household, read_household
from host_tools.attacks.result import Result

MARGIN = 0.05
WINDOWS_S = (60, 900, 1800, 3600, 86_400)
PREMISES = 15
SAMPLE_S = 15
QUANTITIES = ("energy_mwh", "power_mw")


def readings(watts: list[float], start_s: int) -> Iterator[tuple[int, str, int]]:
    """What the kit's meter measures: power, and the energy since the sample before."""
    rest = 0.0
    for minute, power_w in enumerate(watts):
        for sample in range(60 // SAMPLE_S):
            at_s = start_s + minute * 60 + (sample + 1) * SAMPLE_S
            rest += power_w * SAMPLE_S / 3.6
            yield at_s, "energy_mwh", int(rest)
            rest -= int(rest)
            yield at_s, "power_mw", round(power_w * 1000)


def released(policy, watts: list[float], seed: bytes) -> list[list[float]]:
    """What can be read of power and energy: one series for each stream and statistic, in steps,
    each value at all minutes that it covers; 0 where it is withheld."""
    policy = readable(policy)
    start_s = policy.from_s
    intervals_s = dict.fromkeys(QUANTITIES, SAMPLE_S)
    streams = {s.number: s for s in policy.streams if s.quantity in QUANTITIES}
    series = {number: [[0.0] * len(watts) for _ in stream.statistics]
              for number, stream in streams.items()}  # fmt: skip
    until_s = start_s + len(watts) * 60
    for release in watch(policy, intervals_s, readings(watts, start_s), start_s, until_s, seed):
        for number, slot, *values in release.records:
            if number not in streams:
                continue
            span = streams[number].window_s // 60
            first = slot * span - start_s // 60
            for line, value in zip(series[number], values, strict=True):
                line[first : first + span] = [float(value or 0)] * span
    return [line for lines in series.values() for line in lines]


def guesses(house: Household, series: list[list[float]]) -> dict:
    """{group: Guess or None} from these series and the time of day."""
    import numpy

    from host_tools.attacks.appliances import guess, load_features, time_of_day

    minutes = len(house.watts)
    lines = time_of_day(minutes)
    if series:
        lines = numpy.hstack([lines, load_features(series)])
    learned = minutes - MINUTES
    return {group: guess(lines, on, learned) for group, on in house.on.items()}


def scores(guessed: dict) -> dict[str, float | None]:
    """{group: F1}"""
    return {group: one and one.f1 for group, one in guessed.items()}


def _mean(guessed: dict) -> float:
    """F1 over the groups of which there is one."""
    return fmean(one.f1 for one in guessed.values() if one)


def neighbours(house: Household, count: int, chance: random.Random) -> list[float]:
    """The sum of this household and others: the same recording, begun at another time of another
    day, no two at the same."""
    minutes = len(house.watts)
    total = list(house.watts)
    offsets = chance.sample(range(-120, 121, 5), count - 1)
    for offset in offsets:
        shift = offset + chance.randrange(house.days()) * MINUTES
        total = [a + house.watts[(at + shift) % minutes] for at, a in enumerate(total)]
    return total


def policy_of_window(policy, window_s: int):
    """The same, but in windows of this length."""
    stream = next(s for s in readable(policy).streams if s.quantity == "energy_mwh")
    high = max(1, stream.high * window_s // stream.window_s)
    return alone(stream, window_s=window_s, high=high, resolution=1, noise=None, k=0)


def attack_dwelling(name: str, policy, folder: Path, seed: int,
                    windows_s: tuple[int, ...] = WINDOWS_S) -> list[Result]:  # fmt: skip
    """One household, its own policy, and the same in other windows."""
    chance = random.Random(seed)
    house = read_household(folder)
    found = {
        "raw": guesses(house, [house.watts]),
        "habit": guesses(house, []),
        "policy": guesses(house, released(policy, house.watts, chance.randbytes(32))),
    }
    curve = {}
    for window_s in windows_s:
        series = released(policy_of_window(policy, window_s), house.watts, chance.randbytes(32))
        curve[window_s] = scores(guesses(house, series))
    return [result(name, "which appliances run in one dwelling", found, {"curve": curve}, True)]


def attack_feeder(name: str, policy, folder: Path, seed: int,
                  premises: int = PREMISES) -> list[Result]:  # fmt: skip
    """One of several households on a feeder that is measured as a whole."""
    chance = random.Random(seed)
    house = read_household(folder)
    total = neighbours(house, premises, chance)
    found = {
        "raw": guesses(house, [total]),
        "habit": guesses(house, []),
        "policy": guesses(house, released(policy, total, chance.randbytes(32))),
    }
    question = f"which appliances run in one of {premises} dwellings on a feeder"
    return [result(name, question, found, {}, False)]


def result(name: str, question: str, found: dict, more: dict, is_bound: bool) -> Result:
    from host_tools.attacks.appliances import mean_f1_interval

    details = {kind: scores(guessed) for kind, guessed in found.items()}
    policy, habit = details["policy"], details["habit"]
    apart = max(policy[group] - habit[group] for group in policy if policy[group] is not None)
    return Result(
        "energy", name, question, "F1", _mean(found["raw"]), _mean(found["policy"]),
        _mean(found["habit"]), mean_f1_interval([one for one in found["policy"].values() if one]),
        f"at most {MARGIN} above guessing, each group" if is_bound else "",
        apart <= MARGIN or not is_bound, {**details, **more},
    )  # fmt: skip
