# SPDX-License-Identifier: MIT
"""What one version of a policy lets out that another did not, and what less: in words.

Texts are compared in all languages. Told is what the first of the new version says that the old
has, too; where another language differs, it is named.
"""

import dataclasses
import datetime
from collections import Counter

from host_tools.policy import budget
from host_tools.policy.figures import amount, between, count, decimal, each, what_leaves
from host_tools.policy.terms import Terms, Text
from node.policy.rules import DAY_S, Policy, Stream

MORE, LESS, OTHER = "more", "less", "other"


@dataclasses.dataclass(frozen=True)
class Difference:
    """kind: MORE leaves, or to more people, or for longer; LESS; or OTHER. stream: its number in
    the new version (in the old where it is gone), or None."""

    kind: str
    stream: int | None
    field: str
    text: str


def differences(old: tuple[Policy, Terms], new: tuple[Policy, Terms]) -> list[Difference]:
    """Those of the whole policy first, then by stream."""
    found = _Found(None)
    _heads(found, old[0], new[0])
    _terms(found, old[1], new[1])
    listed = found.listed
    before = {stream.number: stream for stream in old[0].streams}
    after = {stream.number: stream for stream in new[0].streams}
    for number in sorted(before.keys() | after.keys()):
        found = _Found(number)
        was, now = before.get(number), after.get(number)
        if was is not None and (now is None or now.quantity != was.quantity):
            found.add(LESS, "stream", f"{what_leaves(was.quantity, was.statistics)} no more")
            was = None
        if was is None and now is not None:
            found.add(MORE, "stream", f"new: {_all(now)}")
        elif now is not None:
            _rules(found, was, now)
            _noise(found, was, now)
            _stream_terms(found, old[1], new[1])
        listed += found.listed
    return listed


class _Found:
    def __init__(self, stream: int | None):
        self.stream = stream
        self.listed = []

    def add(self, kind: str, field: str, text: str):
        self.listed.append(Difference(kind, self.stream, field, text))

    def compare(self, field: str, was, now, text: str, more_is: str = "higher"):
        """Adds a difference when the two differ; more_is: which of them lets out more."""
        if was != now:
            self.add(MORE if (now > was) == (more_is == "higher") else LESS, field, text)

    def sets(self, field: str, was: list, now: list, more: str, less: str):
        """more, less: formats of what came, and of what went."""
        for one in now:
            if one not in was:
                self.add(MORE, field, more.format(one))
        for one in was:
            if one not in now:
                self.add(LESS, field, less.format(one))


def _all(stream: Stream) -> str:
    """What leaves by a stream that was not there."""
    step = amount(stream.quantity, stream.resolution)
    limits = between(stream.quantity, stream.low, stream.high)
    words = [
        f"{what_leaves(stream.quantity, stream.statistics)} {each(stream.window_s)}, "
        f"from {limits} in steps of {step}"
    ]
    if stream.bins is not None:
        words.append("masked")
    if stream.k:
        words.append(_withheld(stream))
    if stream.noise:
        words.append(f"noise of epsilon = {decimal(budget.epsilon(stream))}")
    return "; ".join(words)


def _heads(found: _Found, old: Policy, new: Policy):
    if new.version <= old.version:
        text = f"version {new.version} is not higher than {old.version}: no node takes it"
        found.add(OTHER, "version", text)
    for field in ("id", "kit"):
        was, now = getattr(old, field), getattr(new, field)
        if was != now:
            found.add(OTHER, field, f"the {field} is {now}, it was {was}")
    text = f"it begins on {_day(new.from_s)}, it was {_day(old.from_s)}"
    found.compare("valid_from", old.from_s, new.from_s, text, "lower")
    last, was_last = new.until_s - DAY_S, old.until_s - DAY_S
    text = f"it may tell until {_day(last)}, it was {_day(was_last)}"
    found.compare("valid_until", was_last, last, text)


def _day(instant_s: int) -> str:
    return str(datetime.date(1970, 1, 1) + datetime.timedelta(seconds=instant_s))


def _terms(found: _Found, old: Terms, new: Terms):
    was, now = old.place_precision_m, new.place_precision_m
    text = f"the place is told to {now:,} m, it was {was:,} m"
    found.compare("place_precision_m", was, now, text, "lower")
    languages = _languages(old, new)
    for field in ("title", "controller_name"):
        _text(found, field, field, languages, getattr(old, field), getattr(new, field))
    if old.controller_contact != new.controller_contact:
        text = f"who asks writes to {new.controller_contact}, it was {old.controller_contact}"
        found.add(OTHER, "contact", text)
    if old.languages != new.languages:
        text = (
            f"the languages are {', '.join(new.languages)}, they were {', '.join(old.languages)}"
        )
        found.add(OTHER, "languages", text)


def _languages(old: Terms, new: Terms) -> list[str]:
    """Those of the new, first those that the old has, too."""
    return sorted(new.languages, key=lambda one: one not in old.languages)


def _text(found: _Found, field: str, name: str, languages: list[str], was: Text, now: Text):
    """Adds a difference for each language in which the two differ. In a language that is new, it
    is none where it only says again what another did."""
    for language in languages:
        before, after = was.get(language), now[language]
        if after == before or (before is None and after in was.values()):
            continue
        where = "" if language == languages[0] else f" in {language}"
        told = "was not told" if before is None else f"was “{before}”"
        found.add(OTHER, field, f"{name}{where} is “{after}”, it {told}")


def _rules(found: _Found, was: Stream, now: Stream):
    masked = was.bins is not None, now.bins is not None
    if masked[0] != masked[1]:
        kind, words = (MORE, "readable, it was masked") if masked[0] else (LESS, "masked")
        found.add(kind, "masked", f"{now.quantity} leaves {words}")
    words = [
        [what_leaves(now.quantity, [one]) for one in stream.statistics] for stream in (was, now)
    ]
    found.sets("statistics", *words, "{}, too", "{} no more")
    text = f"it leaves {each(now.window_s)}, it was {each(was.window_s)}"
    found.compare("window_s", was.window_s, now.window_s, text, "lower")
    steps = [amount(now.quantity, stream.resolution) for stream in (now, was)]
    text = f"it leaves in steps of {steps[0]}, it was {steps[1]}"
    found.compare("resolution", was.resolution, now.resolution, text, "lower")
    ranges = [between(now.quantity, stream.low, stream.high) for stream in (now, was)]
    text = f"values leave from {ranges[0]}, it was {ranges[1]}"
    if now.low < was.low or now.high > was.high:
        found.add(MORE, "range", text)
    elif (now.low, now.high) != (was.low, was.high):
        found.add(LESS, "range", text)
    if masked[0] == masked[1]:  # else k is of something else
        text = f"{_withheld(now)}, it was: {_withheld(was)}"
        found.compare("k", was.k, now.k, text, "lower")
    edges = [[amount(now.quantity, edge) for edge in stream.bins or ()] for stream in (was, now)]
    if edges[0] and edges[1]:  # else the histogram came or went
        found.sets("bins", *edges, "bins have an edge at {}, too", "bins have no edge at {} more")


def _withheld(stream: Stream) -> str:
    if stream.bins is not None:
        return f"sums open from {stream.k:,} nodes on"
    return f"sums below {stream.k} are withheld" if stream.k else "no sum is withheld"


def _noise(found: _Found, was: Stream, now: Stream):
    if not was.noise and not now.noise:
        return
    values = "values leave" if now.bins is None else "sums open"
    if not now.noise:
        found.add(MORE, "noise", f"{values} without noise")
        return
    if not was.noise:
        found.add(LESS, "noise", f"{values} with noise")
        return
    costs = [decimal(budget.epsilon(stream)) for stream in (now, was)]
    what = "a release of a value" if now.bins is None else "an opened sum"
    text = f"{what} costs epsilon = {costs[0]}, it was {costs[1]}"
    found.compare("epsilon", budget.epsilon(was), budget.epsilon(now), text)
    if was.bins is None and now.bins is None:  # a masked one has per_day
        days = [budget.epsilon_a_day(stream) for stream in (was, now)]
        text = f"a day costs epsilon = {decimal(days[1])}, it was {decimal(days[0])}"
        found.compare("epsilon_a_day", *days, text)
    units = [amount(now.quantity, stream.noise[0]) for stream in (now, was)]
    text = f"noise hides what changes a value by {units[0]}, it was {units[1]}"
    found.compare("sensitivity", was.noise[0], now.noise[0], text, "lower")


def _stream_terms(found: _Found, old: Terms, new: Terms):
    was, now = old.streams[found.stream], new.streams[found.stream]
    text = f"it is kept for {count(now.retention_days, 'day')}, it was {was.retention_days:,}"
    found.compare("retention_days", was.retention_days, now.retention_days, text)
    languages = _languages(old, new)
    _recipients(found, languages, was.recipients, now.recipients)
    purposes = [[was.purpose], [now.purpose]]
    found.sets("purpose", *purposes, "it may be used for {}", "it may no more be used for {}")
    if was.per_day is not None and now.per_day is not None:
        text = f"a day may cost epsilon = {decimal(now.per_day)}, it was {decimal(was.per_day)}"
        found.compare("per_day", was.per_day, now.per_day, text)
    if was.legal_basis != now.legal_basis:
        text = f"the legal basis is {now.legal_basis}, it was {was.legal_basis}"
        found.add(OTHER, "legal_basis", text)
    for field, name in (("why", "the reason"), ("unit", "the unit of privacy")):
        _text(found, field, name, languages, getattr(was, field), getattr(now, field))


def _recipients(found: _Found, languages: list[str], was: list[Text], now: list[Text]):
    """Who is named otherwise in one language is somebody else. In a language that is new, so is
    who was not named in any."""
    common = [language for language in languages if language in was[0]]
    before, after = (
        Counter(tuple(text[language] for language in common) for text in texts)
        for texts in (was, now)
    )
    if common:
        for names in after - before:
            found.add(MORE, "recipients", f"{_named(common, names)} receives it, too")
        for names in before - after:
            found.add(LESS, "recipients", f"{_named(common, names)} receives it no more")
    known = {line for text in was for line in text.values()}
    for language in languages[len(common) :]:
        for text in now:
            if text[language] not in known:
                named = _named([languages[0], language], (text[languages[0]], text[language]))
                found.add(MORE, "recipients", f"{named} receives it, too")


def _named(languages: list[str], names: tuple) -> str:
    """A recipient in the first of the languages, and in those in which the name is another."""
    others = [f"{a}: {b}" for a, b in zip(languages, names, strict=True) if b != names[0]]
    return f"{names[0]} ({', '.join(others)})" if others else names[0]
