# SPDX-License-Identifier: MIT
"""host_tools/collector/numbers.py against sets of single numbers."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from host_tools.collector.numbers import Numbers, count

ARRIVALS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 39)), max_size=60)


def flat(ranges):
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(ARRIVALS)
def test_as_sets_of_single_numbers(arrivals):
    numbers, stored, floor, told = Numbers(), set(), 1, []
    for number, depth in arrivals:
        told += flat(numbers.add(number, max(1, number - depth)))
        stored.add(number)
        floor = max(floor, number - depth)
        lost = {n for n in range(1, floor) if n not in stored}
        settled = stored | lost
        upto = next(n for n in range(100) if n + 1 not in settled)
        assert numbers.floor == floor
        assert set(flat(numbers.stored)) == stored
        assert numbers.upto() == upto
        assert set(flat(numbers.beyond())) == {n for n in stored if n > upto}
        assert set(flat(numbers.lost())) == lost
        assert numbers.settled() == len(settled) == upto + count(numbers.beyond())
        assert all(n in numbers for n in stored)
        assert not any(n in numbers for n in range(45) if n not in stored)
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(numbers.stored))
    assert len(told) == len(set(told))  # each loss is told once
    assert {n for n in range(1, floor) if n not in stored} <= set(told)


@given(ARRIVALS, st.randoms())
def test_order_does_not_matter(arrivals, random):
    one, other = Numbers(), Numbers()
    for number, depth in arrivals:
        one.add(number, max(1, number - depth))
    random.shuffle(arrivals)
    for number, depth in arrivals + arrivals[:3]:
        other.add(number, max(1, number - depth))
    assert (one.stored, one.floor) == (other.stored, other.floor)


def test_a_late_arrival_is_no_longer_lost():
    numbers = Numbers()
    assert numbers.add(5, 3) == [[1, 2]]
    assert (numbers.upto(), numbers.beyond(), numbers.lost()) == (2, [[5, 5]], [[1, 2]])
    assert numbers.add(2, 1) == []
    assert numbers.lost() == [[1, 1]]
    assert numbers.add(6, 6) == [[3, 4]]
    assert (numbers.upto(), numbers.beyond(), numbers.lost()) == (6, [], [[1, 1], [3, 4]])
