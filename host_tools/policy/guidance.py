# SPDX-License-Identifier: MIT
"""What guidance says to a policy: each warning with its reason and its mend.

A warning refuses nothing: there may be a good reason. What must not be is refused when a policy is
compiled.
"""

import dataclasses
import difflib
from fractions import Fraction

from host_tools.policy import budget, masked_noise
from host_tools.policy.figures import STATISTICS, amount, decimal, duration, each, what_leaves
from host_tools.policy.noise_fields import noisy
from host_tools.policy.stream_fields import is_counted
from host_tools.policy.terms import Terms
from host_tools.provisioning.kit import kit_names
from node.policy.rules import DAY_S, Policy, Stream

K_USUAL, K_FLOOR = 10, 5
K_DWELLINGS = 15
EPSILON_DAY_MAX = Fraction(1)
PLACE_FINE_M = 10
RETENTION_LONG_DAYS = 730
# What tells of the appliances behind a meter.
LOAD = (
    "energy_mwh", "energy_total_mwh", "power_mw", "current_ma", "power_factor_permille",
    "net_power_mw", "energy_export_mwh", "energy_import_total_mwh", "energy_export_total_mwh",
    "current_l1_ma", "current_l2_ma", "current_l3_ma", "gas_dm3",
)  # fmt: skip
# Quantities of which one nearly tells the other.
RELATED = (
    ("energy_mwh", "energy_total_mwh", "power_mw", "current_ma", "net_power_mw",
     "energy_import_total_mwh", "current_l1_ma", "current_l2_ma", "current_l3_ma"),
    ("energy_export_mwh", "energy_export_total_mwh", "net_power_mw"),
    ("dc_power_mw", "dc_current_ma", "dc_energy_mwh"),
    ("pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3"),
    ("vehicles", "vehicles_approaching", "vehicles_receding", "vehicle_speed_mmps",
     "occupancy_permille"),
)  # fmt: skip
# What people or their vehicles do, and no count that k or noise protects: the shortest window in
# which it is of many, or of none of them in particular.
DONE_S = {
    "occupancy_permille": 3600, "vehicle_speed_mmps": 3600,
    "contact_closed": 21_600, "contact_closures": DAY_S,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Warning:
    """stream: its number, or None for the whole policy; code: the same words for machines."""

    code: str
    stream: int | None
    what: str
    why: str
    mend: str


def warnings(policy: Policy, terms: Terms) -> list[Warning]:
    """In the order of the streams; those of the whole policy last."""
    found = []
    for stream in policy.streams:
        if stream.bins is not None:
            found += _masked(stream) + _masked_noise(stream)
        else:
            if is_counted(stream.quantity):
                found += _counted(stream)
            found += _load(stream) + _done(stream) + _noise(stream)
        found += _overlaps(policy, stream) + _related(policy, stream)
        found += _retention(stream, terms)
    return found + _epsilon(policy, terms) + _place(terms)


def unknown_kit(policy: Policy) -> list[Warning]:
    """Of a kit that nobody showed, and whose name is nearly that of one that comes with Lamppost:
    a node of another kit takes no policy for it."""
    near = difflib.get_close_matches(policy.kit, kit_names(), 1, 0.75)
    if policy.kit in kit_names() or not near:
        return []
    return [Warning(
        "unknown-kit", None, f"no kit {policy.kit!r} comes with Lamppost, but {near[0]!r} does",
        "a node takes only a policy that is for its own kit",
        f'write kit = "{near[0]}", or give your own kit with --kit',
    )]  # fmt: skip


def _counted(stream: Stream) -> list[Warning]:
    found = []
    if not stream.k and not stream.noise:
        found.append(Warning(
            "unprotected-count", stream.number,
            f"{stream.quantity} leaves with neither k nor noise",
            "at night a single passage shows in the count",
            f"give it k = {K_USUAL}, or noise",
        ))  # fmt: skip
    if 0 < stream.k < K_USUAL and not stream.noise:  # with noise, privacy does not rest on k
        below = f"below the floor of {K_FLOOR}" if stream.k < K_FLOOR else f"below {K_USUAL}"
        found.append(Warning(
            "low-k", stream.number, f"k = {stream.k} is {below}",
            f"{K_USUAL} is usual, {K_FLOOR} the least: fewer may be known to each other",
            f"take k = {K_USUAL}",
        ))  # fmt: skip
    if stream.k and not stream.noise:
        found.append(Warning(
            "k-is-not-dp", stream.number, "k without noise is no differential privacy",
            "that a count was withheld tells that it was below k, and who knows all passages but "
            "one learns that one from an exact count",
            "add noise, or see that nobody can know the other passages",
        ))  # fmt: skip
    single = [s for s in noisy(stream.statistics) if s != "sum"]
    if single and not stream.noise:
        found.append(Warning(
            "single-samples", stream.number, what_leaves(stream.quantity, single),
            "it tells of one sampling interval, which k does not protect",
            'leave statistics at ["sum"]',
        ))  # fmt: skip
    return found


def _masked(stream: Stream) -> list[Warning]:
    """Of a masked stream, k is the smallest population that opens."""
    found = []
    usual = K_DWELLINGS if stream.quantity in LOAD else K_USUAL
    if stream.k < usual:
        found.append(Warning(
            "low-k", stream.number, f"a sum opens from k = {stream.k} nodes on, below {usual}",
            f"{K_DWELLINGS} is usual of dwellings (15/15 rule), {K_USUAL} of others, {K_FLOOR} is "
            "the least: fewer may be known to each other",
            f"take k = {usual}",
        ))  # fmt: skip
    if not stream.noise:
        found.append(Warning(
            "k-is-not-dp", stream.number, f"sums of {stream.k} nodes open without noise",
            "who knows all nodes of a sum but one, say that they measured nothing after a power "
            "cut, learns that one exactly",
            "add noise, or see that nobody can know the others",
        ))  # fmt: skip
    return found


def _masked_noise(stream: Stream) -> list[Warning]:
    """Against the most that the smallest population could give in one window."""
    if not stream.noise:
        return []
    readings = stream.k * stream.window_s  # one a second at most
    most = {
        "sum": readings * (stream.limits("sum")[1] - stream.limits("sum")[0]),
        "sum_squares": readings * masked_noise.largest_step(stream) ** 2,
        "histogram": readings,
    }
    return [
        Warning(
            "useless-noise", stream.number,
            f"noise on {STATISTICS[statistic]} is a quarter or more of all that {stream.k} nodes "
            f"could give in {duration(stream.window_s)}",
            "what opens then tells next to nothing",
            "take a lower contribution, a higher epsilon, finer steps or fewer statistics",
        )
        for statistic, half in budget.masked_within(stream, 0.5).items()
        if half * 4 >= most[statistic]
    ]  # fmt: skip


def _load(stream: Stream) -> list[Warning]:
    if stream.quantity not in LOAD or stream.window_s >= DAY_S or stream.noise:
        return []
    return [Warning(
        "fine-energy", stream.number,
        f"{stream.quantity} leaves {each(stream.window_s)}, finer than daily",
        "of one dwelling, values of 15 or 30 min are personal data: they tell who is at home; of "
        "at least 15 premises, none with more than 15 % of the sum, they are not (15/15 rule)",
        "for a dwelling take window_s = 86400; for a feeder see that the 15/15 rule holds",
    )]  # fmt: skip


def _done(stream: Stream) -> list[Warning]:
    shortest_s = DONE_S.get(stream.quantity, 0)
    if stream.window_s >= shortest_s or stream.noise:
        return []
    return [Warning(
        "fine-doings", stream.number,
        f"{stream.quantity} leaves {each(stream.window_s)}, finer than {each(shortest_s)}",
        "in a quiet time it tells when one person came by, or opened the door",
        f"take window_s = {shortest_s} or longer",
    )]  # fmt: skip


def _noise(stream: Stream) -> list[Warning]:
    if not stream.noise:
        return []
    half = budget.noise_within(stream, 0.5)
    if half * 4 < stream.high - stream.low:
        return []
    return [Warning(
        "useless-noise", stream.number,
        f"noise moves half of the values by {amount(stream.quantity, half)} or more",
        "that is a quarter of the range or more: the values tell next to nothing",
        "take a longer window_s, a contribution, a narrower range or fewer statistics",
    )]  # fmt: skip


def _overlaps(policy: Policy, stream: Stream) -> list[Warning]:
    found = []
    for other in policy.streams:
        short, long = sorted((stream.window_s, other.window_s))
        if other.quantity != stream.quantity or other.number >= stream.number or stream.noise:
            continue
        if stream.bins is not None or other.bins is not None:
            continue  # together.py refuses what tells
        if long % short:
            found.append(Warning(
                "overlap", stream.number,
                f"windows of {duration(stream.window_s)} overlap those of "
                f"{duration(other.window_s)} (stream {other.number})",
                "the difference of two releases tells of a part that neither was to tell of",
                "let the longer be a multiple of the shorter",
            ))  # fmt: skip
    return found


def _related(policy: Policy, stream: Stream) -> list[Warning]:
    if stream.noise or stream.bins is not None:
        return []
    return [*_related_masked(policy, stream), *(
        Warning(
            "related", stream.number,
            f"{stream.quantity} leaves without noise beside {other.quantity} with noise "
            f"(stream {other.number})",
            "one nearly tells the other, so the noise hides nothing and its epsilon does not hold",
            "give noise to both or to neither",
        )
        for other in policy.streams
        if other.noise and other.bins is None and _is_related(stream, other)
    )]  # fmt: skip


def _related_masked(policy: Policy, stream: Stream) -> list[Warning]:
    return [
        Warning(
            "related", stream.number,
            f"{stream.quantity} leaves readable {each(stream.window_s)} beside {other.quantity}, "
            f"which is masked (stream {other.number})",
            "one nearly tells the other, so the mask hides nothing",
            f"mask both, or take a window_s longer than {other.window_s}",
        )
        for other in policy.streams
        if other.bins is not None and stream.window_s <= other.window_s
        and _is_related(stream, other)
    ]  # fmt: skip


def _is_related(stream: Stream, other: Stream) -> bool:
    """Of two quantities."""
    both = {stream.quantity, other.quantity}
    return len(both) == 2 and any(both <= set(related) for related in RELATED)


def _retention(stream: Stream, terms: Terms) -> list[Warning]:
    days = terms.streams[stream.number].retention_days
    if days <= RETENTION_LONG_DAYS:
        return []
    return [Warning(
        "long-retention", stream.number, f"it is kept for {days:,} days",
        "what is kept longer than it is needed can be linked with what is learnt later",
        f"keep it for {RETENTION_LONG_DAYS} days or fewer, and aggregates after that",
    )]  # fmt: skip


def _epsilon(policy: Policy, terms: Terms) -> list[Warning]:
    return [
        Warning(
            "high-epsilon", None, f"a day of {quantity} costs epsilon = {decimal(cost)}",
            "up to 1 a day is commonly called strong, up to 10 moderate",
            "take a longer window_s, fewer statistics, a smaller epsilon, or of a masked stream a "
            "smaller per_day",
        )
        for quantity, cost in budget.epsilon_by_quantity(policy, terms).items()
        if cost > EPSILON_DAY_MAX
    ]  # fmt: skip


def _place(terms: Terms) -> list[Warning]:
    if terms.place_precision_m >= PLACE_FINE_M:
        return []
    return [Warning(
        "fine-place", None, f"the register tells the place to {terms.place_precision_m} m",
        "that is a front door: what is measured is then of those who live there",
        f"take place_precision_m = {PLACE_FINE_M} or more",
    )]  # fmt: skip
