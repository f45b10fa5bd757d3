# SPDX-License-Identifier: MIT
"""No differencing, against linear algebra: what can be computed from answered sums never weighs
fewer than k nodes at any moment."""

import itertools
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.controller.groups import cut_groups, isolates, joined, linked, most_spent

NODES, PIECES = 6, 4

spans = st.tuples(st.integers(0, PIECES - 1), st.integers(1, PIECES)).filter(lambda s: s[0] < s[1])
populations = st.integers(1, (1 << NODES) - 1)
requests = st.lists(
    st.tuples(populations, st.integers(1, 3), st.lists(spans, min_size=1, max_size=2)), max_size=8
)


def rank(rows) -> int:
    """Of a matrix, over the rationals."""
    rows, found = [[Fraction(v) for v in row] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(found, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for r in range(found + 1, len(rows)):
            times = rows[r][column] / rows[found][column]
            rows[r] = [a - times * b for a, b in zip(rows[r], rows[found], strict=True)]
        found += 1
    return found


def tells_of_fewer(answered, k: int) -> bool:
    """Whether some combination of the answers, at some moment, weighs at least one node and fewer
    than k. A combination that vanishes outside a set of nodes, and not within it, is there when
    the rows lose rank without the set's columns."""
    for piece in range(PIECES):
        rows = [
            [bits >> node & 1 for node in range(NODES)]
            for bits, _, covered in answered
            if any(a <= piece < b for a, b in covered)
        ]
        if not rows:
            continue
        whole = rank(rows)
        for few in range(1, 1 << NODES):
            if few.bit_count() < k:
                outside = [node for node in range(NODES) if not few >> node & 1]
                if rank([[row[node] for node in outside] for row in rows]) < whole:
                    return True
    return False


def answer_all(asked):
    """Those that are answered when each is judged beside the ones before."""
    answered = []
    for bits, k, covered in asked:
        if not isolates(bits, k, covered, answered):
            answered.append((bits, k, covered))
    return answered


@settings(max_examples=300, deadline=None)
@given(requests, st.integers(1, 3))
def test_no_combination_weighs_fewer_than_k(asked, k):
    answered = answer_all([(bits, k, covered) for bits, _, covered in asked])
    assert not tells_of_fewer(answered, k)


@settings(max_examples=300, deadline=None)
@given(requests)
def test_every_group_meets_the_k_of_all_that_it_is_in(asked):
    answered = answer_all(asked)
    for piece in range(PIECES):
        here = [r for r in answered if any(a <= piece < b for a, b in r[2])]
        groups = {}
        for node in range(NODES):
            inside = tuple(n for n, (bits, _, _) in enumerate(here) if bits >> node & 1)
            groups.setdefault(inside, []).append(node)
        for inside, nodes in groups.items():
            assert not inside or len(nodes) >= max(here[n][1] for n in inside)


def test_the_oracle_knows_a_difference():
    assert tells_of_fewer([(0b111, 2, [(0, 1)]), (0b011, 2, [(0, 1)])], 2)
    assert not tells_of_fewer([(0b111, 2, [(0, 1)]), (0b011, 2, [(1, 2)])], 2)


@settings(max_examples=200, deadline=None)
@given(requests)
def test_what_is_answered_once_may_be_asked_again(asked):
    answered = answer_all(asked)
    assert not any(isolates(*one, answered) for one in answered)


@given(st.lists(spans, max_size=6))
def test_joined_covers_the_same(covered):
    found = joined(covered)
    pieces = {piece for a, b in covered for piece in range(a, b)}
    assert {piece for a, b in found for piece in range(a, b)} == pieces
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))


@given(st.lists(st.tuples(populations, st.integers(1, 3)), max_size=6))
def test_groups_part_the_nodes(asked):
    groups = [group for group, _ in cut_groups(asked)]
    union = 0
    for bits, _ in asked:
        union |= bits
    assert sum(groups) == union and all(groups)
    for group in groups:
        assert all(group & bits in (0, group) for bits, _ in asked)


@given(populations, st.lists(st.tuples(populations, st.integers(0, 5)), max_size=6))
def test_the_most_that_a_node_bears(bits, costs):
    each = [
        sum(cost for other, cost in costs if other >> node & 1)
        for node in range(NODES)
        if bits >> node & 1
    ]
    assert most_spent(bits, costs) == max(each)


def test_linked_goes_on_from_one_to_the_next():
    others = [(0b0110, 1), (0b1100, 1), (0b110000, 1)]
    assert linked(0b0011, others) == [(0b0110, 1), (0b1100, 1)]
