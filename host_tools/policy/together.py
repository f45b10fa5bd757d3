# SPDX-License-Identifier: MIT
"""What streams of one quantity must not be beside each other: one would tell what the other
withholds, or they would cost more together than one may."""

import itertools

from host_tools.policy.stream_fields import StreamFields

_K_WINDOWS_MAX = 2  # complementary withholding, on the node, knows parts and their total


def check(streams: list[StreamFields]):
    """ToolError names streams that do not go together."""
    by_quantity = {}
    for stream in streams:
        by_quantity.setdefault(stream.quantity, []).append(stream)
    for same in by_quantity.values():
        for first, second in itertools.combinations(same, 2):
            _check_pair(first, second)
        bare = [stream for stream in same if stream.k and not stream.noise]
        if len(bare) > _K_WINDOWS_MAX:
            message = f"is one of {len(bare)} windows of {bare[-1].quantity} with k"
            raise bare[-1].wrong(message, "take at most two, the longer a multiple of the shorter")
        _check_budget([stream for stream in same if stream.noise])


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
