# SPDX-License-Identifier: MIT
"""Whether a sum may be opened. Each rule is a function that refuses, in words and with the next
step, or lets go on; RULES has their order. None looks at a value: there is none here.

A refusal says nothing that the request did not: who asks knows its nodes, ranges and policies.
"""

import sqlite3
from collections import defaultdict
from fractions import Fraction
from functools import cached_property

from host_tools.controller import groups, ledger
from host_tools.controller.documents import Request
from host_tools.controller.key_vault import Keys
from host_tools.controller.mask_tree import leaf_index
from host_tools.controller.policies import Allowed, Policies
from host_tools.errors import ToolError
from host_tools.policy.masked_fields import K_MIN
from host_tools.policy.masked_noise import scales, token_epsilon
from host_tools.times import iso
from node.policy.rules import DAY_S, Stream


class Refusal(ToolError):
    """rule: its name in RULES, or "form" for what is no request."""

    def __init__(self, rule: str, message: str, hint: str):
        super().__init__(message, hint)
        self.rule = rule


class Case:
    """A request, and what is known when it is judged. named, governing, stream: set by the rules
    as they go on; what is derived of them is for the rules after these."""

    def __init__(
        self, request: Request, now_s: int, keys: Keys, policies: Policies, db: sqlite3.Connection
    ):
        self.request, self.now_s, self.keys = request, now_s, keys
        self.policies, self.db = policies, db
        self.named: list[Allowed] = []
        self.governing: list[Allowed] = []
        self.stream: Stream | None = None
        self.population = ledger.population_digest(request.nodes)
        self._bits = {}

    @property
    def span(self) -> tuple[int, int]:
        return self.request.ranges[0][0], self.request.ranges[-1][1]

    def streams(self) -> list[Stream]:
        return [one.masked(self.request.stream) for one in self.governing]

    @cached_property
    def k(self) -> int:
        """Never below what a policy may say: who signs one may have used another compiler."""
        return max(K_MIN, *(stream.k for stream in self.streams()))

    @cached_property
    def scales(self) -> ledger.Scales:
        """Of each element, the widest that a governing policy wants."""
        columns = zip(*(scales(stream) for stream in self.streams()), strict=True)
        widest = [max((s for s in column if s), default=None) for column in columns]
        return tuple(None if s is None else (s.numerator, s.denominator) for s in widest)

    @cached_property
    def cost(self) -> Fraction:
        """What each range costs, by the dearest of the governing policies."""
        return max(token_epsilon(stream) for stream in self.streams())

    @cached_property
    def fresh(self) -> list[ledger.Span]:
        """The ranges that were not answered before with this noise."""
        known = ledger.known_spans(
            self.db, self.request.stream, self.span, self.population, self.scales
        )
        return [span for span in self.request.ranges if span not in known]

    def bits(self, digest: bytes | None = None) -> int:
        """The population of this digest, or the one that asks, as bits: one for each node that
        came up."""
        ids = self.request.nodes if digest is None else ledger.population(self.db, digest)
        places = [self._bits.setdefault(node, len(self._bits)) for node in ids]
        row = bytearray(max(places) // 8 + 1)
        for place in places:
            row[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(row, "little")


def judge(case: Case) -> ledger.Charge:
    """What the answer costs; Refusal names the first rule that is broken."""
    for rule in RULES:
        rule(case)
    fresh = tuple(case.fresh)
    stream, population = case.request.stream, case.population
    return ledger.Charge(stream, fresh, population, case.scales, case.cost, case.k)


def node(case: Case):
    """Every node is one of this controller, with a tree for the stream."""
    for node_id in case.request.nodes:
        known = case.keys.nodes.get(node_id)
        if known is None or case.request.stream not in known.roots:
            raise Refusal(
                "node",
                f"this controller has no root of node {node_id} for stream {case.request.stream}",
                "leave the node out, or have the vault send its roots: lamppost controller add",
            )


def policy(case: Case):
    """Every named policy was allowed here, and is that of a node; every node has one."""
    for digest in case.request.policies:
        one = case.policies.by_digest.get(digest)
        if one is None:
            raise Refusal(
                "policy",
                f"this controller was not given the policy {digest.hex()[:16]}…",
                "send it the published file: lamppost controller allow FILE.policy",
            )
        case.named.append(one)
    nodes = (case.keys.nodes[node_id] for node_id in case.request.nodes)
    lines = {(known.policy, known.kit) for known in nodes}
    named = {one.line for one in case.named}
    if lines != named:
        title = " for kit ".join(min(named - lines or lines - named))
        wrong = "is of none of the nodes" if named - lines else "is not named, and a node has it"
        raise Refusal("policy", f"policy {title} {wrong}", "name the policies of these nodes")
    later = case.policies.later(case.named, case.span[1])
    earlier = case.policies.earlier(case.named, case.request.stream, case.span)
    case.governing = [*case.named, *later, *(one for one in earlier if one not in later)]


def masked(case: Case):
    """All governing policies mask the stream, in one way."""
    number = case.request.stream
    for one in case.governing:
        stream = one.masked(number)
        if stream is None:
            replaced = "" if one in case.named else ", which holds in the range as well,"
            message = f"{one.title}{replaced} does not mask stream {number}"
            raise Refusal("masked", message, "ask for a stream, or days, that it covers")
        if case.stream is not None and _form(stream) != _form(case.stream):
            message = f"{one.title} measures stream {number} in another way than the others"
            raise Refusal("masked", message, "ask for the time of each way by itself")
        case.stream = case.stream or stream


def _form(stream: Stream):
    return (stream.quantity, stream.window_s, stream.statistics, stream.bins, stream.resolution,
            stream.low, stream.high)  # fmt: skip


def purpose(case: Case):
    """It is asked for what the policies say that the stream is for."""
    for one in case.governing:
        if one.terms[case.request.stream].purpose != case.request.purpose:
            message = f"{one.title} does not allow this purpose for stream {case.request.stream}"
            raise Refusal("purpose", message, "see `lamppost policy show` for the purpose it has")


def window(case: Case):
    """Ranges begin and end where windows do."""
    length_s = case.stream.window_s
    if any(border % length_s for span in case.request.ranges for border in span):
        message = f"a range does not begin and end with a window of {length_s:,} s"
        raise Refusal("window", message, f"take multiples of {length_s:,} s, counted in UTC")


def days(case: Case):
    """The named policies permit all of it, and every tree has begun."""
    asked = groups.joined(case.request.ranges)
    for line in {one.line for one in case.named}:
        permitted = groups.joined(
            (one.policy.from_s, one.policy.until_s) for one in case.named if one.line == line
        )
        for start, end in asked:
            if not any(first <= start and end <= last for first, last in permitted):
                message = f"the days of {line[0]} do not cover the range that begins {iso(start)}"
                raise Refusal("days", message, "name all versions it was measured under")
    for node_id in case.request.nodes:
        day0 = case.keys.nodes[node_id].day0
        if None in (leaf_index(case.span[0], day0), leaf_index(case.span[1], day0)):
            message = f"the range begins before node {node_id} did, or ends after its tree"
            hint = f"begin on {iso(day0 * DAY_S)[:10]} or later, or leave it out"
            raise Refusal("days", message, hint)


def past(case: Case):
    """Nothing is opened ahead: a policy may yet be replaced by a stricter one."""
    if case.span[1] > case.now_s + case.keys.ahead_s:
        message = f"the range ends {iso(case.span[1])}, which is not over"
        raise Refusal("past", message, "ask when it is over")


def population(case: Case):
    """At least k nodes."""
    count = len(case.request.nodes)
    if count < case.k:
        message = f"these are {count} nodes, and a sum opens from {case.k}"
        raise Refusal("population", message, "ask for a larger area: no fewer are opened")


def restored(case: Case):
    """What was answered before the ledger came back from a backup is not known whole."""
    row = case.db.execute(
        "SELECT max(time_s) FROM log WHERE verb = ?", (ledger.RESTORED,)
    ).fetchone()
    fresh = case.fresh
    if row[0] is not None and fresh and fresh[0][0] < row[0] + case.keys.ahead_s:
        message = f"this controller's ledger was restored on {iso(row[0])}: what it answered just"
        hint = "ask for what came after, or for a range that it answered before"
        raise Refusal("restored", f"{message} before is not known", hint)


def budget(case: Case):
    """On no day of data, and for no node, more epsilon than the policies permit."""
    fresh, cost = case.fresh, case.cost
    if not cost or not fresh:
        return
    per_day = min(
        one.terms[case.request.stream].per_day or Fraction(0)
        for one in case.governing
        if one.masked(case.request.stream).noise
    )
    asked = defaultdict(int)
    for start, end in fresh:
        for day in range(start // DAY_S, (end - 1) // DAY_S + 1):
            asked[day] += 1
    spent = _spent(case, min(asked), max(asked))
    own, known = case.bits(), {}
    for day, times in sorted(asked.items()):
        key = times, tuple(sorted(spent[day].items()))
        if key not in known:
            before = groups.most_spent(own, [(case.bits(d), c) for d, c in key[1]])
            known[key] = before + times * cost
        if known[key] > per_day:
            message = (
                f"{iso(day * DAY_S)[:10]} would cost {known[key]} epsilon with what was opened "
                f"before, and {per_day} is the most"
            )
            raise Refusal("budget", message, "ask for fewer or longer ranges of that day")


def _spent(case: Case, first: int, last: int) -> dict[int, dict[bytes, Fraction]]:
    """{day: {population: epsilon}} of the stream."""
    found = defaultdict(lambda: defaultdict(Fraction))
    bounds = first * DAY_S, (last + 1) * DAY_S
    for digest, start, end, cost in ledger.charges_between(case.db, case.request.stream, *bounds):
        for day in range(max(first, start // DAY_S), min(last, (end - 1) // DAY_S) + 1):
            found[day][digest] += cost
    return found


def differencing(case: Case):
    """Nothing that is answered cuts out fewer than k nodes: see groups.py. Whatever the stream,
    since what one quantity tells of a node another may tell as well."""
    fresh = case.fresh
    if not fresh:
        return
    answered = defaultdict(list)
    rows = ledger.answered_between(case.db, fresh[0][0], fresh[-1][1])
    for digest, k, start, end in rows:
        answered[digest, k].append((start, end))
    own = case.bits()
    others = [(case.bits(digest), k, spans) for (digest, k), spans in answered.items()]
    try:
        if not groups.isolates(own, case.k, fresh, others):
            return
        message = f"with sums that were opened before, this one would tell of fewer than {case.k}"
        message += " nodes"
    except groups.TooManyError:
        message = "too many other populations were opened for that time to compare this one with"
    hint = "ask for the same nodes as before, or for an area that differs by many"
    raise Refusal("differencing", message, hint)


RULES = (node, policy, masked, purpose, window, days, past, population, restored, budget,
         differencing)  # fmt: skip
