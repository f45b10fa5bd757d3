# SPDX-License-Identifier: MIT
"""Requesters who put together what each was given, to find what one node measured. Each attack is
shown twice: the controller refuses before a group below k is cut out, and one that lacks the rule
gives it away."""

import itertools

import pytest

from host_tools.controller import noise
from tests.host_tools.controller_fixture import STREAM
from tests.privacy.asked_controller import WINDOWS, K, Town, refused, without

SPAN = (0, 4)


def by_nodes(town):
    """All but one, and all."""
    one, *others = town.nodes
    (part,) = town.open(others, SPAN, by="one office")
    (whole,) = town.open(town.nodes, SPAN, by="another office")
    return whole - part, town.true([one], SPAN)[0]


def by_ranges(town):
    """One asks for a long time, the other for its two halves without the node."""
    one, *others = town.nodes
    (whole,) = town.open(town.nodes, (0, 8), by="one office")
    halves = town.open(others, (0, 4), (4, 8), by="another office")
    return whole - sum(halves), town.true([one], (0, 8))[0]


def by_nodes_and_ranges(town):
    """A long time less its end, with and without the node."""
    one, *others = town.nodes
    (whole,) = town.open(town.nodes, (0, 8), by="one office")
    (end,) = town.open(town.nodes, (4, 8), by="another office")
    (part,) = town.open(others, (0, 4), by="a third office")
    return whole - end - part, town.true([one], (0, 4))[0]


def by_three(town):
    """Two areas side by side, and both with one more: no two of these differ by few."""
    one, *others = town.nodes
    half = len(others) // 2
    (first,) = town.open(others[:half], SPAN, by="one office")
    (second,) = town.open(others[half:], SPAN, by="another office")
    (both,) = town.open(town.nodes, SPAN, by="a third office")
    return both - first - second, town.true([one], SPAN)[0]


def by_overlaps(town):
    """Three areas of which each two overlap by many, in a ring: twice the one is left over."""
    one, *others = town.nodes
    a, b, c = others[:K], others[K : 2 * K], others[2 * K :]
    sums = [
        town.open(area, SPAN, by=by)[0]
        for by, area in (("x", [one, *a, *b]), ("y", [one, *b, *c]), ("z", [*a, *c]))
    ]
    (ring,) = town.open(b, SPAN, by="w")
    return (sums[0] + sums[1] - sums[2] - 2 * ring) // 2, town.true([one], SPAN)[0]


def by_streams(town):
    """Two streams of the same meter."""
    one, *others = town.nodes
    (part,) = town.open(others, SPAN, stream=STREAM)
    (whole,) = town.open(town.nodes, SPAN, stream=STREAM + 1)
    return whole - part, town.true([one], SPAN)[0]


ATTACKS = (by_nodes, by_ranges, by_nodes_and_ranges, by_three, by_overlaps, by_streams)


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path, 3 * K + 1, streams=(STREAM, STREAM + 1))


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_difference_cuts_out_one_node(town, attack):
    assert refused(attack, town) == "differencing"


@pytest.mark.parametrize("attack", ATTACKS)
def test_without_the_rule_each_attack_finds_what_it_wants(town, attack, monkeypatch):
    without(monkeypatch, "differencing")
    found, true = attack(town)
    assert found == true


def test_groups_of_k_may_be_told_apart(town):
    """The rule does not refuse more than it must."""
    (first,) = town.open(town.nodes[:K], SPAN)
    (whole,) = town.open(town.nodes, SPAN)
    assert [whole - first] == town.true(town.nodes[K:], SPAN)


def test_fewer_than_k_nodes(town, monkeypatch):
    few = town.nodes[: K - 1]
    assert refused(town.open, few, SPAN) == "population"
    without(monkeypatch, "population", "differencing")
    assert town.open(few, SPAN) == town.true(few, SPAN)


# noise


@pytest.fixture
def noisy(tmp_path):
    return Town(tmp_path, 2 * K, noise=(1000, 1, 2))  # an epsilon of 1/2, of 13 a day


def mean(town, times: int) -> float:
    return sum(town.open(town.nodes, SPAN, by=f"office {n}")[0] for n in range(times)) / times


def test_asking_again_gives_the_same_noise(noisy, monkeypatch):
    """Nobody averages it away; with noise that is drawn anew, it can be."""
    (true,) = noisy.true(noisy.nodes, SPAN)
    asked = {noisy.open(noisy.nodes, SPAN, by=f"office {n}")[0] for n in range(20)}
    assert len(asked) == 1 and asked != {true}
    seeds = iter(range(10**6))
    anew = lambda *_: next(seeds).to_bytes(32, "big")  # noqa: E731
    monkeypatch.setattr(noise, "_seed", anew)
    assert abs(mean(noisy, 100) - true) < 1000  # one draw has a scale of 2,000


RANGES = list(itertools.combinations(range(WINDOWS + 1), 2))  # 36, all of one day


def answered(town, nodes) -> set:
    """The ranges that are opened, each asked for by somebody else."""
    asked = enumerate(RANGES)
    return {span for n, span in asked if refused(town.open, nodes, span, by=f"office {n}") is None}


def test_a_day_tells_no_more_than_its_budget(noisy, monkeypatch):
    """26 sums at an epsilon of 1/2, whatever the ranges and whoever asks; then no part of these
    nodes, and no other range of the day."""
    opened = answered(noisy, noisy.nodes)
    assert len(opened) == 26
    closed = [span for span in RANGES if span not in opened]
    assert {refused(noisy.open, noisy.nodes, span) for span in closed} == {"budget"}
    assert {refused(noisy.open, noisy.nodes[:K], span) for span in closed} == {"budget"}
    assert answered(noisy, noisy.nodes) == opened  # what was told is told again
    without(monkeypatch, "budget")
    assert len(answered(noisy, noisy.nodes)) == len(RANGES)


def test_parts_and_wholes_are_charged_to_every_node(noisy):
    """The nodes of one half bear what their half cost, and what the whole did."""
    half, rest = noisy.nodes[:K], noisy.nodes[K:]
    for span in RANGES[:20]:
        noisy.open(half, span)
    whole = [refused(noisy.open, noisy.nodes, span) for span in RANGES]
    assert whole.count(None) == 6 and whole.count("budget") == 30
    other = [refused(noisy.open, rest, span) for span in RANGES]
    assert other.count(None) == 20
