# SPDX-License-Identifier: MIT
"""No differencing: what has been answered and what is asked must not cut out fewer than k nodes.

At each moment, the answered populations that cover it and the one that is asked for cut the nodes
into groups: nodes that are in the same of these populations. Any sum that can be computed from the
answers weighs all nodes of a group alike at that moment. So when every group has at least k nodes
(the largest k of what it is in), nothing that can be computed tells of fewer.

A population is a set of bits, one per node, in an int: cut and counted at C speed.
"""

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
STEPS_MAX = 10_000_000  # cuts of a group: some ten seconds, in which nobody else is answered


class TooManyError(Exception):
    """More populations meet than can be compared in good time."""


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans by their beginning, with what touches or overlaps made one."""
    found = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return [(start, end) for start, end in found]


def cut_groups(populations: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """(bits, k) of each group that these (bits, k) cut the nodes into."""
    groups, seen = [], 0
    for bits, k in populations:
        cut = [(bits & ~seen, k)]
        for group, least in groups:
            cut += [(group & bits, max(least, k)), (group & ~bits, least)]
        groups = [(group, least) for group, least in cut if group]
        seen |= bits
    return groups


def linked(bits: int, others: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of the (bits, k) that share a node with `bits`, or with one that does, and so on."""
    found, rest = [], others
    while True:
        near = [one for one in rest if one[0] & bits]
        if not near:
            return found
        rest = [one for one in rest if not one[0] & bits]
        found += near
        for one, _ in near:
            bits |= one


def _pieces(spans: list[Span], covers: list[list[Span]]) -> Iterator[frozenset]:
    """Of each piece of time within the spans: the places of the covers that cover it."""
    events = [event for span in spans for event in _borders(span, None)]
    for place, covered in enumerate(covers):
        events += [event for span in covered for event in _borders(span, place)]
    events.sort(key=lambda event: event[0])
    inside, active, before = False, set(), None
    for at, place, begins in events:
        if inside and at != before:
            yield frozenset(active)
        before = at
        if place is None:
            inside = begins
        elif begins:
            active.add(place)
        else:
            active.discard(place)


def _borders(span: Span, place: int | None):
    return (span[0], place, True), (span[1], place, False)


def isolates(
    bits: int, k: int, spans: Iterable[Span], answered: Iterable[tuple[int, int, list[Span]]]
) -> bool:
    """Whether a population that asks for these spans would, with what was answered as (bits, k,
    spans), cut out a group below k. TooManyError when that would take too long."""
    populations, covers, steps = [], [], 0
    for other, least, covered in answered:
        populations.append((other, least))
        covers.append(joined(covered))
    for active in set(_pieces(joined(spans), covers)):
        near = linked(bits, [populations[place] for place in active])
        found = cut_groups([(bits, k), *near])
        if any(group.bit_count() < least for group, least in found):
            return True
        steps += len(near) * len(found)
        if steps > STEPS_MAX:
            raise TooManyError
    return False


def most_spent(bits: int, costs: Iterable[tuple[int, object]]):
    """The largest sum of costs that one of the nodes bears: costs are (bits, cost)."""
    groups = [(bits, 0)]
    for other, cost in costs:
        cut = []
        for group, spent in groups:
            cut += [(group & other, spent + cost), (group & ~other, spent)]
        groups = [(group, spent) for group, spent in cut if group]
    return max(spent for _, spent in groups)
