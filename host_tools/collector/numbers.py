# SPDX-License-Identifier: MIT
"""Which numbers of one outbox are stored, settled, lost.

An outbox numbers its envelopes 1, 2, 3 … without gaps. Missing and not below the highest floor
seen: under way. Missing and below it: lost, since the node no longer holds it; a late arrival
un-loses it.
"""

from bisect import bisect_left, bisect_right


class Numbers:
    """stored: disjoint ranges [first, last] of the numbers that are stored, rising."""

    def __init__(self, floor: int = 1, stored: list | None = None):
        self.floor = floor
        self.stored = [list(pair) for pair in stored or []]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.stored, number, key=lambda pair: pair[0]) - 1
        return at >= 0 and number <= self.stored[at][1]

    def add(self, number: int, floor: int) -> list:
        """Stores `number`, which says that the node holds what is ≥ floor. Returns what is lost
        since: ranges [first, last]."""
        if number not in self:
            at = bisect_left(self.stored, number, key=lambda pair: pair[0])
            after = at < len(self.stored) and self.stored[at][0] == number + 1
            if at and self.stored[at - 1][1] == number - 1:
                self.stored[at - 1][1] = self.stored[at][1] if after else number
                if after:
                    del self.stored[at]
            elif after:
                self.stored[at][0] = number
            else:
                self.stored.insert(at, [number, number])
        if floor <= self.floor:
            return []
        lost = self._missing(self.floor, floor)
        self.floor = floor
        return lost

    def _missing(self, low: int, end: int) -> list:
        """The ranges of numbers from `low` and below `end` that are not stored."""
        gaps = []
        at = max(0, bisect_right(self.stored, low, key=lambda pair: pair[0]) - 1)
        for first, last in self.stored[at:]:
            if first >= end:
                break
            if first > low:
                gaps.append([low, first - 1])
            low = max(low, last + 1)
        if low < end:
            gaps.append([low, end - 1])
        return gaps

    def upto(self) -> int:
        """All numbers up to this one are settled: stored or lost."""
        upto = self.floor - 1
        at = bisect_right(self.stored, self.floor, key=lambda pair: pair[0]) - 1
        if at >= 0 and self.stored[at][1] > upto:
            upto = self.stored[at][1]
        return upto

    def beyond(self) -> list:
        """The stored ranges above upto()."""
        upto = self.upto()
        return [pair for pair in self.stored if pair[0] > upto]

    def lost(self, low: int = 1) -> list:
        """The ranges of the numbers from `low` on that are lost."""
        return self._missing(low, self.floor)

    def settled(self) -> int:
        """How many numbers are settled."""
        return self.upto() + count(self.beyond())


def count(ranges: list) -> int:
    """How many numbers lie in these ranges."""
    return sum(last - first + 1 for first, last in ranges)
