# SPDX-License-Identifier: MIT
"""What only a masked stream says: that it is one, the edges of its bins, from how many nodes on a
sum opens; and whether the largest sum fits 64 bits, of which no node and no store can see that it
wrapped."""

import itertools
import math

from host_tools.controller.documents import DAYS_MAX, NODES_MAX
from host_tools.policy import masked_noise
from host_tools.provisioning.checked import Table
from node.policy.form import BINS_MAX, MASKED_STATISTICS
from node.policy.rules import DAY_S, Stream

K_MIN = 5  # fewer may be known to each other
SLOT_S = 60  # a mask is of whole minutes
SUM_MAX = 2**63 - 1
# The most readings in one sum: a kit measures once a second at most (interval_s in kit.json). What
# the kit is does not count here: the controller reads a policy without it.
READINGS_MAX = NODES_MAX * DAYS_MAX * DAY_S


def check_statistics(table: Table, statistics: list[str], masked: bool):
    """ToolError for what cannot be added, and for what only masked streams have."""
    for statistic in statistics:
        if masked and statistic not in MASKED_STATISTICS:
            mend = f"take of {', '.join(MASKED_STATISTICS)}"
            what = f"has the statistic {statistic!r}, but masked values can only be added"
            raise table.wrong(what, mend)
        if not masked and statistic in ("sum_squares", "histogram"):
            what = f"has the statistic {statistic!r}, which only a masked stream has"
            raise table.wrong(what, "write masked = true, or take it out of statistics")
    if not masked:
        if "bins" in table:
            raise table.wrong("has bins, but is not masked", "take bins out, or mask it")
        return
    if "count" not in statistics:
        what = "has no count in statistics, so nobody would know of a sensor that gave nothing"
        raise table.wrong(what, 'add "count" to statistics')


def check_window(table: Table, window_s: int):
    if window_s % SLOT_S:
        mend = f"take a multiple of {SLOT_S}: masks are of whole minutes"
        raise table.wrong(f"has window_s = {window_s}, but is masked", mend)


def take_k(table: Table) -> int:
    """The smallest population, in nodes, whose sum opens."""
    if "k" not in table:
        mend = f"add k: the fewest nodes whose sum may open, {K_MIN} or more, of dwellings 15"
        raise table.wrong("is masked and has no k", mend)
    return table.take_int("k", K_MIN, NODES_MAX)


def take_bins(table: Table, statistics: list[str], low: int, high: int) -> list[int]:
    """The rising edges, in the quantity's scale; [] without a histogram."""
    if "histogram" not in statistics:
        if "bins" in table:
            raise table.wrong("has bins, but no histogram in statistics", "take bins out")
        return []
    if "bins" not in table:
        mend = f"add bins: up to {BINS_MAX} rising edges above {low} and up to {high}"
        raise table.wrong("has a histogram and no bins", mend)
    bins = table.take_list("bins", int)
    edges = [low, *bins, high + 1]
    if len(bins) > BINS_MAX or any(a >= b for a, b in itertools.pairwise(edges)):
        mend = f"take up to {BINS_MAX} rising edges above {low} and up to {high}"
        raise table.wrong("has bins that do not rise within its range", mend)
    return bins


def check_sums(table: Table, stream: Stream):
    """ToolError when a sum could wrap: NODES_MAX nodes, DAYS_MAX days, a reading each second, each
    as large as the range allows; noise included."""
    largest = masked_noise.largest_step(stream)
    power = 2 if "sum_squares" in stream.statistics else 1
    each = largest**power
    if "sum" not in stream.statistics and power == 1:
        each = 1  # counts and bins grow by one a reading
    if READINGS_MAX * each > SUM_MAX:
        fits = SUM_MAX // READINGS_MAX
        fits = math.isqrt(fits) if power == 2 else fits
        size = max(abs(stream.low), abs(stream.high))
        resolution = fitting_resolution(size, fits)
        what = "squares" if power == 2 else "values"
        message = (
            f"has a range whose sum of {what} can pass 2^63, with {NODES_MAX:,} nodes, "
            f"{DAYS_MAX} days and a reading each second"
        )
        mend = (
            f"take resolution = {resolution} or more, or a range of at most "
            f"{fits * stream.resolution}"
        )
        raise table.wrong(message, mend)
    noise = max((one for one in masked_noise.scales(stream) if one is not None), default=0)
    if READINGS_MAX * each + masked_noise.BEYOND * noise > SUM_MAX:
        message = "has noise that can carry a sum past 2^63"
        raise table.wrong(message, "take a higher epsilon, a lower contribution or larger steps")


def fitting_resolution(size: int, steps: int) -> int:
    """The finest resolution in which `size`, rounded half up, is at most so many steps."""
    return 2 * size // (2 * steps + 1) + 1
