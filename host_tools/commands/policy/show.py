# SPDX-License-Identifier: MIT
"""`lamppost policy show`: rules as a table, terms in words."""

import dataclasses
import datetime
from fractions import Fraction
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.policy.signature import key_option, remark

_COLUMNS = (
    ("", "right"), ("quantity", "left"), ("what", "left"), ("each", "left"), ("step", "right"),
    ("range", "left"), ("k", "right"), ("epsilon", "right"),
)  # fmt: skip


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--language", metavar="CODE", help="Of the texts. Default: the policy's first.")
@key_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(path, language, key, as_json):
    """Show a policy's rules and terms.

    \b
    lamppost policy show air.policy --key policy.key --language de
    """
    from host_tools.policy.load import load

    policy, terms = load(path, ended=True, key=key)
    remark(key, path)
    if as_json:
        told = {"signature_checked": key is not None, **_as_object(path, policy, terms)}
        console.result_json(told)
        return
    language = terms.languages[0] if language is None else _known(path, terms, language)
    _show_head(path, policy, terms, language)
    console.result(_table(policy))
    _show_terms(policy, terms, language)


def _known(path: Path, terms, language: str) -> str:
    from host_tools.errors import ToolError

    if language not in terms.languages:
        hint = f"there are {', '.join(terms.languages)}"
        raise ToolError(f"{path} has no texts in {language!r}", hint)
    return language


def _days(policy) -> list[str]:
    from node.policy.rules import DAY_S

    ends = policy.from_s, policy.until_s - DAY_S
    return [str(datetime.date(1970, 1, 1) + datetime.timedelta(seconds=end)) for end in ends]


def _as_object(path: Path, policy, terms) -> dict:
    from host_tools.policy.dpv import measures

    first, last = _days(policy)
    streams = []
    for stream in policy.streams:
        told = dataclasses.asdict(terms.streams[stream.number])
        told = {k: str(v) if isinstance(v, Fraction) else v for k, v in told.items()}
        streams.append({
            "number": stream.number, "quantity": stream.quantity, "window_s": stream.window_s,
            "statistics": stream.statistics, "resolution": stream.resolution,
            "range": [stream.low, stream.high], "k": stream.k,
            "masked": stream.bins is not None, "bins": stream.bins and list(stream.bins),
            "measures": measures(stream),
            "noise": None if stream.noise is None else {
                "sensitivity": stream.noise[0], "epsilon": str(Fraction(*stream.noise[1:])),
            },
            **told,
        })  # fmt: skip
    return {
        "file": str(path), "id": policy.id, "version": policy.version, "kit": policy.kit,
        "valid_from": first, "valid_until": last, "digest": policy.digest.hex(),
        "terms_digest": policy.terms_digest.hex(), "place_precision_m": terms.place_precision_m,
        "languages": terms.languages, "title": terms.title,
        "controller": {"name": terms.controller_name, "contact": terms.controller_contact},
        "streams": streams,
    }  # fmt: skip


def _show_head(path: Path, policy, terms, language: str):
    from rich.text import Text

    first, last = _days(policy)
    console.note(str(path))
    console.result(Text(terms.title[language], "bold"))
    console.result(Text(
        f"{policy.id}, version {policy.version}, for the kit {policy.kit}\n"
        f"from {first} to {last}\n"
        f"{terms.controller_name[language]}, {terms.controller_contact}\n"
        f"place to {terms.place_precision_m:,} m; digest {policy.digest.hex()}\n"
    ))  # fmt: skip


def _table(policy):
    from rich.table import Table

    from host_tools.policy.figures import amount, between, duration

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in _COLUMNS:
        table.add_column(name, justify=justify, no_wrap=name in ("quantity", "range"))
    for stream in policy.streams:
        table.add_row(
            str(stream.number), stream.quantity, _what(stream),
            duration(stream.window_s), amount(stream.quantity, stream.resolution),
            between(stream.quantity, stream.low, stream.high), str(stream.k or "–"),
            str(Fraction(*stream.noise[1:])) if stream.noise else "–",
        )  # fmt: skip
    return table


def _what(stream) -> str:
    what = ", ".join(stream.statistics)
    return what if stream.bins is None else f"masked: {what}"


def _show_terms(policy, terms, language: str):
    from rich.text import Text

    from host_tools.policy.figures import count, streams

    console.result("")
    by_text = {}  # what holds of several streams is said once
    for stream in policy.streams:
        one = terms.streams[stream.number]
        console.result(Text(f"{stream.number} {stream.quantity}: {one.why[language]}"))
        recipients = ", ".join(text[language] for text in one.recipients)
        text = (
            f"{one.purpose}, {one.legal_basis}; unit of privacy: {one.unit[language]}; "
            f"for: {recipients}; kept for {count(one.retention_days, 'day')}"
        )
        by_text.setdefault(text, []).append(stream.number)
    console.result("")
    for text, numbers in by_text.items():
        console.result(Text(f"{streams(numbers)}: {text}"))
