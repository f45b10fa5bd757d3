# SPDX-License-Identifier: MIT
"""Nodes whose values are known here, a store that adds up what they mask, and a controller that is
asked for tokens: what people get of it who put together what each was given."""

import random
from pathlib import Path

from host_tools.controller import rules
from tests.host_tools.controller_fixture import (
    STREAM,
    Office,
    ask_for,
    masked_sum,
    opened,
    terms,
)

WINDOWS = 8
K = 6


class Town:
    """nodes: of one policy; values: {node: what it measured in each window}."""

    def __init__(self, folder: Path, count: int, seed: int = 1, streams=(STREAM,), **fields):
        self.office = Office(folder)
        fields = {"k": K, "noise": None, "streams": streams, **fields}
        self.policy = self.office.allow(terms(streams=streams), **fields)
        self.nodes = self.office.nodes(count, self.policy, streams=streams)
        chance = random.Random(seed)
        self.values = {
            node.node_id: [chance.randrange(1, 100_000) for _ in range(WINDOWS)]
            for node in self.nodes
        }

    def true(self, nodes, *spans) -> list[int]:
        return [sum(sum(self.values[n.node_id][a:b]) for n in nodes) for a, b in spans]

    def open(self, nodes, *spans, by="one office", stream=STREAM, policies=None) -> list[int]:
        """The sums that a token opens; rules.Refusal when there is none."""
        request = ask_for(nodes, policies or [self.policy], *spans, stream=stream)
        token = self.office.token(request, by)
        found = []
        for (a, b), borders, pads in zip(spans, request.ranges, token.pads, strict=True):
            truth = {n.node_id: [15 * (b - a), sum(self.values[n.node_id][a:b])] for n in nodes}
            found.append(opened(masked_sum(nodes, borders, stream, truth), pads)[1])
        return found


def refused(attack, *arguments, **options) -> str | None:
    """The rule that ends an attack; None when nothing does."""
    try:
        attack(*arguments, **options)
    except rules.Refusal as err:
        return err.rule
    return None


def without(monkeypatch, *names: str):
    """A controller that lacks these rules."""
    left = tuple(rule for rule in rules.RULES if rule.__name__ not in names)
    assert len(left) == len(rules.RULES) - len(names)
    monkeypatch.setattr(rules, "RULES", left)
