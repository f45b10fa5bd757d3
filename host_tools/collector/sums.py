# SPDX-License-Identifier: MIT
"""From masked values to the sum that a token opens: plan a request, then open what it names."""

import collections
import dataclasses
import itertools

from host_tools.collector.coverage import LeftOut, MaskedPolicy, MaskedReader
from host_tools.collector.masked import definition
from host_tools.controller.documents import DAYS_MAX, MODULUS, RANGES_MAX, Request, Token
from host_tools.errors import ToolError
from host_tools.policy.figures import count as plural
from host_tools.policy.figures import duration
from host_tools.times import iso

Ranges = list[tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A request, and which nodes are not in it. policy: the newest that is; k: the smallest
    population that the policies allow."""

    request: Request
    policy: MaskedPolicy
    k: int
    left_out: list[LeftOut]


def ranges_of(from_s: int, to_s: int, every_s: int | None = None) -> Ranges:
    """The time from from_s to to_s, whole or in pieces of every_s; ToolError when that is none."""
    if to_s <= from_s:
        raise ToolError(f"{iso(to_s)} is not after {iso(from_s)}", "give an earlier --from", 2)
    if to_s - from_s > DAYS_MAX * 86_400:
        message = f"a sum is of at most {DAYS_MAX} days"
        raise ToolError(message, "take a later --from, or an earlier --to", 2)
    if every_s is None:
        return [(from_s, to_s)]
    if (to_s - from_s) % every_s:
        message = f"the time from --from to --to is not a multiple of --every {duration(every_s)}"
        raise ToolError(message, "move one of the three", 2)
    if (to_s - from_s) // every_s > RANGES_MAX:
        message = f"that is a curve of more than {RANGES_MAX} values"
        raise ToolError(message, "take a longer --every, or ask for a shorter time", 2)
    return list(itertools.pairwise(range(from_s, to_s + 1, every_s)))


def plan(reader: MaskedReader, ranges: Ranges, nodes, purpose: str | None = None) -> Plan:
    """A request for those of `nodes` that cover all ranges under one definition. purpose: by
    default the stream's own. ToolError when they are fewer than the policies ask for."""
    _check_aligned(reader, ranges)
    covering = reader.covering(sorted(set(nodes)), ranges)
    used = {node: _policies(reader, node, ids, ranges) for node, ids in covering.items()}
    chosen = _of_one_definition(reader, used)
    left_out = [
        _left_out(reader, node_id, ranges, node_id in used)
        for node_id in sorted(set(nodes) - set(chosen))
    ]
    ids = set().union(*(used[node] for node in chosen)) or reader.policies
    policies = [reader.policies[id] for id in ids]
    k = max(1, *(one.stream.k for one in policies))
    if len(chosen) < k:
        raise _too_few(len(chosen), k, left_out)
    newest = max(policies, key=lambda one: (one.version, one.id))
    request = Request(
        reader.number, tuple(ranges), tuple(sorted(chosen)),
        tuple(sorted(one.digest for one in policies)), purpose or newest.terms.purpose,
    )  # fmt: skip
    return Plan(request, newest, k, left_out)


def policy_of(reader: MaskedReader, request: Request) -> MaskedPolicy:
    """The newest policy that a request names, in this store: it says what the elements mean."""
    known = {one.digest: one for one in reader.policies.values()}
    named = [known[digest] for digest in request.policies if digest in known]
    if len(named) < len(request.policies) or not reader.is_one([one.id for one in named]):
        message = "the request names a policy that this store does not know for the stream"
        raise ToolError(message, "take the store that the request was made with")
    return max(named, key=lambda one: (one.version, one.id))


def open_sums(reader: MaskedReader, request: Request, token: Token) -> list[tuple[int, ...]]:
    """Of each range its elements, with the token's noise, signed. ToolError when the nodes do not
    cover it any more, or the token is for a stream of other elements."""
    policy = policy_of(reader, request)
    if len(token.scales) != policy.stream.elements():
        message = "the token is for a stream with other statistics than this store holds"
        raise ToolError(message, "tell the controller's office, and ask anew")
    opened = []
    for span, pads in zip(request.ranges, token.pads, strict=True):
        totals = reader.totals(request.nodes, span)
        opened.append(tuple(
            _signed((total + pad) % MODULUS) for total, pad in zip(totals, pads, strict=True)
        ))  # fmt: skip
    return opened


def _signed(number: int) -> int:
    return number - MODULUS if number >= MODULUS // 2 else number


def _check_aligned(reader: MaskedReader, ranges: Ranges):
    windows_s = sorted({one.stream.window_s for one in reader.policies.values()})
    borders = {border for span in ranges for border in span}
    for window_s in windows_s:
        if not any(border % window_s for border in borders):
            return
    border = next(border for border in sorted(borders) if border % windows_s[0])
    message = f"no window of stream {reader.number} begins at {iso(border)}"
    hint = f"its windows are {duration(windows_s[0])} each, counted from 00:00 UTC"
    raise ToolError(message, hint, 2)


def _policies(reader: MaskedReader, node_id: str, ends: set[int], ranges: Ranges) -> set[int]:
    """The rows of all policies of a node within ranges that it covers; ends: those at the ends of
    each range."""
    if len(ends) == 1:
        return ends
    return set().union(*(reader.policies_between(node_id, *span) for span in ranges))


def _of_one_definition(reader: MaskedReader, used: dict[str, set[int]]) -> list[str]:
    """The nodes whose policies define the stream in one way, the way of most of them."""
    ways = collections.defaultdict(list)
    for node_id, ids in used.items():
        if reader.is_one(ids):
            ways[definition(reader.policies[min(ids)].stream)].append(node_id)
    return max(ways.values(), key=len, default=[])


def _left_out(reader: MaskedReader, node_id: str, ranges: Ranges, covers: bool) -> LeftOut:
    if not covers:
        for span in ranges:
            found = reader.why_not(node_id, *span)
            if found is not None:
                return found
    return LeftOut(node_id, "other", ranges[0][0], ranges[-1][1])


def _too_few(count: int, k: int, left_out: list[LeftOut]) -> ToolError:
    covered = f"the whole time is covered by {plural(count, 'node')}"
    message = f"{covered}, and the policy asks for {k} or more"
    if not left_out:
        return ToolError(message, "name more nodes")
    first = left_out[0]
    hint = (
        f"take another time, or more nodes; left out: {plural(len(left_out), 'node')},"
        f" {first.node_id} for one: {first.words()}"
    )
    return ToolError(message, hint)
