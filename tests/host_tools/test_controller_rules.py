# SPDX-License-Identifier: MIT
"""What the controller opens and what it refuses, each rule by its name."""

from fractions import Fraction

import pytest
from controller_fixture import (
    DAY,
    DAY0,
    START,
    STREAM,
    WINDOW,
    Office,
    ask_for,
    make_nodes,
    masked_sum,
    opened,
    terms,
)

from host_tools.controller import groups
from host_tools.controller.documents import Request
from node.policy.rules import Policy


@pytest.fixture
def office(tmp_path) -> Office:
    return Office(tmp_path)


def test_a_sum_opens_and_nothing_of_a_node(office):
    policy = office.allow(noise=None)
    nodes = office.nodes(6, policy)
    truth = {node.node_id: [15, 100 * i - 250] for i, node in enumerate(nodes)}
    request = ask_for(nodes, [policy], (4, 8), (8, 9))
    token = office.token(request)
    assert token.scales == (None, None) and token.population == 6 and token.entry == 2
    for span, pads in zip(request.ranges, token.pads, strict=True):
        summed = masked_sum(nodes, span, STREAM, truth)
        assert opened(summed, pads) == [90, 0]
        one = masked_sum(nodes[:1], span, STREAM, truth)
        assert abs(opened(one, pads)[0]) > 10**6  # by chance once in 10^13


def test_noise_is_that_of_the_policy_and_the_same_for_ever(office):
    bins = [5000]
    statistics = ("count", "sum", "histogram")
    policy = office.allow(statistics=statistics, bins=bins, noise=(1000, 1, 8))
    nodes = office.nodes(5, policy)
    truth = {node.node_id: [15, 300, 10, 5] for node in nodes}
    request = ask_for(nodes, [policy], (0, 96))
    token = office.token(request)
    assert token.scales == (None, (8000, 1), (16000, 1), (16000, 1))
    summed = masked_sum(nodes, request.ranges[0], STREAM, truth)
    count, *noisy = opened(summed, token.pads[0])
    assert count == 75
    drawn = [value - true for value, true in zip(noisy, (1500, 50, 25), strict=True)]
    assert len(set(drawn)) == 3  # each its own: two alike once in 10,000 runs
    assert all(abs(value) < 40 * 16000 for value in noisy)
    again = office.token(request, by="somebody else")
    assert again.pads == token.pads and again.entry == token.entry + 1
    office.ledger.path.unlink()  # as after a loss: another ledger, the same vault
    office.ledger = office.ledger.create(office.ledger.path)
    office.allow(statistics=statistics, bins=bins, noise=(1000, 1, 8))
    assert office.token(request).pads == token.pads


def test_another_range_population_or_scale_has_other_noise(office):
    policy = office.allow()
    nodes = office.nodes(10, policy)
    zero = {node.node_id: [0, 0] for node in nodes}

    def noise(asked, *span):
        request = ask_for(asked, [policy], span)
        summed = masked_sum(asked, request.ranges[0], STREAM, zero)
        return opened(summed, office.token(request).pads[0])[1]

    drawn = {noise(nodes, 0, 4), noise(nodes, 4, 8), noise(nodes, 0, 8), noise(nodes[:5], 0, 4)}
    assert len(drawn) == 4  # of scale 8,000: two alike once in 2,000 runs


def test_a_node_that_it_does_not_know(office):
    policy = office.allow()
    nodes = office.nodes(5, policy) + make_nodes(1, policy)
    assert office.refuses(ask_for(nodes, [policy], (0, 4))) == "node"
    assert office.refuses(ask_for(nodes[:5], [policy], (0, 4), stream=8)) == "node"


def test_a_policy_that_it_was_not_given_or_that_is_of_other_nodes(office):
    policy = office.allow()
    other = office.allow(identity="square")
    nodes = office.nodes(5, policy)
    unknown = Policy(_rules_with(policy, 9))
    assert office.refuses(ask_for(nodes, [unknown], (0, 4))) == "policy"
    assert office.refuses(ask_for(nodes, [policy, other], (0, 4))) == "policy"
    assert office.refuses(ask_for(nodes, [other], (0, 4))) == "policy"
    both = nodes + office.nodes(5, other)
    assert office.refuses(ask_for(both, [policy], (0, 4))) == "policy"
    assert office.token(ask_for(both, [policy, other], (0, 4))).population == 10


def _rules_with(policy, version: int) -> bytes:
    from controller_fixture import rules

    return rules(terms(), version=version)


def test_a_stream_that_is_not_masked_or_measured_in_two_ways(office):
    plain = office.allow(masked=False, k=0, statistics=("sum",), identity="plain")
    nodes = office.nodes(5, plain)
    assert office.refuses(ask_for(nodes, [plain], (0, 4))) == "masked"
    first, second = office.allow(), office.allow(version=2, window_s=1800)
    nodes = office.nodes(5, first)
    assert office.refuses(ask_for(nodes, [first, second], (0, 4))) == "masked"


def test_a_later_version_must_allow_it_as_well(office):
    first = office.allow(last=DAY0 + 20)
    nodes = office.nodes(6, first)
    office.token(ask_for(nodes, [first], (10 * 96, 10 * 96 + 4)))
    second = office.allow(version=2, k=7, first=DAY0 + 10, last=DAY0 + 20)
    late = ask_for(nodes, [first], (10 * 96, 10 * 96 + 4))
    assert office.refuses(late) == "population"  # though the first version would let it open
    office.token(ask_for(nodes, [first], (9 * 96, 10 * 96)))  # before the second's days
    assert office.refuses(ask_for(nodes, [first, second], (9 * 96, 10 * 96 + 4))) == "population"
    office.allow(version=3, masked=False, k=0, statistics=("sum",), first=DAY0 + 12)
    assert office.refuses(ask_for(nodes, [first], (11 * 96, 12 * 96 + 1))) == "masked"


def test_a_version_between_two_that_are_named(office):
    first = office.allow(last=DAY0 + 20)
    office.allow(version=2, k=9, first=DAY0 + 5, last=DAY0 + 20)
    third = office.allow(version=3, first=DAY0 + 10, last=DAY0 + 20)
    nodes = office.nodes(6, first)
    asked = ask_for(nodes, [first, third], (9 * 96, 11 * 96))
    assert office.refuses(asked) == "population"


def test_the_purpose_is_the_streams(office):
    policy = office.allow()
    nodes = office.nodes(5, policy)
    request = ask_for(nodes, [policy], (0, 4), purpose="dpv:Marketing")
    assert office.refuses(request) == "purpose"


@pytest.mark.parametrize("shift", [(60, 60), (0, 60), (60, WINDOW)])
def test_a_range_is_whole_windows(office, shift):
    policy = office.allow()
    nodes = office.nodes(5, policy)
    whole = ask_for(nodes, [policy], (0, 4))
    span = START + shift[0], START + WINDOW + shift[1]
    request = Request(STREAM, (span,), whole.nodes, whole.policies, whole.purpose)
    assert office.refuses(request) == "window"


def test_days_are_those_of_the_policies_and_of_the_nodes(office):
    first = office.allow(first=DAY0 + 1, last=DAY0 + 2)
    nodes = office.nodes(5, first)
    assert office.refuses(ask_for(nodes, [first], (95, 97))) == "days"
    assert office.refuses(ask_for(nodes, [first], (97, 3 * 96 + 1))) == "days"
    second = office.allow(version=2, first=DAY0 + 3, last=DAY0 + 9)
    office.token(ask_for(nodes, [first, second], (97, 3 * 96 + 1)))
    assert office.refuses(ask_for(nodes, [second], (97, 3 * 96 + 1))) == "days"
    late = office.nodes(5, first, day0=DAY0 + 2)
    assert office.refuses(ask_for(late, [first], (97, 98))) == "days"
    office.token(ask_for(late, [first], (2 * 96, 2 * 96 + 1)))


def test_nothing_is_opened_ahead(office):
    policy = office.allow()
    nodes = office.nodes(5, policy)
    office.now = START + 3 * WINDOW - 1
    request = ask_for(nodes, [policy], (0, 3))
    assert office.refuses(request) == "past"
    office.now += 1
    office.token(request)


def test_a_laxer_policy_that_is_signed_afterwards_opens_nothing_of_before(office):
    office.now = START
    first = office.allow(k=6)
    nodes = office.nodes(6, first)
    office.now = START + 20 * DAY
    laxer = office.allow(version=2, k=5, noise=None, first=DAY0)
    other = office.allow(terms(purpose="dpv:Marketing"), version=3, k=5, first=DAY0 + 40)
    office.now = START + 100 * DAY
    assert office.refuses(ask_for(nodes[:5], [laxer], (0, 4))) == "population"
    assert office.token(ask_for(nodes, [laxer], (0, 4))).scales == (None, (8000, 1))
    days = [slice_ * 96 for slice_ in (19, 20, 21, 41)]
    assert office.refuses(ask_for(nodes[:5], [laxer], (days[0], days[2]))) == "population"
    assert office.token(ask_for(nodes[:5], [laxer], (days[1], days[2]))).scales == (None, None)
    late = ask_for(nodes[:5], [other], (days[3], days[3] + 4), purpose="dpv:Marketing")
    assert office.token(late).population == 5  # the second is not in force any more


def test_fewer_than_k_nodes(office):
    policy = office.allow(k=5)
    nodes = office.nodes(5, policy)
    assert office.refuses(ask_for(nodes[:4], [policy], (0, 4))) == "population"
    office.token(ask_for(nodes, [policy], (0, 4)))


@pytest.mark.parametrize("k", [0, 1, 4])
def test_no_policy_opens_a_handful(office, k):
    policy = office.allow(k=k)
    nodes = office.nodes(6, policy)
    assert office.refuses(ask_for(nodes[:4], [policy], (0, 4))) == "population"
    office.token(ask_for(nodes[:5], [policy], (0, 4)))
    assert office.refuses(ask_for(nodes, [policy], (0, 4))) == "differencing"


def test_the_largest_k_of_all_policies_counts(office):
    street, square = office.allow(k=5), office.allow(k=9, identity="square")
    nodes = office.nodes(4, street) + office.nodes(4, square)
    assert office.refuses(ask_for(nodes, [street, square], (0, 4))) == "population"


def test_a_day_costs_no_more_than_its_budget(office):
    policy = office.allow(terms(per_day="1/2"), noise=(1000, 1, 8))
    nodes = office.nodes(20, policy)
    half, other = nodes[:10], nodes[10:]
    for window in range(4):
        office.token(ask_for(half, [policy], (window, window + 1)))
    assert office.refuses(ask_for(half, [policy], (4, 5))) == "budget"
    office.token(ask_for(half, [policy], (2, 3)))  # again: free
    office.token(ask_for(other, [policy], (4, 5)))  # other nodes: their own budget
    assert office.refuses(ask_for(nodes, [policy], (5, 6))) == "budget"
    office.token(ask_for(half, [policy], (96, 97)))  # another day
    assert office.refuses(ask_for(half, [policy], (95, 97))) == "budget"  # part of the full day
    assert office.refuses(ask_for(half, [policy], *_each(97, 101))) == "budget"
    office.token(ask_for(half, [policy], *_each(97, 100)))


def _each(first: int, last: int):
    return [(window, window + 1) for window in range(first, last)]


def test_every_noisy_statistic_costs(office):
    statistics = ("count", "sum", "sum_squares", "histogram")
    fields = {"statistics": statistics, "bins": [10, 20], "noise": (1000, 1, 8)}
    policy = office.allow(terms(per_day="3/8"), **fields)
    nodes = office.nodes(5, policy)
    office.token(ask_for(nodes, [policy], (0, 4)))
    assert office.refuses(ask_for(nodes, [policy], (4, 8))) == "budget"


def test_the_strictest_noise_and_budget_of_all_versions(office):
    first = office.allow(terms(per_day="1"), noise=(1000, 1, 2), last=DAY0)
    second = office.allow(terms(per_day="1/2"), version=2, noise=(1000, 1, 4), first=DAY0)
    nodes = office.nodes(5, first)
    token = office.token(ask_for(nodes, [first, second], (0, 1)))
    assert token.scales[1] == (4000, 1)
    assert office.refuses(ask_for(nodes, [first, second], (1, 2))) == "budget"  # 1/2 each
    office.token(ask_for(nodes, [second], (96, 97)))
    office.token(ask_for(nodes, [second], (97, 98)))
    assert office.refuses(ask_for(nodes, [second], (98, 99))) == "budget"


def test_two_populations_that_differ_by_few(office):
    policy = office.allow(k=5, noise=None)
    nodes = office.nodes(20, policy)
    office.token(ask_for(nodes[:10], [policy], (0, 8)))
    assert office.refuses(ask_for(nodes[:11], [policy], (4, 5))) == "differencing"
    assert office.refuses(ask_for(nodes[:9], [policy], (7, 12))) == "differencing"
    assert office.refuses(ask_for(nodes[4:12], [policy], (0, 8))) == "differencing"
    office.token(ask_for(nodes[5:15], [policy], (0, 8)))
    office.token(ask_for(nodes[:9], [policy], (8, 12)))  # another time
    office.token(ask_for(nodes, [policy], (12, 13), (20, 21), (50, 51)))
    office.token(ask_for(nodes[:9], [policy], (14, 19)))  # and one between two ranges
    office.token(ask_for(nodes[:11], [policy], (13, 14), (19, 20)))  # and two around it
    assert office.refuses(ask_for(nodes[:8], [policy], (0, 1), (30, 31))) == "differencing"
    assert office.refuses(ask_for(nodes[:8], [policy], (7, 8), (18, 19))) == "differencing"
    assert office.refuses(ask_for(nodes[:8], [policy], (11, 12), (18, 19))) == "differencing"
    assert office.refuses(ask_for(nodes[:8], [policy], (13, 14), (31, 32))) == "differencing"
    office.token(ask_for(nodes[:10], [policy], (0, 1)))  # the same nodes
    assert office.refuses(ask_for(nodes[:19], [policy], (11, 12), (20, 21))) == "differencing"
    assert office.refuses(ask_for(nodes[:19], [policy], (40, 41), (50, 51))) == "differencing"


def test_more_populations_than_can_be_compared(office, monkeypatch):
    policy = office.allow(noise=None)
    nodes = office.nodes(30, policy)
    for count in (5, 10, 15, 20):
        office.token(ask_for(nodes[:count], [policy], (count, count + 40)))
    monkeypatch.setattr(groups, "STEPS_MAX", 20)
    assert office.refuses(ask_for(nodes[:25], [policy], (0, 60))) == "differencing"
    office.token(ask_for(nodes[:20], [policy], (20, 60)))  # was answered: nothing to compare
    office.token(ask_for(nodes[:25], [policy], (60, 90)))
    monkeypatch.undo()
    office.token(ask_for(nodes[:25], [policy], (0, 60)))


def test_a_difference_is_found_through_a_third_population(office):
    policy = office.allow(k=5, noise=None)
    nodes = office.nodes(24, policy)
    office.token(ask_for(nodes[:12], [policy], (0, 1)))  # A, with B as its half
    office.token(ask_for(nodes[6:24], [policy], (0, 1)))
    # This one shares no node with the first, but what it leaves of the second is cut by it.
    assert office.refuses(ask_for(nodes[14:24], [policy], (0, 1))) == "differencing"


def test_two_streams_of_the_same_nodes_are_one_matter(office):
    streams = STREAM, 8
    policy = office.allow(terms(streams=streams), k=5, noise=None, streams=streams)
    nodes = office.nodes(6, policy, streams=streams)
    office.token(ask_for(nodes, [policy], (0, 1)))
    assert office.refuses(ask_for(nodes[:5], [policy], (0, 4), stream=8)) == "differencing"
    office.token(ask_for(nodes[:5], [policy], (4, 5), stream=8))
    assert office.refuses(ask_for(nodes, [policy], (4, 5))) == "differencing"


def test_people_count_together(office):
    policy = office.allow(k=5, noise=None)
    nodes = office.nodes(6, policy)
    controller = office.open()
    controller.answer(ask_for(nodes, [policy], (0, 1)).encode(), "one")
    assert office.refuses(ask_for(nodes[:5], [policy], (0, 1))) == "differencing"


def test_what_is_no_request_is_refused_and_told(office):
    from host_tools.controller.rules import Refusal

    with pytest.raises(Refusal) as caught:
        office.open().answer(b"\x00", "energy office")
    assert caught.value.rule == "form"
    with office.ledger.reading() as db:
        (detail,) = db.execute("SELECT detail FROM log WHERE verb = 'refused'").fetchone()
    assert "energy office" in detail and '"rule":"form"' in detail


def test_costs_add_up_exactly(office):
    third = Fraction(1, 3)
    policy = office.allow(terms(per_day="1"), noise=(1000, third.numerator, third.denominator))
    nodes = office.nodes(5, policy)
    office.token(ask_for(nodes, [policy], *_each(0, 3)))
    assert office.refuses(ask_for(nodes, [policy], (3, 4))) == "budget"


def test_a_month_of_quarters_of_an_hour(office):
    policy = office.allow(terms(per_day="12"))
    nodes = office.nodes(5, policy)
    month = ask_for(nodes, [policy], *_each(0, 2976))
    token = office.token(month)
    assert len(token.pads) == 2976
    assert office.token(month).pads == token.pads
    assert office.refuses(ask_for(nodes, [policy], (30 * 96, 30 * 96 + 2))) == "budget"
    assert month.ranges[-1][1] - START == DAY * 31
