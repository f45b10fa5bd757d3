# SPDX-License-Identifier: MIT
"""A request for a sum, and a sum that was opened: for a person, as CSV, and as one object."""

import dataclasses
from pathlib import Path

from host_tools.collector.coverage import REASONS, LeftOut, MaskedPolicy, MaskedReader
from host_tools.collector.sum_figures import Figure, by_noise, figures
from host_tools.collector.sums import Plan, open_sums, policy_of
from host_tools.controller.documents import Request, Token
from host_tools.policy.figures import count
from host_tools.times import iso, short

_LEFT_OUT = ("node", "reason", "from", "to")
_FIGURE = ("statistic", "unit", "value", "noise", "low", "high")
_SHOWN = 10  # nodes that are left out, of a table; the others are counted


def _left_out_rows(left_out: list[LeftOut]) -> list[tuple]:
    return [(one.node_id, REASONS[one.reason], iso(one.from_s), iso(one.to_s)) for one in left_out]


def _left_out_objects(left_out: list[LeftOut]) -> list[dict]:
    return [dict(zip(_LEFT_OUT, row, strict=True)) for row in _left_out_rows(left_out)]


def _left_out_lines(left_out: list[LeftOut]) -> list[str]:
    lines = [f"left out: {one.node_id}: {one.words()}" for one in left_out[:_SHOWN]]
    if len(left_out) > _SHOWN:
        lines.append(f"left out: {len(left_out) - _SHOWN} more")
    return lines


@dataclasses.dataclass(frozen=True)
class RequestAccount:
    """A request that was written to `path`, of what is in `store`."""

    path: Path
    store: Path
    plan: Plan

    def as_object(self) -> dict:
        request = self.plan.request
        return {
            "request": str(self.path), "digest": request.digest().hex(), "stream": request.stream,
            "population": len(request.nodes), "k": self.plan.k, "purpose": request.purpose,
            "ranges": [[iso(start), iso(end)] for start, end in request.ranges],
            "left_out": _left_out_objects(self.plan.left_out),
        }  # fmt: skip

    def rows(self) -> list[tuple]:
        """The nodes that are left out; the first is the head."""
        return [_LEFT_OUT, *_left_out_rows(self.plan.left_out)]

    def words(self) -> str:
        request = self.plan.request
        lines = [
            f"{self.path}: a request for {count(len(request.ranges), 'sum')} of"
            f" {count(len(request.nodes), 'node')} (at least {self.plan.k}), for"
            f" {request.purpose}",
            *_left_out_lines(self.plan.left_out),
            "Have the controller make a token of it (`lamppost controller token`), then:",
            f"lamppost sum --store {self.store} --request {self.path} --token FILE"
            " --controller-key FILE",
        ]
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class SumAccount:
    """sums: the figures of each range of the request."""

    path: Path
    request: Request
    token: Token
    policy: MaskedPolicy
    left_out: list[LeftOut]
    sums: list[list[Figure]]

    def as_object(self) -> dict:
        token, request = self.token, self.request
        return {
            "store": str(self.path), "stream": request.stream,
            "quantity": self.policy.stream.quantity, "window_s": self.policy.stream.window_s,
            "purpose": request.purpose, "population": token.population,
            "nodes": list(request.nodes), "left_out": _left_out_objects(self.left_out),
            "token": {
                "by": token.by, "given": iso(token.at_s), "request": token.request.hex(),
                "entry": token.entry, "head": token.head.hex(),
            },
            "sums": [
                {"from": iso(start), "to": iso(end), "figures": list(map(_object, found))}
                for (start, end), found in zip(request.ranges, self.sums, strict=True)
            ],
        }  # fmt: skip

    def rows(self) -> list[tuple]:
        """One per figure; the first is the head."""
        rows = [
            (iso(start), iso(end), *(getattr(figure, name) for name in _FIGURE))
            for (start, end), found in zip(self.request.ranges, self.sums, strict=True)
            for figure in found
        ]
        return [("from", "to", *_FIGURE), *rows]

    def parts(self) -> list:
        """What a terminal shows, one after the other."""
        token, stream = self.token, self.policy.stream
        head = (
            f"{stream.quantity} of {count(token.population, 'node')}, for {self.request.purpose}"
        )
        given = f"token {token.entry} of {token.by}, given {short(token.at_s)} UTC"
        lines = [*_left_out_lines(self.left_out), given]
        if any("±" in _shown(one) for found in self.sums for one in _in_table(found)):
            lines.append("±: the noise is within it in 19 of 20 cases")
        return [head, self._table(), "\n".join(lines)]

    def _table(self):
        """One row per range."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("from", no_wrap=True)
        table.add_column("to", no_wrap=True)
        for figure in _in_table(self.sums[0]):
            name = f"{figure.statistic}, {figure.unit}" if figure.unit else figure.statistic
            table.add_column(name, justify="right")
        for (start, end), found in zip(self.request.ranges, self.sums, strict=True):
            table.add_row(short(start), short(end), *map(_shown, _in_table(found)))
        return table


def sum_account(
    path: Path, reader: MaskedReader, request: Request, token: Token, left_out: list[LeftOut]
) -> SumAccount:
    """Opens the sum; ToolError as open_sums() has it."""
    policy = policy_of(reader, request)
    opened = open_sums(reader, request, token)
    sums = [figures(policy.stream, elements, token.scales) for elements in opened]
    return SumAccount(path, request, token, policy, left_out, sums)


def _object(figure: Figure) -> dict:
    """Numbers as numbers, and null where there is none."""
    found = dataclasses.asdict(figure)
    for name in ("value", "noise", "low", "high"):
        text = found[name]
        found[name] = None if text == "" else float(text) if "." in text else int(text)
    return found


def _in_table(found: list[Figure]) -> list[Figure]:
    """Bins have no place in it."""
    return [one for one in found if not one.statistic.startswith("bin_")]


def _shown(figure: Figure) -> str:
    if figure.low or figure.high:
        return f"{figure.low} to {figure.high}"
    if not figure.noise:
        return figure.value
    return " ± ".join(by_noise(figure.value, figure.noise))
