# SPDX-License-Identifier: MIT
"""Says in the words of one language what a policy lets out and what never leaves: the page and the
data chain are both made from this, so they say the same.

Each sentence is made from the rules, the terms or the kit alone. What a sensor senses and keeps to
itself stands beside its part in node/drivers/registry.py.
"""

import dataclasses
import datetime
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.policy import budget
from host_tools.policy.figures import rough
from host_tools.policy.in_short import lower, short, stream_names, upper
from host_tools.policy.load import load
from host_tools.policy.masked_words import masked_facts
from host_tools.policy.phrases import Phrases
from host_tools.policy.terms import StreamTerms, Terms
from host_tools.policy.together import SINGLE
from host_tools.provisioning.kit import Kit, load_kit
from node.drivers.registry import PARTS
from node.pipeline.health import HEALTH
from node.pipeline.quantities import QUANTITIES
from node.policy.rules import Policy, Stream

# Said of every kit; but of one whose sensor hears sound or an identifier, only the second of each.
_ALWAYS = {"images": ("sound", "images_alone"), "identity": ("addresses", "identity_else")}


@dataclasses.dataclass(frozen=True)
class StreamWords:
    """What is told of one stream. facts: (kind, sentences) in the order of telling; the kinds are
    those of [fact] in the phrases. noise_limit: what the noise mostly stays within, in the
    quantity's scale, or None."""

    stream: Stream
    interval_s: int
    name: str
    facts: list[tuple[str, list[str]]]
    noise_limit: int | None

    @property
    def is_health(self) -> bool:
        return self.stream.quantity in HEALTH

    @property
    def heading(self) -> str:
        return upper(self.name)

    def fact(self, kind: str) -> str:
        """The sentences of a kind as one text; empty when there are none."""
        return " ".join(dict(self.facts).get(kind, ()))


@dataclasses.dataclass(frozen=True)
class Shared:
    """Why and who, of all streams that agree in it. names: of them."""

    names: str
    purpose: str
    legal_basis: str
    recipients: str
    retention: str
    retention_days: int


@dataclasses.dataclass(frozen=True)
class Words:
    """A notice in one language. never: (key, sentence), and the quantities that it names."""

    phrases: Phrases
    policy: Policy
    title: str
    controller: str
    contact: str
    short: list[str]
    streams: list[StreamWords]
    never: list[tuple[str, str, list[str]]]
    shared: list[Shared]
    place: str
    validity: str
    version: str


def read_inputs(
    path: Path, kit: str | None = None, key: Path | None = None
) -> tuple[Policy, Terms, Kit]:
    """What a notice is made from: a policy's file, and the kit that it is for, by name or path; by
    default the one that the policy names. Checked against each other. key: see load."""
    policy, _ = load(path, key=key)
    found = load_kit(policy.kit if kit is None else kit)
    if found.name != policy.kit:
        message = f"{path}: the policy is for kit {policy.kit!r}, not {found.name!r}"
        raise ToolError(message, "give that kit with --kit")
    return *load(path, found, key=key), found


def words(policy: Policy, terms: Terms, kit: Kit, language: str) -> Words:
    """ToolError when a phrase is missing, or the kit has a sensor of which nothing is known."""
    if language not in terms.languages:
        known = ", ".join(terms.languages)
        raise ToolError(f"the policy has no texts in {language!r}", f"it has {known}")
    phrases = Phrases(language)
    streams = [
        _stream_words(phrases, policy, stream, terms.streams[stream.number], kit)
        for stream in policy.streams
    ]
    first, last = (
        datetime.datetime.fromtimestamp(second, datetime.UTC).date()
        for second in (policy.from_s, policy.until_s - 1)
    )
    return Words(
        phrases=phrases,
        policy=policy,
        title=terms.title[language],
        controller=terms.controller_name[language],
        contact=terms.controller_contact,
        short=short(phrases, streams, terms),
        streams=streams,
        never=_never(phrases, policy, kit),
        shared=_shared(phrases, streams, terms),
        place=phrases.say("why", "place", terms.place_precision_m),
        validity=phrases.say(
            "check", "validity", first=phrases.date(first), last=phrases.date(last)
        ),
        version=phrases.say("check", "version", id=policy.id, version=policy.version),
    )


def noise_limit(stream: Stream) -> int | None:
    """What the noise of a value, of a masked stream that of a sum, mostly stays within, in the
    quantity's scale; never told as less than 1. None without."""
    if not stream.noise or (stream.bins is not None and "sum" not in stream.statistics):
        return None
    limit = max(1, budget.noise_within(stream, budget.MOSTLY))
    return limit if stream.bins is None else rough(limit)


def _stream_words(
    phrases: Phrases, policy: Policy, stream: Stream, terms: StreamTerms, kit: Kit
) -> StreamWords:
    interval_s = kit.intervals_s().get(stream.quantity)
    if interval_s is None:
        message = f"the policy has {stream.quantity}, which no sensor of kit {kit.name!r} measures"
        raise ToolError(message, "give the kit with --kit")
    facts = [
        ("sent", _sent(phrases, stream, interval_s)),
        *_enforced(phrases, policy, stream, terms),
        ("why", [terms.why[phrases.language]]),
    ]
    return StreamWords(
        stream=stream,
        interval_s=interval_s,
        name=_name(phrases, stream),
        facts=[(kind, sentences) for kind, sentences in facts if sentences],
        noise_limit=noise_limit(stream),
    )


def _name(phrases: Phrases, stream: Stream) -> str:
    """A masked stream is called otherwise than a readable one of its quantity."""
    name = phrases.quantity(stream.quantity)
    return name if stream.bins is None else phrases.say("stream", "masked_name", name=name)


def _enforced(phrases: Phrases, policy: Policy, stream: Stream, terms: StreamTerms) -> list:
    """The facts of how exact it is, and what protects it."""
    if stream.bins is not None:
        return masked_facts(phrases, policy, stream, terms, noise_limit(stream))
    return [
        ("steps", _steps(phrases, stream)),
        ("noise", _noise(phrases, stream, terms)),
        ("k", _withheld(phrases, policy, stream)),
    ]


def _sent(phrases: Phrases, stream: Stream, interval_s: int) -> list[str]:
    statistics = [phrases.take("statistic", statistic) for statistic in stream.statistics]
    sent = phrases.say(
        "stream", "sent", len(statistics),
        every=phrases.every(stream.window_s), statistics=phrases.list(statistics),
    )  # fmt: skip
    return [sent, phrases.say("stream", "measured", every=lower(phrases.every(interval_s)))]


def _steps(phrases: Phrases, stream: Stream) -> list[str]:
    """A count of readings is not rounded, and has no limits of the policy."""
    if stream.statistics == ("count",):
        return []
    quantity = stream.quantity
    _, _, lowest, highest = QUANTITIES[quantity]
    said = [phrases.say("stream", "steps", step=phrases.value(quantity, stream.resolution))]
    if stream.low > lowest or (stream.noise and not stream.k):
        said.append(phrases.say("stream", "low", low=phrases.value(quantity, stream.low)))
    if stream.high < highest or "sum" in stream.statistics or stream.noise:
        said.append(phrases.say("stream", "high", high=phrases.value(quantity, stream.high)))
    return said


def _withheld(phrases: Phrases, policy: Policy, stream: Stream) -> list[str]:
    if not stream.k:
        return []
    key = "k_noisy" if stream.noise else "k"
    said = [phrases.say("stream", key, k=phrases.number(stream.k))]
    parts = [
        other for other in policy.streams
        if other.quantity == stream.quantity and other.k and other.bins is None
        and other.window_s < stream.window_s
    ]  # fmt: skip
    if parts and not stream.noise:
        said.append(phrases.say("stream", "k_parts"))
    return said


def _noise(phrases: Phrases, stream: Stream, terms: StreamTerms) -> list[str]:
    if not stream.noise:
        return []
    high = phrases.value(stream.quantity, noise_limit(stream))
    return [
        phrases.say("stream", "noise", high=high),
        phrases.say(
            "stream", "epsilon", unit=terms.unit[phrases.language],
            value=budget.epsilon(stream), day=budget.epsilon_a_day(stream),
        ),
    ]  # fmt: skip


def _never(phrases: Phrases, policy: Policy, kit: Kit) -> list[tuple[str, str, list[str]]]:
    named = {stream.quantity for stream in policy.streams}
    intervals_s = kit.intervals_s()
    silent = [quantity for quantity in intervals_s if quantity not in named]
    said = []
    if all(stream.window_s > intervals_s[stream.quantity] for stream in policy.streams):
        single = any(set(SINGLE) & set(stream.statistics) for stream in policy.streams)
        key = "readings_but" if single else "readings"
        said.append((key, phrases.take("never", key), []))
    if any(stream.bins is not None for stream in policy.streams):
        said.append(("masked", phrases.take("never", "masked"), []))
    for key, of_health in (("unnamed", False), ("unnamed_health", True)):
        names = [quantity for quantity in silent if (quantity in HEALTH) == of_health]
        if names:
            text = phrases.list(phrases.quantity(quantity) for quantity in names)
            said.append((key, phrases.say("never", key, names=text), names))
    senses = [key for entry in kit.data["sensors"] for key in PARTS[entry["part"]][1]]
    always = [but if sensed in senses else key for key, (sensed, but) in _ALWAYS.items()]
    for key in [*dict.fromkeys(senses), *always, "else"]:
        said.append((key, phrases.take("never", key), []))
    return said


def _shared(phrases: Phrases, streams: list[StreamWords], terms: Terms) -> list[Shared]:
    groups: dict[tuple, list[StreamWords]] = {}
    for one in streams:
        of = terms.streams[one.stream.number]
        recipients = phrases.list(text[phrases.language] for text in of.recipients)
        key = (of.purpose, of.legal_basis, recipients, of.retention_days)
        groups.setdefault(key, []).append(one)
    all_values = phrases.take("why", "all")
    return [
        Shared(
            names=upper(
                phrases.list(stream_names(phrases, group)) if len(groups) > 1 else all_values
            ),
            purpose=phrases.purpose(purpose),
            legal_basis=phrases.legal_basis(legal_basis),
            recipients=recipients,
            retention=phrases.say("why", "retention", days),
            retention_days=days,
        )
        for (purpose, legal_basis, recipients, days), group in groups.items()
    ]
