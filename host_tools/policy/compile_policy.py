# SPDX-License-Identifier: MIT
"""Compiles a policy: TOML, as people write it, to rules and terms, each deterministic CBOR.

The language and both layouts are in firmware/node/policy/README.md. Each mistake is told in one
line that names file, stream, field and what would be right.
"""

import dataclasses
import datetime
import re
from decimal import Decimal
from pathlib import Path

import cbor2

from host_tools.policy import stream_fields, together
from host_tools.policy.lines import Lines
from host_tools.policy.names import NAME
from host_tools.policy.stream_fields import SHARED_KEYS, StreamFields, read_stream
from host_tools.policy.terms import StreamTerms, Terms
from host_tools.policy.texts import Texts, read_contact
from host_tools.provisioning.checked import Table
from host_tools.provisioning.kit import Kit
from host_tools.toml_file import read_toml
from node.policy.rules import Policy

KEYS = (
    "id", "version", "kit", "valid_from", "valid_until", "place_precision_m", "languages",
    "title", "controller", "every_stream", "stream",
)  # fmt: skip
PLAINTEXT_MAX = 900  # with envelope and topic around it, one packet of a node: 1,024 bytes
RULES_MAX = 4096  # that a node reads
PLACE_MAX_M = 100_000
VERSION_MAX = 2**31 - 1
_EPOCH = datetime.date(1970, 1, 1)


@dataclasses.dataclass(frozen=True)
class Compiled:
    """rules: what a node obeys, and what is signed; terms: what people and the store are told."""

    rules: bytes
    terms: bytes


def compile_policy(
    path: str | Path, kit: Kit | None = None, today: datetime.date | None = None
) -> Compiled:
    """ToolError names file, stream and mend. With `kit`, also against it; today: the day by which
    the policy must not have ended, by default the present one (UTC)."""
    path = Path(path)
    fields, text = read_toml(path, "a policy", Decimal)
    return compile_fields(path, fields, Lines(text), kit, today)


def compile_fields(
    path: Path, fields: dict, lines: Lines, kit: Kit | None = None,
    today: datetime.date | None = None,
) -> Compiled:  # fmt: skip
    """As compile_policy, of the fields that TOML in `path` holds, or would hold."""
    table = Table(f"{path}: the policy", fields, KEYS, lines.of())
    head = [_name(table, "id"), table.take_int("version", 1, VERSION_MAX)]
    name = _name(table, "kit")
    if kit is not None and name != kit.name:
        raise table.wrong(f"is for the kit {name!r}, not {kit.name!r}", f'kit = "{kit.name}"')
    days = _days(table, today or datetime.datetime.now(datetime.UTC).date())
    streams = _streams(path, table, lines, kit)
    terms = _terms(path, table, lines, streams)
    body = [fields.rules for fields in streams]
    content = ["lp1 policy", *head, name, *days, body, terms.digest()]
    rules = cbor2.dumps(content, canonical=True)
    if len(rules) > RULES_MAX or Policy(rules).padded_length(0) > PLAINTEXT_MAX:
        raise table.wrong("has more streams than one message can carry", "take some out")
    return Compiled(rules, terms.encode())


def _name(table: Table, key: str) -> str:
    """It becomes part of messages and of names of files."""
    name = table.take(key, str)
    if not re.fullmatch(NAME, name):
        mend = f'{key} is up to 64 letters, digits, ".", "-" and "_", such as "traffic-street"'
        raise table.wrong(f"has {key} = {name[:40]!r}", mend)
    return name


def _days(table: Table, today: datetime.date) -> tuple[int, int]:
    """The first and the last day of which the policy may tell, since 1970-01-01."""
    first, last = (table.take(key, datetime.date) for key in ("valid_from", "valid_until"))
    if first < _EPOCH:
        raise table.wrong(f"has valid_from = {first}", "no node tells of a day before 1970-01-01")
    if first > last:
        message = f"has valid_until = {last}, which is before valid_from = {first}"
        raise table.wrong(message, "take a later day")
    if last < today:
        message = f"has valid_until = {last}: it has ended"
        raise table.wrong(message, f"take {today} or later, and a higher version")
    return (first - _EPOCH).days, (last - _EPOCH).days


def _streams(path: Path, table: Table, lines: Lines, kit: Kit | None) -> list[StreamFields]:
    """By rising number."""
    texts = Texts(table)
    shared = table.take("every_stream", dict, {})
    shared = Table(f"{path}: every_stream", shared, SHARED_KEYS, lines.of("every_stream"))
    intervals_s = None if kit is None else kit.intervals_s()
    streams = {}
    for index, fields in enumerate(table.take("stream", list), 1):
        place = f"{path}: stream {index}"
        one = Table(place, fields, stream_fields.KEYS, lines.of("stream", index))
        stream = read_stream(one, shared, texts, intervals_s)
        if stream.number in streams:
            message = f"has number = {stream.number}, which is taken"
            raise stream.wrong(message, f"take another, for instance {_free(streams)}")
        streams[stream.number] = stream
    ordered = [streams[number] for number in sorted(streams)]
    together.check(ordered)
    return ordered


def _free(streams: dict) -> int | None:
    return next((number for number in range(1, 256) if number not in streams), None)


def _terms(path: Path, table: Table, lines: Lines, streams: list[StreamFields]) -> Terms:
    texts = Texts(table)
    keys = ("name", "contact")
    controller = table.take("controller", dict)
    controller = Table(f"{path}: controller", controller, keys, lines.of("controller"))
    by_number: dict[int, StreamTerms] = {fields.number: fields.terms for fields in streams}
    return Terms(
        languages=texts.languages,
        title=texts.take(table, "title"),
        controller_name=texts.take(controller, "name"),
        controller_contact=read_contact(controller, "contact"),
        place_precision_m=table.take_int("place_precision_m", 1, PLACE_MAX_M),
        streams=by_number,
    )
