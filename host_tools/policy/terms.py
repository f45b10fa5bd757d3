# SPDX-License-Identifier: MIT
"""The terms of a policy: what is for people and for the store, and never on a node. The rules name
their digest. The layout is in firmware/node/policy/README.md.

A text is {language: line}, with a line for each of the terms' languages.
"""

import dataclasses
import hashlib
from fractions import Fraction

import cbor2

from host_tools.errors import ToolError

LABEL = "lp1 terms"
Text = dict[str, str]


@dataclasses.dataclass(frozen=True)
class StreamTerms:
    """per_day: the epsilon that a day of this stream may cost; contribution: see README. Both None
    without noise, the second also when a unit may change the whole range."""

    why: Text
    unit: Text
    purpose: str
    legal_basis: str
    recipients: list[Text]
    retention_days: int
    per_day: Fraction | None = None
    contribution: int | None = None


@dataclasses.dataclass(frozen=True)
class Terms:
    """languages: the first is the default; streams: by their numbers."""

    languages: list[str]
    title: Text
    controller_name: Text
    controller_contact: str
    place_precision_m: int
    streams: dict[int, StreamTerms]

    def encode(self) -> bytes:
        """The same terms are the same bytes: deterministic CBOR."""
        body = {
            "languages": self.languages,
            "title": self.title,
            "controller": {"name": self.controller_name, "contact": self.controller_contact},
            "place_precision_m": self.place_precision_m,
            "streams": {number: _stream_body(one) for number, one in self.streams.items()},
        }
        return cbor2.dumps([LABEL, body], canonical=True)

    def digest(self) -> bytes:
        """As the rules name it."""
        return hashlib.sha256(self.encode()).digest()


def read_terms(encoded: bytes) -> Terms:
    """The terms in these bytes; ToolError when they are none, or not in their one encoding."""
    try:
        label, body = cbor2.loads(encoded)
        streams = {number: _stream(fields) for number, fields in body["streams"].items()}
        terms = Terms(
            body["languages"], body["title"], body["controller"]["name"],
            body["controller"]["contact"], body["place_precision_m"], streams,
        )  # fmt: skip
        if label == LABEL and _is_whole(terms) and terms.encode() == encoded:
            return terms
    except (cbor2.CBORError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        pass
    raise ToolError("not the terms of a policy", "compile the policy again") from None


def _stream_body(one: StreamTerms) -> dict:
    body = dataclasses.asdict(one)
    if one.per_day is not None:
        body["per_day"] = [one.per_day.numerator, one.per_day.denominator]
    return {key: value for key, value in body.items() if value is not None}


def _stream(fields: dict) -> StreamTerms:
    per_day = fields.get("per_day")
    return StreamTerms(**{**fields, "per_day": None if per_day is None else Fraction(*per_day)})


def _is_whole(terms: Terms) -> bool:
    """Whether all is there and of its kind: what others published is shown to people."""
    texts = [terms.title, terms.controller_name]
    lines = [terms.controller_contact]
    numbers = [terms.place_precision_m]
    for one in terms.streams.values():
        texts += [one.why, one.unit, *one.recipients]
        lines += [one.purpose, one.legal_basis]
        numbers += [one.retention_days, one.contribution or 1]
    lines += [*terms.languages, *(line for text in texts for line in text.values())]
    return (
        bool(terms.languages)
        and all(set(text) == set(terms.languages) for text in texts)
        and all(type(line) is str and line.isprintable() and line for line in lines)
        and all(type(number) is int and number > 0 for number in [*numbers, *terms.streams])
        and all(one.per_day is None or one.per_day > 0 for one in terms.streams.values())
    )
