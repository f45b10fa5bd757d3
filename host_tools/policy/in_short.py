# SPDX-License-Identifier: MIT
"""A policy in a few lines, for who walks past; and how its streams are named in a list."""

from typing import TYPE_CHECKING

from host_tools.policy.phrases import Phrases
from host_tools.policy.terms import Terms
from node.policy.rules import Stream

if TYPE_CHECKING:
    from host_tools.policy.sentences import StreamWords


def short(phrases: Phrases, streams: list["StreamWords"], terms: Terms) -> list[str]:
    """The whole in a few lines, for who walks past."""
    every = [phrases.every(window_s) for window_s in sorted({s.stream.window_s for s in streams})]
    said = [
        phrases.say("short", "leaves", names=phrases.list(stream_names(phrases, streams))),
        phrases.say("short", "aggregates", windows=phrases.list(lower(text) for text in every)),
        *_short_masked(phrases, streams),
        *_short_k(phrases, streams, "k"),
    ]
    noisy = _which(phrases, streams, lambda stream: bool(stream.noise) and stream.bins is None)
    if noisy:
        said.append(phrases.say("short", "noise", names=noisy))
        said += _short_k(phrases, streams, "k_noisy")
    said.append(phrases.take("short", "never"))
    days = max(terms.streams[one.stream.number].retention_days for one in streams)
    said.append(phrases.say("short", "kept", days=phrases.days(days)))
    return said


def _short_k(phrases: Phrases, streams: list["StreamWords"], key: str) -> list[str]:
    """One sentence for each k, of the streams with noise or of those without."""
    noisy = key == "k_noisy"

    def has(one: Stream) -> bool:
        return bool(one.k) and bool(one.noise) == noisy and one.bins is None

    return _by_k(phrases, streams, key, has)


def _short_masked(phrases: Phrases, streams: list["StreamWords"]) -> list[str]:
    """One sentence for each size of population."""
    return _by_k(phrases, streams, "masked", lambda one: one.bins is not None)


def _by_k(phrases: Phrases, streams: list["StreamWords"], key: str, holds) -> list[str]:
    """A sentence for each k of the streams for which it holds."""
    return [
        phrases.say("short", key, k=phrases.number(k), names=_which(
            phrases, streams, lambda one, k=k: one.k == k and holds(one)
        ))
        for k in sorted({one.stream.k for one in streams if holds(one.stream)})
    ]  # fmt: skip


def _which(phrases: Phrases, streams: list["StreamWords"], holds) -> str:
    """The names of the streams for which it holds, as one text; with their windows where it does
    not hold for another stream of that name."""
    others = {one.name for one in streams if not holds(one.stream)}
    names = [
        f"{one.name} ({lower(phrases.every(one.stream.window_s))})"
        if one.name in others else one.name
        for one in streams if holds(one.stream)
    ]  # fmt: skip
    return phrases.list(dict.fromkeys(names))


def stream_names(phrases: Phrases, streams: list["StreamWords"]) -> list[str]:
    """Of what is measured, each once; the device's health under one name."""
    names = dict.fromkeys(one.name for one in streams if not one.is_health)
    if any(one.is_health for one in streams):
        names[phrases.take("short", "own_condition")] = None
    return list(names)


def upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower(text: str) -> str:
    return text[:1].lower() + text[1:]
