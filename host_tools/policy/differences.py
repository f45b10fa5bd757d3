# SPDX-License-Identifier: MIT
"""What one version of a policy lets out that another did not, and what less: in words."""

import dataclasses
import datetime

from host_tools.policy import budget
from host_tools.policy.figures import amount, between, count, decimal, each, what_leaves
from host_tools.policy.terms import StreamTerms, Terms, Text
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
    language = _language(old, new)
    for field in ("title", "controller_name"):
        was, now = _words(getattr(old, field), language), _words(getattr(new, field), language)
        if was != now:
            found.add(OTHER, field, f"{field} is “{now}”, it was “{was}”")
    if old.controller_contact != new.controller_contact:
        text = f"who asks writes to {new.controller_contact}, it was {old.controller_contact}"
        found.add(OTHER, "contact", text)
    if old.languages != new.languages:
        text = (
            f"the languages are {', '.join(new.languages)}, they were {', '.join(old.languages)}"
        )
        found.add(OTHER, "languages", text)


def _language(old: Terms, new: Terms) -> str | None:
    """The first of the new that the old has, too."""
    return next((one for one in new.languages if one in old.languages), None)


def _words(text: Text, language: str | None) -> str:
    return text[language] if language in text else next(iter(text.values()))


def _rules(found: _Found, was: Stream, now: Stream):
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
    text = f"{_withheld(now)}, it was: {_withheld(was)}"
    found.compare("k", was.k, now.k, text, "lower")


def _withheld(stream: Stream) -> str:
    return f"sums below {stream.k} are withheld" if stream.k else "no sum is withheld"


def _noise(found: _Found, was: Stream, now: Stream):
    if not was.noise and not now.noise:
        return
    if not now.noise:
        found.add(MORE, "noise", "values leave without noise")
        return
    if not was.noise:
        found.add(LESS, "noise", "values leave with noise")
        return
    costs = [decimal(budget.epsilon(stream)) for stream in (now, was)]
    text = f"a release of a value costs epsilon = {costs[0]}, it was {costs[1]}"
    found.compare("epsilon", budget.epsilon(was), budget.epsilon(now), text)
    costs = [decimal(budget.epsilon_a_day(stream)) for stream in (now, was)]
    text = f"a day costs epsilon = {costs[0]}, it was {costs[1]}"
    found.compare("epsilon_a_day", budget.epsilon_a_day(was), budget.epsilon_a_day(now), text)
    units = [amount(now.quantity, stream.noise[0]) for stream in (now, was)]
    text = f"noise hides what changes a value by {units[0]}, it was {units[1]}"
    found.compare("sensitivity", was.noise[0], now.noise[0], text, "lower")


def _stream_terms(found: _Found, old: Terms, new: Terms):
    was, now = old.streams[found.stream], new.streams[found.stream]
    language = _language(old, new)
    text = f"it is kept for {count(now.retention_days, 'day')}, it was {was.retention_days:,}"
    found.compare("retention_days", was.retention_days, now.retention_days, text)
    who = [[_words(text, language) for text in terms.recipients] for terms in (was, now)]
    found.sets("recipients", *who, "{} receives it, too", "{} receives it no more")
    purposes = [[was.purpose], [now.purpose]]
    found.sets("purpose", *purposes, "it may be used for {}", "it may no more be used for {}")
    if was.per_day is not None and now.per_day is not None:
        text = f"a day may cost epsilon = {decimal(now.per_day)}, it was {decimal(was.per_day)}"
        found.compare("per_day", was.per_day, now.per_day, text)
    if was.legal_basis != now.legal_basis:
        text = f"the legal basis is {now.legal_basis}, it was {was.legal_basis}"
        found.add(OTHER, "legal_basis", text)
    _stream_texts(found, was, now, language)


def _stream_texts(found: _Found, was: StreamTerms, now: StreamTerms, language: str | None):
    for field, name in (("why", "the reason"), ("unit", "the unit of privacy")):
        before, after = (_words(getattr(terms, field), language) for terms in (was, now))
        if before != after:
            found.add(OTHER, field, f"{name} is “{after}”, it was “{before}”")
