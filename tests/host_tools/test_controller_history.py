# SPDX-License-Identifier: MIT
"""Any history of requests, against the words of the README: a node and a moment at a time."""

import itertools
from fractions import Fraction

import pytest
from controller_fixture import DAY, STREAM, Office, ask_for, terms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tools.controller.rules import Refusal

WINDOW_S, A_DAY = 21_600, 4  # windows
NODES, WINDOWS, K = 6, 8, 2  # each of these nodes is a few, which are always asked for together
FEW = 3
EPSILON, PER_DAY = Fraction(1, 3), Fraction(4, 3)
STREAMS = STREAM, 8

populations = st.sets(st.integers(0, NODES - 1), min_size=1).map(frozenset)


@st.composite
def ranges(draw):
    borders = sorted(draw(st.sets(st.integers(0, WINDOWS), min_size=2, max_size=5)))
    pairs = list(itertools.pairwise(borders))
    return tuple(draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True).map(sorted)))


requests = st.lists(st.tuples(st.sampled_from(STREAMS), populations, ranges()), max_size=10)


class Oracle:
    """What was answered: (stream, population, range) each once."""

    def __init__(self):
        self.answered = set()

    def judge(self, stream, population, spans) -> str:
        """The rule that refuses it, or "" when it is answered."""
        if len(population) < K:
            return "population"
        asked = {(stream, population, span) for span in spans}
        after = self.answered | asked
        fresh = asked - self.answered
        if fresh and self._overspent(stream, population, after, fresh):
            return "budget"
        if any(self._isolates(window, after) for _, _, span in fresh for window in range(*span)):
            return "differencing"
        self.answered = after
        return ""

    def _overspent(self, stream, population, after, fresh) -> bool:
        days = {window // A_DAY for _, _, span in fresh for window in range(*span)}
        return any(
            EPSILON
            * sum(
                one == stream and node in some and any(w // A_DAY == day for w in range(*span))
                for one, some, span in after
            )
            > PER_DAY
            for node in population
            for day in days
        )

    def _isolates(self, window, after) -> bool:
        here = sorted({sorted_(p) for _, p, (a, b) in after if a <= window < b})
        groups = {}
        for node in range(NODES):
            groups.setdefault(tuple(node in p for p in here), []).append(node)
        return any(any(inside) and len(nodes) < K for inside, nodes in groups.items())


def sorted_(population) -> tuple:
    return tuple(sorted(population))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An office and its nodes; its ledger as it was before anybody asked."""
    office = Office(tmp_path_factory.mktemp("office"))
    about = terms(per_day=str(PER_DAY), streams=STREAMS)
    noise = (1000, EPSILON.numerator, EPSILON.denominator)
    policy = office.allow(about, k=K * FEW, noise=noise, window_s=WINDOW_S, streams=STREAMS)
    nodes = office.nodes(NODES * FEW, policy, streams=STREAMS)
    return office, policy, nodes, office.ledger.path.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests)
def test_it_answers_what_the_words_say(made, asked):
    office, policy, nodes, before = made
    for path in office.ledger.path.parent.glob("ledger.sqlite*"):
        path.unlink()
    office.ledger.path.write_bytes(before)
    oracle, controller = Oracle(), office.open()
    quarters = WINDOW_S // 900
    for stream, population, spans in asked:
        some = [node for at in population for node in nodes[at * FEW : (at + 1) * FEW]]
        scaled = [(a * quarters, b * quarters) for a, b in spans]
        request = ask_for(some, [policy], *scaled, stream=stream)
        assert request.ranges[-1][1] - request.ranges[0][0] <= 2 * DAY
        try:
            controller.answer(request.encode(), "energy office")
            rule = ""
        except Refusal as err:
            rule = err.rule
        assert rule == oracle.judge(stream, population, spans)
    office.open()  # the ledger follows from its log


def test_the_oracle_refuses():
    oracle = Oracle()
    all_, four = frozenset(range(6)), frozenset(range(5))
    assert oracle.judge(7, frozenset({1}), ((0, 1),)) == "population"
    assert oracle.judge(7, all_, ((0, 1), (1, 2), (2, 3))) == ""
    assert oracle.judge(7, four, ((2, 3),)) == "differencing"
    assert oracle.judge(8, four, ((2, 3),)) == "differencing"
    assert oracle.judge(7, all_, ((0, 1), (3, 4), (4, 5))) == ""
    assert oracle.judge(7, four, ((3, 4),)) == "budget"
