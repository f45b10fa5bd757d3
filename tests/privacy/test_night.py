# SPDX-License-Identifier: MIT
"""One person at night: in plain sight in raw counts, and with k alone; hidden by noise."""

import pytest

from host_tools.attacks import night


@pytest.fixture(scope="module")
def results(policies):
    people = next(s for s in policies["traffic"].streams if s.quantity == "people_rightward")
    return night.attack_stream("traffic", people, nights=800, seed=2)


def test_raw_counts_tell(results):
    usual, worst, _ = results
    assert usual.without > 0.6
    assert worst.without == 1.0


def test_the_policy_hides(results):
    usual, worst, _ = results
    assert usual.met and worst.met
    assert 0.5 < usual.details["allowed"] < 0.52
    pooled = sum(usual.details["curves"]["policy"]) / len(night.OTHERS)
    assert abs(pooled - 0.5) < 0.5 * 4.9 / (400 * len(night.OTHERS)) ** 0.5 + 0.0105


def test_k_alone_hides_until_the_others_are_known(results):
    usual, _, k_only = results
    k = usual.details["k"]
    curve = usual.details["curves"]["k only"]
    assert all(abs(share - 0.5) < 0.13 for share in curve[: k - 1])
    assert curve[k - 1] == 1.0 == k_only.with_policy


def test_the_guess_is_a_good_one():
    counts = [n % 7 for n in range(2000)]
    assert night.best_guess(counts, [int(c > 4) for c in counts]) == 1.0
    assert night.best_guess(counts, [int(c < 2) for c in counts]) == 1.0
    assert night.best_guess([0] * 2000, [int(n % 3 > 0) for n in range(2000)]) > 0.6
