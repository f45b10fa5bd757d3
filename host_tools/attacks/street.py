# SPDX-License-Identifier: MIT
"""Which appliances run in one dwelling of a street whose load curve is masked?

The observer is the store, with a token for every window: it has the dwelling's masked values and
what of it is readable, and the street's curve as the controller lets it be opened, noise and all.
The street is the recorded household in each dwelling, begun at another hour or on another day.
"""

import itertools
import random
from fractions import Fraction
from pathlib import Path

from host_tools.attacks import energy
from host_tools.attacks.firmware_stages import Unsealed, watch
from host_tools.attacks.recording import MINUTES, Household, read_household
from host_tools.attacks.result import Result

_HOURS = range(-5, 6)  # so far apart that no habit is anybody's alone


def dwellings(house: Household, count: int, chance: random.Random) -> list[Household]:
    """So many: the recorded one, and others that begin at another hour of any day."""
    begins = [
        day * MINUTES + hour * 60 for day in range(house.days()) for hour in _HOURS if day or hour
    ]
    return [house, *(_begun_at(house, at) for at in chance.sample(begins, count - 1))]


def _begun_at(house: Household, minute: int) -> Household:
    turned = {group: _turned(on, minute) for group, on in house.on.items()}
    return Household(_turned(house.watts, minute), turned)


def _turned(values: list, by: int) -> list:
    by %= len(values)
    return values[by:] + values[:by]


def masked_stream(policy):
    """The policy's masked stream of energy that is summed up; None when it has none."""
    for stream in policy.streams:
        is_energy = stream.quantity == "energy_mwh" and "sum" in stream.statistics
        if is_energy and stream.bins is not None:
            return stream
    return None


def measured(watts: list[float], start_s: int) -> dict:
    """What watch() is to be told of a dwelling: its readings, and from when to when."""
    return {
        "intervals_s": dict.fromkeys(energy.QUANTITIES, energy.SAMPLE_S),
        "readings": energy.readings(watts, start_s),
        "from_s": start_s, "until_s": start_s + len(watts) * 60,
    }  # fmt: skip


def by_stream(policy, all_records) -> dict[int, list[list]]:
    """{stream: its records} of a node, from those of all instants."""
    found = {stream.number: [] for stream in policy.streams}
    for record in itertools.chain.from_iterable(all_records):
        found[record[0]].append(record)
    return found


def spread(values: list, window_s: int) -> list[float]:
    """The value of each window at all of its minutes."""
    return [float(value) for value in values for _ in range(window_s // 60)]


def numbers(c: bytes) -> list[int]:
    """The elements of a masked value."""
    return [int.from_bytes(c[at : at + 8], "big") for at in range(0, len(c), 8)]


def opened_curve(stream, curves: list[list[int]], seed: bytes) -> list[int]:
    """The sum over dwellings in each window, with the noise that a token has."""
    from host_tools.policy.masked_noise import first_elements, scales
    from node.policy.noise import Noise

    scale = scales(stream)[first_elements(stream)["sum"]] or Fraction(0)
    draw = Noise(seed).draw
    return [
        sum(each) + (draw(scale.numerator, scale.denominator) if scale else 0)
        for each in zip(*curves, strict=True)
    ]


def attack_street(name: str, policy, folder: Path, seed: int) -> list[Result]:
    """One of the smallest population that the controller opens."""
    from host_tools.policy.masked_noise import first_elements

    chance = random.Random(seed)
    house = read_household(folder)
    stream = masked_stream(policy)
    place = first_elements(stream)["sum"]
    curves = []
    for home in dwellings(house, stream.k, chance):
        lives = watch(policy, **measured(home.watts, policy.from_s), seed=chance.randbytes(32),
                      sealer=Unsealed(), chance=chance)  # fmt: skip
        bare, masked = zip(*((one.records, one.envelope) for one in lives), strict=True)
        own = by_stream(policy, bare)[stream.number]
        curves.append([record[2].values[place] for record in own])
        if home is house:
            seen = stored_series(policy, by_stream(policy, masked))
    curve = spread(opened_curve(stream, curves, chance.randbytes(32)), stream.window_s)
    return [street_result(name, stream, house, spread(curves[0], stream.window_s), seen, curve)]


def stored_series(policy, found: dict[int, list[list]]) -> list[list[float]]:
    """What a store holds of one dwelling, as series over its minutes: the elements of masked
    values, and what is readable."""
    series = []
    for stream in policy.streams:
        rows = [
            numbers(record[3]) if stream.bins is not None else [value or 0 for value in record[2:]]
            for record in found[stream.number]
        ]
        series += [spread(column, stream.window_s) for column in zip(*rows, strict=True)]
    return series


def street_result(name: str, stream, house: Household, plain: list[float],
                  stored: list[list[float]], curve: list[float]) -> Result:  # fmt: skip
    """plain: what the dwelling used in each window, at each minute; stored: what the store holds
    of it; curve: the street's. What the better of two observers achieves counts: one who has
    learned from the store alone, and one who looks at the curve as well."""
    found = {"raw": energy.guesses(house, [plain]), "habit": energy.guesses(house, [])}
    views = [energy.guesses(house, stored), energy.guesses(house, [*stored, curve])]
    found["policy"] = {
        group: one and max((view[group] for view in views), key=lambda guess: guess.f1)
        for group, one in views[0].items()
    }
    question = f"which appliances run in one of {stream.k} dwellings whose sum is opened"
    return energy.result(name, question, found, {}, True)
