# SPDX-License-Identifier: MIT
"""The controller's log as people read it: who asked for which sum, and what came of it. It names
no node and no value, so everybody may see it."""

import base64
import contextlib
import dataclasses
import functools
import hashlib
from fractions import Fraction
from pathlib import Path

import jinja2
from markupsafe import Markup

from host_tools import chained_log, times
from host_tools.controller import ledger
from host_tools.controller.ledger import Ledger
from host_tools.errors import ToolError
from host_tools.policy.figures import count, decimal, duration
from host_tools.policy.phrases import Phrases
from host_tools.policy.signed import read_published
from node.policy.rules import DAY_S

_FOLDER = Path(__file__).parent / "page"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of the log. detail: as it stands there; quantity: of the stream, "" if unknown."""

    number: int
    time_s: int
    verb: str
    detail: dict
    digest: bytes
    quantity: str = ""

    @property
    def time(self) -> str:
        return times.short(self.time_s)

    def what(self) -> str:
        """What was asked for, or done, in words."""
        told = self.detail
        if self.verb == ledger.ALLOWED:
            return f"policy {told['id']} version {told['version']} for kit {told['kit']}"
        if self.verb == ledger.RESTORED:
            return f"ledger brought back, with {told['entries']:,} entries"
        if "ranges" not in told:
            return "something that is no request"
        of = _called(self.quantity) or f"stream {told['stream']}"
        return f"{of} of {count(told['nodes'], 'node')}, {_period(told['ranges'])}"

    def purpose(self) -> str:
        """What it was asked for, in words; a dash where nothing was asked."""
        return Phrases("en").purpose(self.detail["purpose"]) if "purpose" in self.detail else "–"

    def outcome(self) -> str:
        """What came of it, in words."""
        if self.verb == ledger.REFUSED:
            return f"refused ({self.detail['rule']}): {self.detail['because']}"
        if self.verb != ledger.ANSWERED:
            return self.verb
        opened = sum(1 for _ in ledger.spans_of(self.detail["charged"]))
        if not opened:
            return "given again"
        epsilon = Fraction(self.detail["epsilon"])
        cost = f", {decimal(epsilon)} epsilon each" if epsilon else ", without noise"
        return f"{count(opened, 'sum')} opened{cost}"


@dataclasses.dataclass(frozen=True)
class Report:
    """wrong: what does not follow from the log, in words; None when all does."""

    entries: list[Entry]
    wrong: str | None

    @property
    def head(self) -> bytes:
        return self.entries[-1].digest if self.entries else chained_log.START

    def number_of(self, verb: str) -> int:
        return sum(entry.verb == verb for entry in self.entries)

    def as_object(self) -> dict:
        return {
            "verified": self.wrong is None, "wrong": self.wrong, "head": self.head.hex(),
            "entries": [
                {"number": entry.number, "time": times.iso(entry.time_s), "verb": entry.verb,
                 "hash": entry.digest.hex(), "quantity": entry.quantity, **entry.detail}
                for entry in self.entries
            ],
        }  # fmt: skip

    def page(self, name: str) -> bytes:
        """A page for the public, in HTML; name: of the controller."""
        style = (_FOLDER / "log.css").read_text()
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        text = _template().render(
            report=self, name=name, style=Markup(style), style_digest=digest, ledger=ledger
        )
        return text.encode()


def read(of: Ledger) -> Report:
    """The whole log. ToolError when it cannot be read."""
    with of.reading() as db:
        wrong = ledger.first_wrong(db)
        names = _quantities(db)
        try:
            rows = list(chained_log.entries(db))
        except ValueError as err:
            message = f"{of.path}: an entry of its log cannot be read"
            raise ToolError(message, "bring back a backup that is whole") from err
        return Report([Entry(*row, _quantity(row[3], names)) for row in rows], wrong)


def _quantities(db) -> dict[tuple[str, int], str]:
    """{(policy digest, stream): its quantity}"""
    found = {}
    for digest, published in db.execute("SELECT digest, published FROM policies"):
        with contextlib.suppress(ToolError):
            for stream in read_published(published).policy().streams:
                found[digest.hex(), stream.number] = stream.quantity
    return found


def _quantity(detail: dict, names: dict) -> str:
    keys = [(digest, detail["stream"]) for digest in detail.get("policies", ())]
    return next((names[key] for key in keys if key in names), "")


@functools.cache
def _called(quantity: str) -> str:
    """As people call it."""
    return Phrases("en").quantity(quantity) if quantity else ""


def _period(lines: list[list[int]]) -> str:
    """What time the ranges cover, and how finely."""
    start, end = lines[0][0], lines[-1][1]
    every = {line[2] for line in lines}
    whole = all(line[1] - line[0] == line[2] for line in lines) and len(lines) == 1
    finely = "" if whole else f", every {duration(min(every))}"
    if start % DAY_S == end % DAY_S == 0:
        first, last = times.iso(start)[:10], times.iso(end - DAY_S)[:10]
        return (first if first == last else f"{first} to {last}") + finely
    begin, until = times.short(start), times.short(end)
    if begin[:10] == until[:10]:
        until = until[11:]
    return f"{begin} to {until}{finely}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("log.html.jinja")
