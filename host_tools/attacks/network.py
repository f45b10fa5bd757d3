# SPDX-License-Identifier: MIT
"""Whoever carries the messages sees no content, but how long they are and when they come. Do these
tell a busy street from a quiet one, a value from one that was withheld, a broken sensor?

Two nodes with one policy watch two streets for the same hours; each instant at which windows end
gives one case of either kind. Sizes are those of sealed envelopes of the firmware's own code,
times are those at which it releases. Without policy, a node sends JSON as its peers do: a message
for each one that passes, and the levels of each window as they are.
"""

import copy
import json
import math
import random
from collections import Counter
from typing import NamedTuple

from host_tools.attacks.firmware_stages import NODE_ID, sealer_of, watch
from host_tools.attacks.guess import best_success
from host_tools.attacks.result import Result, share_interval

MARGIN = 0.02
_TRIALS = 8
_HEALTH = 240  # from this number on, streams are of the node itself
_HOUR_S = 3600
_SAMPLES = 5  # of each quantity in its shortest window: sizes and times do not hang on it
_FAULTY = 0.5  # of the runs of one hour in which a sensor of the faulty node gives nothing
_COUNTED = {"vehicles": ("vehicles", 0), "people_rightward": ("people", 1),
            "people_leftward": ("people", -1)}  # fmt: skip


class Message(NamedTuple):
    """time_s: Unix time, with fractions; size: bytes."""

    time_s: float
    size: int


class Run(NamedTuple):
    """What one node sent with its policy and without, and the instants with their records."""

    sealed: list[Message]
    plain: list[Message]
    releases: list


def features(messages: list[Message], instants: list[int], span_s: int) -> list[list[float]]:
    """For each instant, of what came in the `span_s` up to it: how many, bytes in all, bytes of
    one, when the first (as time of the hour), and the mean gap."""
    found, at = [], 0
    for instant in instants:
        while at < len(messages) and messages[at].time_s <= instant - span_s:
            at += 1
        upto = at
        while upto < len(messages) and messages[upto].time_s <= instant:
            upto += 1
        within = messages[at:upto]
        total = sum(message.size for message in within)
        gap = (within[-1].time_s - within[0].time_s) / max(1, len(within) - 1) if within else -1.0
        first = within[0].time_s % _HOUR_S if within else -1.0
        found.append([len(within), total, total / max(1, len(within)), first, gap])
        at = upto
    return found


class Street:
    """What a city does at one place for some hours from `start_s` on, and what the policy's
    sensors measure of it. readings: (Unix s, quantity, value); passing: Unix s."""

    def __init__(self, policy, city, start_s: int, hours: int):
        self.start_s, self.hours = start_s, hours
        every_s = intervals_s(policy)
        self.passing, self.readings = [], []
        for quantity, step_s in every_s.items():
            if quantity not in _COUNTED:
                times = range(start_s + step_s, start_s + hours * _HOUR_S + 1, step_s)
                self.readings += [
                    (at_s, quantity, _level(city, quantity, at_s - start_s, step_s))
                    for at_s in times
                ]
        counted = [quantity for quantity in every_s if quantity in _COUNTED]
        if counted:
            self._count(city, {quantity: every_s[quantity] for quantity in counted})
        self.readings.sort()

    def _count(self, city, every_s: dict):
        events = city.signals(0, 0, self.hours * _HOUR_S * 1000)["events"]
        for quantity, step_s in every_s.items():
            name, direction = _COUNTED[quantity]
            counts = Counter(
                -(-event[0] // (step_s * 1000))
                for event in events[name] if not direction or event[1] == direction
            )  # fmt: skip
            self.readings += [
                (self.start_s + step * step_s, quantity, counts[step])
                for step in range(1, self.hours * _HOUR_S // step_s + 1)
            ]
        self.passing = sorted(
            self.start_s + event[0] / 1000 for name in ("vehicles", "people")
            for event in events[name]
        )  # fmt: skip

    def broken(self, chance: random.Random) -> "Street":
        """The same, but that in some hours no sensor gives anything."""
        dark = {hour for hour in range(self.hours) if chance.random() < _FAULTY}
        other = copy.copy(self)
        hour = lambda at_s: (math.ceil(at_s) - 1 - self.start_s) // _HOUR_S  # noqa: E731
        other.readings = [reading for reading in self.readings if hour(reading[0]) not in dark]
        other.passing = [at_s for at_s in self.passing if hour(at_s) not in dark]
        return other


def watch_street(policy, street: Street, chance: random.Random) -> Run:
    """A node that watches it."""
    until_s = street.start_s + street.hours * _HOUR_S
    releases = list(watch(
        policy, intervals_s(policy), street.readings, street.start_s, until_s,
        chance.randbytes(32), sealer_of(policy, chance), chance,
    ))  # fmt: skip
    sealed = [Message(one.instant_s, len(one.envelope)) for one in releases]
    return Run(sealed, _plain(policy, street), releases)


def intervals_s(policy) -> dict:
    """{quantity: how often it is sampled here}"""
    shortest = {}
    for stream in policy.streams:
        shortest[stream.quantity] = min(
            stream.window_s, shortest.get(stream.quantity, stream.window_s)
        )
    return {quantity: window_s // _SAMPLES for quantity, window_s in shortest.items()}


def _level(city, quantity: str, at_s: int, step_s: int) -> int:
    """What a sensor measures `at_s` seconds after the start."""
    level = "power_mw" if quantity == "energy_mwh" else quantity
    points = city.signals(0, at_s * 1000, at_s * 1000)["levels"].get(level)
    if points is None:
        return 0  # the node's health
    return points[0][1] * step_s // _HOUR_S if quantity == "energy_mwh" else points[0][1]


def _plain(policy, street: Street) -> list[Message]:
    """The same as JSON: what is counted as it passes, levels when a window ends."""
    sent = [
        Message(at_s, _json_size({"count": total}))
        for total, at_s in enumerate(street.passing, 1)
    ]
    levels = {s.quantity for s in policy.streams if s.number < _HEALTH} - set(_COUNTED)
    span_s = min(policy.windows_s)
    windows = {}
    for at_s, quantity, value in street.readings:
        if quantity in levels:
            windows.setdefault(at_s - 1 - (at_s - 1) % span_s + span_s, {})[quantity] = value
    return sorted(sent + [Message(at_s, _json_size(values)) for at_s, values in windows.items()])


def _json_size(values: dict) -> int:
    return len(json.dumps({"id": NODE_ID, **values}))


def _cases(one: Run, other: Run, span_s: int, kind: str) -> tuple[list, list]:
    """Features of the instants of both runs, and which run each is of."""
    instants = [release.instant_s for release in one.releases]
    lines = [features(getattr(run, kind), instants, span_s) for run in (one, other)]
    return lines[0] + lines[1], [0] * len(instants) + [1] * len(instants)


def _compare(name: str, question: str, pairs: list[tuple[Run, Run]], span_s: int) -> Result:
    """How often the best guess is right, over all pairs of runs."""
    success, example = {}, {}
    for kind in ("plain", "sealed"):
        lines, labels, groups = [], [], []
        for number, (one, other) in enumerate(pairs):
            more, labelled = _cases(one, other, span_s, kind)
            lines, labels = lines + more, labels + labelled
            groups += [number] * len(labelled)
        success[kind] = best_success(lines, labels, groups)
        example[kind] = [list(map(list, getattr(run, kind))) for run in pairs[0]]
    return _result(name, question, success, len(labels), {"example": example, "span_s": span_s})


def _result(name: str, question: str, success: dict, cases: int, details: dict) -> Result:
    share, by = success["sealed"]
    interval = share_interval(share, cases)
    return Result(
        "network", name, question, "right guesses", success["plain"][0], share, 0.5, interval,
        f"0.50 ± {MARGIN}", interval[0] >= 0.5 - MARGIN and interval[1] <= 0.5 + MARGIN,
        {"cases": cases, "by": {"plain": success["plain"][1], "sealed": by}, **details},
    )  # fmt: skip


def _withheld(name: str, policy, instants: int, chance: random.Random) -> Result | None:
    """Of windows that are empty or full by chance, those with a withheld value and without: as
    many of either at each time of the hour, or the time alone would tell. Without policy, what is
    below k is left out of the JSON."""
    places = {stream.number: stream for stream in policy.streams if _withholds(stream)}
    start_s, span_s, every_s = policy.from_s, min(policy.windows_s), intervals_s(policy)
    until_s = min(start_s + 2 * instants * span_s, policy.until_s)
    full = {stream.quantity: _far_above_k(stream) for stream in places.values()}
    readings = []
    for window_s in range(start_s, until_s, span_s):
        busy = chance.randrange(2)
        readings += [
            (at_s, quantity, busy * full.get(quantity, 0))
            for quantity, step_s in every_s.items()
            for at_s in range(window_s - window_s % step_s + step_s, window_s + span_s + 1, step_s)
        ]
    releases = list(watch(policy, every_s, sorted(readings), start_s, until_s,
                          chance.randbytes(32), sealer_of(policy, chance), chance))  # fmt: skip
    sealed = [Message(one.instant_s, len(one.envelope)) for one in releases]
    lines = features(sealed, [one.instant_s for one in releases], span_s)
    by_time = {}
    for number, (release, line) in enumerate(zip(releases, lines, strict=True)):
        told = {r[0]: r[2:] for r in release.records if r[0] in places}
        if not told:
            continue
        hidden = any(value is None for values in told.values() for value in values)
        shown = {str(n): v for n, v in told.items() if None not in v}
        plain = [1, _json_size(shown), _json_size(shown), release.instant_s % _HOUR_S, span_s]
        by_time.setdefault(release.instant_s % _HOUR_S, ([], []))[hidden].append(
            (line, plain, number // 8)
        )
    cases = []
    for kinds in by_time.values():
        count = min(map(len, kinds))
        for label, found in enumerate(kinds):
            cases += [(*case, label) for case in chance.sample(found, count)]
    if len(cases) < 100:
        return None  # this policy hardly ever does one of the two
    labels, groups = [case[3] for case in cases], [case[2] for case in cases]
    success = {kind: best_success([case[at] for case in cases], labels, groups)
               for kind, at in (("sealed", 0), ("plain", 1))}  # fmt: skip
    return _result(name, "withheld or told", success, len(cases), {})


def _withholds(stream) -> bool:
    """Whether its node compares a sum with k; of a masked stream the controller counts nodes."""
    return stream.k > 0 and stream.bins is None


def _far_above_k(stream) -> int:
    """Of each sample of a full window, so that noise hardly ever brings the sum below k."""
    spread = stream.noise[0] * stream.noise[2] // stream.noise[1] if stream.noise else 1
    return stream.k // _SAMPLES + 2 * spread


def attack(name: str, policy, instants: int, seed: int) -> list[Result]:
    """All questions of one policy, with about so many instants of each kind."""
    from simulator.world.city import City

    chance = random.Random(seed)
    span_s = min(policy.windows_s)
    hours = max(2, -(-instants * span_s // (_TRIALS * _HOUR_S)))
    hours += -hours % max(1, span_s // _HOUR_S)
    streets, faults = [], []
    for trial in range(_TRIALS):
        start_s = policy.from_s + chance.randrange(100) * 86_400
        start_s += 0 if span_s > _HOUR_S else chance.randrange(24) * _HOUR_S
        quiet, busy = (
            Street(policy, City(f"{seed} {trial}", start_s, mood), start_s, hours)
            for mood in ("quiet", "busy")
        )
        streets.append(tuple(watch_street(policy, one, chance) for one in (quiet, busy)))
        faults.append((streets[-1][1], watch_street(policy, busy.broken(chance), chance)))
    results = [
        _compare(name, "busy or quiet", streets, span_s),
        _compare(name, "sensor broken or not", faults, span_s),
    ]
    if any(map(_withholds, policy.streams)):
        results.append(_withheld(name, policy, instants, chance))
    return [result for result in results if result is not None]
