# SPDX-License-Identifier: MIT
"""What `policy check` says of a masked stream: what leaves, what can be opened, and what that
costs."""

from host_tools.policy import budget, masked_noise
from host_tools.policy.figures import (
    STATISTICS,
    amount,
    between,
    count,
    decimal,
    each,
    joined,
    rough,
)
from host_tools.policy.terms import Terms
from node.policy.rules import Policy, Stream


def masked_sentences(policy: Policy, stream: Stream, terms: Terms) -> list[str]:
    """In the order of telling."""
    return [_leaves(stream), _added(stream), *_noise(stream, terms), *_readable(policy, stream)]


def _leaves(stream: Stream) -> str:
    what = joined([STATISTICS[statistic] for statistic in stream.statistics])
    times = count(budget.releases_a_day(stream), "time")
    return (
        f"{what[0].upper()}{what[1:]} of {each(stream.window_s)} leave masked, {times} a day: "
        f"neither store nor controller can read those of one node by itself. A sum opens over "
        f"{stream.k:,} nodes or more, with a token of the controller, who holds no values."
    )


def _added(stream: Stream) -> str:
    limits = between(stream.quantity, stream.low, stream.high)
    step = amount(stream.quantity, stream.resolution)
    said = f"Each reading is held to {limits} and rounded to steps of {step} before it is added."
    if stream.bins:
        edges = joined([amount(stream.quantity, edge) for edge in stream.bins])
        said += f" The histogram has {len(stream.bins) + 1} bins, with edges at {edges}."
    return said


def _noise(stream: Stream, terms: Terms) -> list[str]:
    if not stream.noise:
        return ["Sums open exactly. That is no differential privacy: it rests on k alone."]
    of = terms.streams[stream.number]
    cost = masked_noise.token_epsilon(stream)
    said = [
        f"The controller adds noise, once for each range and population: epsilon = "
        f"{decimal(budget.epsilon(stream))} a statistic, {decimal(cost)} a sum, for one unit that "
        f"adds {amount(stream.quantity, stream.noise[0])} at most "
        f"({of.unit[terms.languages[0]]}).",
        f"A day of data may cost {decimal(of.per_day)}: room for "
        f"{count(of.per_day // cost, 'sum')} that have a part in it.",
    ]
    half, most = (budget.masked_within(stream, share) for share in (0.5, budget.MOSTLY))
    for statistic in half:
        units = [_moved(stream, statistic, steps) for steps in (half[statistic], most[statistic])]
        what = "bins" if statistic == "histogram" else f"{STATISTICS[statistic][4:]}s"
        what = "sums of squares" if statistic == "sum_squares" else what
        said.append(
            f"Noise moves half of the {what} by {units[0]} or less, 95 of 100 by {units[1]} or "
            f"less."
        )
    return said


def _moved(stream: Stream, statistic: str, steps: int) -> str:
    if statistic == "sum":
        return amount(stream.quantity, rough(steps * stream.resolution))
    steps = rough(steps)
    return f"{steps:,} steps squared" if statistic == "sum_squares" else count(steps, "reading")


def _readable(policy: Policy, stream: Stream) -> list[str]:
    """What is readable of the same quantity, in longer windows."""
    return [
        f"Readable beside it is what each node has of {each(other.window_s)} (stream "
        f"{other.number}): the mask hides when, not how much, and noise hides nothing of a sum "
        f"over the whole of it."
        for other in policy.streams
        if other.quantity == stream.quantity and other.bins is None
    ]
