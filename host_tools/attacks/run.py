# SPDX-License-Identifier: MIT
"""All attacks on given policies."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from host_tools.attacks import averaging, energy, epsilon, network, night, street
from host_tools.attacks.firmware_stages import readable
from host_tools.attacks.questions import has_energy
from host_tools.attacks.result import Result


class Sizes(NamedTuple):
    """instants: of each kind, for the network; runs: on each input, for epsilon; days: of runs
    of 16 days; nights: for each number of others; windows_s: for the curve of energy."""

    instants: int = 1700
    runs: int = 100_000
    days: int = 1000
    nights: int = 1000
    windows_s: tuple[int, ...] = energy.WINDOWS_S


LONG = Sizes(instants=5000, runs=200_000, days=8000, nights=10_000)


def run(policies: dict, only: tuple, sizes: Sizes, seed: int, data: Path | None,
        tell: Callable[[str], None]) -> list[Result]:  # fmt: skip
    """policies: {name: Policy}; only: of questions.ATTACKS; data: the recordings, None: none."""
    results = []
    for name, policy in policies.items():
        for attack in only:
            tell(f"{attack}: {name}")
            results += _one(attack, name, policy, sizes, seed, data)
    return results


def _one(attack: str, name: str, policy, sizes: Sizes, seed: int, data) -> list[Result]:
    if attack == "network":
        return network.attack(name, policy, sizes.instants, seed)
    if attack == "energy":
        return _energy(name, policy, sizes, seed, data)
    policy = readable(policy)  # of the others, sums alone: the controller's to protect
    streams = [stream for stream in policy.streams if "sum" in stream.statistics]
    if attack == "night":
        by_quantity = {stream.quantity: stream for stream in reversed(streams)}
        counts = [by_quantity[q] for q in night.QUANTITIES if q in by_quantity]
        return night.attack_stream(name, counts[0], sizes.nights, seed) if counts else []
    noisy = _different([stream for stream in streams if stream.noise])
    if attack == "epsilon":
        return [one for stream in noisy for one in
                epsilon.attack_stream(name, stream, sizes.runs, seed)]  # fmt: skip
    return [one for stream in noisy for one in
            averaging.attack_stream(name, stream, sizes.days, seed)]  # fmt: skip


def _energy(name: str, policy, sizes: Sizes, seed: int, data) -> list[Result]:
    """Of one dwelling where nothing finer than a day leaves; else of a feeder. And of one in a
    street whose curve is masked."""
    if data is None or not has_energy(policy):
        return []
    found = _readable_energy(name, readable(policy), sizes, seed, data)
    if street.masked_stream(policy):
        found += street.attack_street(name, policy, data, seed)
    return found


def _readable_energy(name: str, policy, sizes: Sizes, seed: int, data: Path) -> list[Result]:
    if not has_energy(policy):
        return []
    windows = [stream.window_s for stream in policy.streams if stream.quantity == "energy_mwh"]
    if min(windows) >= 86_400:
        return energy.attack_dwelling(name, policy, data, seed, sizes.windows_s)
    return energy.attack_feeder(name, policy, data, seed)


def _different(streams: list) -> list:
    """Without those that differ from one before in number and quantity alone, as the two
    directions of people do."""
    kept = {}
    for s in streams:
        kept.setdefault((s.window_s, s.resolution, s.low, s.high, s.k, s.noise), s)
    return list(kept.values())
