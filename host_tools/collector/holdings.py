# SPDX-License-Identifier: MIT
"""What a store holds, for how long and why, for a person."""

import collections

from host_tools.collector.read_store import Holding
from host_tools.policy.figures import streams
from host_tools.times import short


def holdings_table(holdings: list[Holding]):
    """A node is named in its first row. Days do: what goes is counted in them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("node", "stream", "quantity", "held", "oldest", "kept for", "goes on"):
        justify = "right" if name in ("stream", "held", "kept for") else "left"
        table.add_column(name, justify=justify, no_wrap=True)
    before = None
    for one in holdings:
        table.add_row(
            "" if one.node_id == before else one.node_id, str(one.stream), one.quantity,
            str(one.values), short(one.oldest_s)[:10], f"{one.retention_days} days",
            short(one.goes_s)[:10],
        )  # fmt: skip
        before = one.node_id
    return table


def why_held(holdings: list[Holding]) -> str:
    """For which purpose, and on which basis, each policy's streams are kept."""
    why = collections.defaultdict(set)
    for one in holdings:
        why[one.policy, one.version, one.purpose, one.legal_basis].add(one.stream)
    return "\n".join(
        f"{policy} version {version}, {streams(sorted(numbers))}: {purpose}, {basis}"
        for (policy, version, purpose, basis), numbers in why.items()
    )
