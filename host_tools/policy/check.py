# SPDX-License-Identifier: MIT
"""Explains a policy: what leaves, how often, how coarse, what is withheld, what a day costs."""

import dataclasses
from fractions import Fraction

from host_tools.policy import budget
from host_tools.policy.figures import STATISTICS, amount, between, count, decimal, each, joined
from host_tools.policy.guidance import Warning, unknown_kit, warnings
from host_tools.policy.masked_sentences import masked_sentences
from host_tools.policy.noise_fields import noisy
from host_tools.policy.terms import Terms
from host_tools.provisioning.kit import Kit
from node.policy.rules import COUNT_MAX, Policy, Stream


@dataclasses.dataclass(frozen=True)
class StreamReport:
    """epsilon: of a release of one value; error_half, error_most: how far noise moves half, and 95
    of 100 values at most, in the quantity's scale. None without noise. Of a masked stream: of an
    opened sum, and what a day may cost at most; masked_k: from how many nodes on it opens."""

    number: int
    quantity: str
    releases_a_day: int
    sentences: list[str]
    epsilon: Fraction | None
    epsilon_a_day: Fraction | None
    error_half: int | None
    error_most: int | None
    masked_k: int | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """What a policy lets out in a day. envelope_bytes: {size of an envelope: how many}."""

    id: str
    version: int
    streams: list[StreamReport]
    envelope_bytes: dict[int, int]
    epsilon_by_quantity: dict[str, Fraction]
    warnings: list[Warning]

    @property
    def releases(self) -> int:
        return sum(stream.releases_a_day for stream in self.streams)

    @property
    def envelopes(self) -> int:
        return sum(self.envelope_bytes.values())

    @property
    def bytes(self) -> int:
        return sum(size * number for size, number in self.envelope_bytes.items())

    @property
    def epsilon(self) -> Fraction:
        """Of a day, of all quantities: one person may count in each."""
        return sum(self.epsilon_by_quantity.values(), Fraction(0))

    def sentences(self) -> list[str]:
        """Of the whole policy."""
        sizes = sorted(self.envelope_bytes)
        size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        found = [
            f"A node releases {count(self.releases, 'record')} a day, in "
            f"{count(self.envelopes, 'message')} of {size} bytes: {self.bytes:,} bytes, without "
            f"MQTT and TLS. Number, time and size are the same whatever is measured.",
            "What no stream names does not leave.",
        ]
        if self.epsilon_by_quantity:
            parts = [f"{name} {decimal(cost)}" for name, cost in self.epsilon_by_quantity.items()]
            total = f"; in sum {decimal(self.epsilon)}" if len(parts) > 1 else ""
            most = " at most" if any(one.masked_k and one.epsilon for one in self.streams) else ""
            found.append(f"A day costs epsilon = {', '.join(parts)}{total}{most}.")
        return found

    def as_object(self) -> dict:
        """For --json: fractions as text, so that they stay exact."""
        return {
            "id": self.id,
            "version": self.version,
            "releases_a_day": self.releases,
            "messages_a_day": self.envelopes,
            "bytes_a_day": self.bytes,
            "message_bytes": sorted(self.envelope_bytes),
            "epsilon_a_day": str(self.epsilon),
            "epsilon_a_day_by_quantity": _texts(self.epsilon_by_quantity),
            "streams": [_texts(dataclasses.asdict(stream)) for stream in self.streams],
            "warnings": [dataclasses.asdict(warning) for warning in self.warnings],
        }


def check(policy: Policy, terms: Terms, kit: Kit | None = None) -> Report:
    """Of a policy that load() gave, with this kit: what is refused, it has refused."""
    return Report(
        policy.id,
        policy.version,
        [_stream(policy, stream, terms) for stream in policy.streams],
        dict(budget.envelopes_a_day(policy)),
        budget.epsilon_by_quantity(policy, terms),
        warnings(policy, terms) + (unknown_kit(policy) if kit is None else []),
    )


def _texts(values: dict) -> dict:
    return {k: str(v) if isinstance(v, Fraction) else v for k, v in values.items()}


def _stream(policy: Policy, stream: Stream, terms: Terms) -> StreamReport:
    masked = stream.bins is not None
    if masked:
        sentences = masked_sentences(policy, stream, terms)
    else:
        sentences = [_leaves(stream), _steps(stream), *_withheld(stream), *_noise(stream, terms)]
    days = terms.streams[stream.number].retention_days
    sentences.append(f"It is kept for {count(days, 'day')}.")
    has = bool(stream.noise)
    moves = has and (not masked or "sum" in stream.statistics)
    return StreamReport(
        stream.number,
        stream.quantity,
        budget.releases_a_day(stream),
        sentences,
        budget.epsilon(stream) if has else None,
        budget.epsilon_a_day(stream, terms.streams[stream.number]) if has else None,
        budget.noise_within(stream, 0.5) if moves else None,
        budget.noise_within(stream, budget.MOSTLY) if moves else None,
        stream.k if masked else None,
    )


def _leaves(stream: Stream) -> str:
    what = joined([STATISTICS[statistic] for statistic in stream.statistics])
    leave = "leave" if stream.statistics[1:] else "leaves"
    times = count(budget.releases_a_day(stream), "time")
    return f"{what[0].upper()}{what[1:]} of {each(stream.window_s)} {leave}, {times} a day."


def _steps(stream: Stream) -> str:
    if not noisy(stream.statistics):
        return f"It is a number from 0 to {COUNT_MAX:,}."
    step = amount(stream.quantity, stream.resolution)
    limits = between(stream.quantity, stream.low, stream.high)
    rest = " (the number of samples in steps of 1)" if "count" in stream.statistics else ""
    return (
        f"Values are from {limits}, in steps of {step}{rest}; what lies beyond is told as the end."
    )


def _withheld(stream: Stream) -> list[str]:
    if not stream.k:
        return []
    least = amount(stream.quantity, stream.k)
    if stream.noise:
        return [
            f"Where the noisy sum is below {least}, the record is withheld; that costs nothing."
        ]
    return [
        f"Where the sum is below {least}, the record is withheld, and looks like any other. "
        f"That is no differential privacy."
    ]


def _noise(stream: Stream, terms: Terms) -> list[str]:
    if not stream.noise:
        return []
    of = terms.streams[stream.number]
    text = of.unit[terms.languages[0]]
    half, most = (
        amount(stream.quantity, budget.noise_within(stream, share))
        for share in (0.5, budget.MOSTLY)
    )
    return [
        f"Each value has noise: epsilon = {decimal(budget.epsilon(stream))} a release, "
        f"{decimal(budget.epsilon_a_day(stream, of))} a day, for one unit that changes a value by "
        f"{amount(stream.quantity, stream.noise[0])} at most ({text}).",
        f"Noise moves half of the values by {half} or less, 95 of 100 by {most} or less.",
    ]
