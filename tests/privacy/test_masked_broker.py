# SPDX-License-Identifier: MIT
"""What a broker sees of a node that masks: the same lengths at the same times, whatever happens
in the dwelling, and whether its meter works."""

import random

import pytest

from host_tools.attacks import network
from host_tools.attacks.guess import best_success
from host_tools.attacks.recording import Household
from node import cbor
from tests.privacy.masked_street import Street, kit_policy

HOURS = 50


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """{kind: (a street of one dwelling of that kind, its policy)}"""
    policy = kit_policy(tmp_path_factory.mktemp("kit")).policy()
    chance = random.Random(5)
    watts = {
        "empty": [0.0] * 60 * HOURS,
        "busy": [chance.choice((80.0, 2400.0, 9000.0)) for _ in range(60 * HOURS)],
    }
    return {kind: (Street(policy, [Household(w, {})], 1), policy) for kind, w in watts.items()}


def seen(life) -> list[tuple[int, int]]:
    """(Unix s, bytes) of each envelope."""
    home, policy = life
    return [(at_s, len(sealed)) for at_s, sealed in home.envelopes(home.dwellings[0], policy)]


def test_an_empty_dwelling_and_a_busy_one_look_alike(lives):
    assert seen(lives["empty"]) == seen(lives["busy"])
    assert len(seen(lives["busy"])) == 4 * HOURS
    lengths = {at_s % 86_400 == 0: length for at_s, length in seen(lives["busy"])}
    assert lengths[True] > lengths[False]  # at midnight the daily total as well


def test_what_is_masked_is_as_long_before_it_is_padded(lives):
    """Eight bytes for each element, also of nothing: not even the padding is needed."""
    lengths = {
        kind: {len(cbor.encode(record)) for _, records in home.dwellings[0].instants
               for record in records if record[0] == home.stream.number}
        for kind, (home, _) in lives.items()
    }  # fmt: skip
    assert lengths["empty"] == lengths["busy"] and len(lengths["busy"]) == 1


def test_learners_are_at_chance(policies):
    """Those of `lamppost policy attack`, on nodes that mask: a quiet street and a busy one, a
    meter that fails and one that works."""
    results = network.attack("dwelling", policies["energy-dwelling"], 1500, seed=3)
    assert {one.question for one in results} == {"busy or quiet", "sensor broken or not"}
    for one in results:
        low, high = one.interval
        assert 0.48 <= low <= one.with_policy <= high <= 0.52, one.question
        assert one.met and one.details["cases"] > 2400


def test_lengths_that_hang_on_the_content_are_told(lives):
    """A node that says nothing of empty windows, and does not pad."""
    lines, labels, groups = [], [], []
    for label, kind in enumerate(lives):
        home, _ = lives[kind]
        for number, (_, records) in enumerate(home.dwellings[0].instants):
            bare = [
                [*r[:2], None, None] if not any(home.dwellings[0].truth[r[1]][1:]) else r
                for r in records if r[0] == home.stream.number
            ]  # fmt: skip
            lines.append([len(cbor.encode(bare))])
            labels.append(label)
            groups.append(number // 8)
    assert best_success(lines, labels, groups)[0] > 0.95
