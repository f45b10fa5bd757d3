# SPDX-License-Identifier: MIT
"""Releases cost the epsilon that is stated: no event shows more, and one shows nearly as much.

Noise comes from a fixed seed, so that a run is like every other."""

import math
import random

import pytest

from host_tools.attacks import averaging, epsilon
from host_tools.attacks.run import Sizes, run


@pytest.fixture(scope="module")
def results(policies):
    only = ("epsilon", "averaging")
    traffic = {"traffic": policies["traffic"]}
    return run(traffic, only, Sizes(runs=12_000, days=400), 1, None, lambda text: None)


def test_one_unit_and_many_show_no_more_than_is_stated(results):
    single, many = (r for r in results if r.attack == "epsilon")
    assert single.details["units"] == 1 and single.met
    assert 0 <= single.with_policy <= single.details["stated"] < 0.05
    assert many.details["stated"] == pytest.approx(1, abs=0.05)
    assert 0.8 < many.with_policy <= many.details["stated"]  # the attack is a real one


def test_half_the_noise_is_found_out(results):
    many = [r for r in results if r.attack == "epsilon"][1]
    assert many.details["broken"] > 1.5 * many.details["stated"]
    assert many.met


def test_days_average_as_independent_draws_do(results):
    (result,) = [r for r in results if r.attack == "averaging"]
    assert result.met
    for point in result.details["curve"]:
        assert point["error"] == pytest.approx(point["allowed"], rel=0.15)
        assert point["epsilon"] <= point["stated"]
    assert [p["days"] for p in result.details["curve"]] == list(averaging.DAYS)


def geometric(chance, ratio):
    """A discrete Laplace by another way: the difference of two geometric draws."""
    draws = [int(math.log(1 - chance.random()) / math.log(ratio)) for _ in range(2)]
    return draws[0] - draws[1]


@pytest.mark.parametrize("real", [0.5, 1.0, 2.0])
def test_the_bound_holds_where_epsilon_is_known(real):
    chance = random.Random(f"known {real}")
    one, other = ([geometric(chance, math.exp(-real)) + more for _ in range(8000)]
                  for more in (0, 1))  # fmt: skip
    found = epsilon.lower_bound(one, other, confidence=0.9999)
    assert 0.6 * real < found <= real


def test_what_only_one_input_gives_shows_much():
    chance = random.Random(5)
    one = [chance.randrange(100) for _ in range(8000)]
    other = [chance.randrange(100) if chance.random() < 0.9 else 1000 for _ in range(8000)]
    assert epsilon.lower_bound(one, other) > 4
    assert epsilon.lower_bound(one, one[::-1]) < 0.05
    odd = [2 * value for value in one]  # half lines show nothing of this
    assert epsilon.lower_bound(odd, [value + 1 for value in odd]) > 4
