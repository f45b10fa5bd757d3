# SPDX-License-Identifier: MIT
"""A fleet does not come back as a herd; `python -m tests.bench herd` plays a larger one."""

import random

from tests.bench.herd import fleet

NODES, AWAY_S = 300, 1800


def test_attempts_are_spread_when_the_broker_is_back():
    result = fleet(NODES, AWAY_S, 600, random.Random(2).randrange)
    assert result["back"] == NODES
    assert result["back_after_s"]["100"] <= 360
    assert result["peak_per_s"] <= NODES // 20
    # while it is away each tries about once in two and a half minutes
    assert result["attempts_while_away"] <= NODES * (10 + AWAY_S // 120)


def test_without_jitter_they_are_not():
    """So the spread is the jitter's, and the test above would miss it."""
    result = fleet(NODES, AWAY_S, 600, lambda limit: limit - 1)
    assert result["peak_per_s"] == NODES
