# SPDX-License-Identifier: MIT
"""What streams of one quantity must not be beside each other: one would tell what the other
withholds or masks, or they would cost more together than one may."""

import itertools

from host_tools.policy.figures import joined
from host_tools.policy.stream_fields import StreamFields

SINGLE = ("min", "max", "last")  # each is one reading
_K_WINDOWS_MAX = 2  # complementary withholding, on the node, knows parts and their total


def check(streams: list[StreamFields]):
    """ToolError names streams that do not go together."""
    by_quantity = {}
    for stream in streams:
        by_quantity.setdefault(stream.quantity, []).append(stream)
    for same in by_quantity.values():
        for first, second in itertools.combinations(same, 2):
            _check_pair(first, second)
        bare = [stream for stream in same if stream.k and not stream.noise and not stream.masked]
        if len(bare) > _K_WINDOWS_MAX:
            message = f"is one of {len(bare)} windows of {bare[-1].quantity} with k"
            raise bare[-1].wrong(message, "take at most two, the longer a multiple of the shorter")
        # The controller keeps the budget of a masked stream, day by day.
        _check_budget([stream for stream in same if stream.noise and not stream.masked])


def _check_budget(same: list[StreamFields]):
    """One person counts in all streams of a quantity, so their costs add up, and no budget may be
    below the sum."""
    if not same:
        return
    cost = sum(stream.noise.a_day for stream in same)
    least = min(stream.noise.per_day for stream in same)
    if cost > least:
        last = same[-1]
        message = (
            f"has noise with per_day = {least}, but a day of all {len(same)} streams of "
            f"{last.quantity} costs epsilon = {cost}"
        )
        mend = f'multiply each epsilon by {least / cost} or less, or write per_day = "{cost}"'
        raise last.wrong(message, f"{mend} in each of them")


def _check_pair(first: StreamFields, second: StreamFields):
    """The second is told of, since it was added to the first."""
    beside = f"beside stream number {first.number}"
    if first.masked or second.masked:
        _check_masked(first, second, beside)
        return
    if first.window_s == second.window_s:
        message = f"has quantity and window_s of stream number {first.number}"
        raise second.wrong(message, "name all statistics in one stream, or take another window")
    if bool(first.noise) != bool(second.noise):
        message = f"has {'noise' if second.noise else 'no noise'} {beside}, of one quantity"
        raise second.wrong(message, "give noise to both or to neither: one tells the other")
    if not first.k and not second.k:
        return
    if not first.noise and not (first.k and second.k):
        message = f"has {'k' if second.k else 'no k'} {beside}, of one quantity"
        raise second.wrong(message, "give k to both: one tells what the other withholds")
    short, long = sorted((first.window_s, second.window_s))
    if long % short:
        message = f"has window_s = {second.window_s} {beside}, whose is {first.window_s}"
        raise second.wrong(message, "where k is used, the longer is a multiple of the shorter")
    if not first.noise and first.k != second.k:
        message = f"has k = {second.k} {beside}, of one quantity, whose k is {first.k}"
        raise second.wrong(message, f"take the same k, for instance {max(first.k, second.k)}")


def _check_masked(first: StreamFields, second: StreamFields, beside: str):
    """A longer readable window tells only a node's whole of it; anything else would tell what the
    mask hides. Two masked streams would give two budgets for the same readings."""
    if first.masked and second.masked:
        message = f"is masked {beside}, of one quantity, which is masked as well"
        mend = "take one of them: a masked stream opens in sums over any of its windows"
        raise second.wrong(message, mend)
    masked, readable = (first, second) if first.masked else (second, first)
    if readable.window_s <= masked.window_s or readable.window_s % masked.window_s:
        message = (
            f"has window_s = {second.window_s} {beside}, of one quantity, whose is "
            f"{first.window_s}: stream number {readable.number} would tell what number "
            f"{masked.number} masks"
        )
        raise second.wrong(message, "let the readable window be a longer multiple of the masked")
    single = [one for one in readable.statistics if one in SINGLE]
    if single:
        message = (
            f"has {joined(single)} {beside}, of one quantity"
            if readable is second
            else f"is masked {beside}, of one quantity, which has {joined(single)}"
        )
        mend = "take count, sum or mean where it is readable: the others are single readings"
        raise second.wrong(message, mend)
