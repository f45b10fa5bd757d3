# SPDX-License-Identifier: MIT
"""Sizes and times of messages: chance with the policy, and far from it without."""

import random

import pytest

from host_tools.attacks import network
from host_tools.attacks.guess import best_success


@pytest.fixture(scope="module")
def results(policies):
    found = network.attack("traffic", policies["traffic"], 1500, seed=3)
    return {result.question: result for result in found}


def test_all_questions_were_asked(results):
    assert set(results) == {"busy or quiet", "sensor broken or not", "withheld or told"}
    assert all(result.details["cases"] > 2400 for result in results.values())


def test_with_the_policy_it_is_chance(results):
    for question, result in results.items():
        low, high = result.interval
        assert 0.48 <= low <= result.with_policy <= high <= 0.52, question
        assert result.met


def test_without_it_the_street_is_an_open_book(results):
    assert results["busy or quiet"].without > 0.95
    assert results["sensor broken or not"].without > 0.6  # half of its hours are as they should
    assert results["withheld or told"].without > 0.95


def test_a_length_that_hangs_on_the_content_would_be_seen():
    """The same attack on what is one byte longer on a busy street."""
    chance, lines, labels = random.Random(1), [], []
    messages = [network.Message(900.0 * n, 200) for n in range(1, 400)]
    instants = [900 * n for n in range(1, 400)]
    for label in (0, 1):
        longer = [m._replace(size=m.size + label * (chance.random() < 0.2)) for m in messages]
        lines += network.features(longer, instants, 900)
        labels += [label] * len(instants)
    groups = [at // 40 for at in range(399)] * 2
    assert best_success(lines, labels, groups)[0] > 0.56
