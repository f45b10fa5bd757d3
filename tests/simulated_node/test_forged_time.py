# SPDX-License-Identifier: MIT
"""Forged SNTP answers for 24 hours, then the truth: a sample of `python -m tests.soak time`."""

import pytest

from tests.soak.time import HOUR_S, WITHIN_S, Case, play

CASES = [
    Case("2000-01-01"),
    Case("garbage"),
    Case("an hour ahead", reachable=False),
    Case("6 days ahead", reachable=False, power_cut=True),
    Case("2100", 6 * HOUR_S),
    Case("flapping, an hour back and ahead", 6 * HOUR_S, reachable=False),
    Case("an hour back", 6 * HOUR_S, reachable=False, power_cut=True),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_node_delivers_within_ten_minutes_and_lost_nothing(case):
    outcome = play(case)
    assert outcome.seconds is not None and outcome.seconds <= WITHIN_S, outcome
    assert outcome.lost == 0, outcome
    assert outcome.twice == 0, outcome
    assert outcome.withheld == 0, outcome
    assert outcome.bytes_too_early == 0, outcome
