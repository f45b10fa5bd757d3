# SPDX-License-Identifier: MIT
"""The policies that a controller was given, each signed by the key it believes; and which of them
govern a request: those that it names; every later version whose days begin before the end of what
it asks for, so that nobody chooses a laxer one that has been replaced; and every earlier one that
was not replaced when what it asks for begins, so that a laxer one opens nothing of before it.
"""

import dataclasses
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property

from host_tools import chained_log
from host_tools.controller import ledger
from host_tools.errors import ToolError
from host_tools.policy.signed import PublishedPolicy, read_published
from host_tools.policy.terms import StreamTerms
from node.policy.rules import Policy, Stream

Line = tuple[str, str]  # id and kit: what all versions of one policy share


@dataclasses.dataclass(frozen=True)
class Allowed:
    """A policy with its terms. allowed_s: when this controller was given it (Unix time)."""

    published: PublishedPolicy
    allowed_s: int

    @cached_property
    def policy(self) -> Policy:
        return self.published.policy()

    @cached_property
    def terms(self) -> dict[int, StreamTerms]:
        return self.published.read_terms().streams

    @property
    def line(self) -> Line:
        return self.policy.id, self.policy.kit

    @property
    def title(self) -> str:
        return f"{self.policy.id} version {self.policy.version}"

    def masked(self, number: int) -> Stream | None:
        """The masked stream of this number; None when it has none."""
        for stream in self.policy.streams:
            if stream.number == number and stream.bins is not None:
                return stream
        return None


class Policies:
    """All that were allowed, by digest."""

    def __init__(self, allowed: Iterable[Allowed]):
        self.by_digest = {one.policy.digest: one for one in allowed}
        self._lines = defaultdict(list)
        for one in self.by_digest.values():
            self._lines[one.line].append(one)

    def later(self, named: list[Allowed], before_s: int) -> list[Allowed]:
        """Versions above the lowest that is named of their line, whose days begin before this
        moment (Unix time), and that are not named."""
        return [
            one
            for line, version in _versions(named, min).items()
            for one in self._lines[line]
            if one not in named and one.policy.version > version and one.policy.from_s < before_s
        ]

    def earlier(self, named: list[Allowed], number: int, span: tuple[int, int]) -> list[Allowed]:
        """Versions below the highest that is named of their line, and not named, that mask stream
        `number` on days within the span, if no version above them had begun, and was known here,
        when the span begins: nodes may have measured under them."""
        return [
            one
            for line, version in _versions(named, max).items()
            for one in self._lines[line]
            if one not in named and one.policy.version < version and one.masked(number)
            and one.policy.from_s < span[1] and span[0] < one.policy.until_s
            and not self._is_replaced(one, span[0])
        ]  # fmt: skip

    def _is_replaced(self, one: Allowed, at_s: int) -> bool:
        return any(
            other.policy.version > one.policy.version
            and max(other.policy.from_s, other.allowed_s) <= at_s
            for other in self._lines[one.line]
        )

    def of_version(self, line: Line, version: int) -> Allowed | None:
        return next((one for one in self._lines[line] if one.policy.version == version), None)


def _versions(named: list[Allowed], pick: Callable) -> dict[Line, int]:
    """{line: the version that `pick` (min or max) takes of those that are named}"""
    found = defaultdict(list)
    for one in named:
        found[one.line].append(one.policy.version)
    return {line: pick(versions) for line, versions in found.items()}


def read_policies(
    db: sqlite3.Connection, policy_key: bytes, before: Policies | None = None
) -> Policies:
    """Those in the ledger; ToolError when one is not signed by this key (60 bytes). before: what
    was read, and checked, when it had fewer."""
    known = before.by_digest if before else {}
    found, times = [], None
    for digest, published in db.execute("SELECT digest, published FROM policies").fetchall():
        one = known.get(digest)
        if one is None:
            times = _times(db) if times is None else times
            checked = read_published(published, "a policy in the ledger", policy_key)
            one = Allowed(checked, times[digest])
        found.append(one)
    return Policies(found)


def _times(db: sqlite3.Connection) -> dict[bytes, int]:
    """{digest: when the policy was allowed}, from the log, which nobody alters unseen."""
    query = "SELECT time_s, detail FROM log WHERE verb = ?"
    rows = db.execute(query, (ledger.ALLOWED,)).fetchall()
    return {bytes.fromhex(json.loads(detail)["digest"]): time_s for time_s, detail in rows}


def allow(db: sqlite3.Connection, time_s: int, encoded: bytes, name: str, policy_key: bytes):
    """Takes a published policy within the caller's turn; returns (it, whether it is new).
    ToolError when it is not signed by the key, or is a second one of its version. One that masks
    nothing is taken as well: it may be the version that ends a stream. name: how messages name
    it."""
    one = Allowed(read_published(encoded, name, policy_key), time_s)
    known = read_policies(db, policy_key)
    if one.policy.digest in known.by_digest:
        return one, False
    if known.of_version(one.line, one.policy.version):
        message = f"{name}: another policy is {one.title} already"
        raise ToolError(message, "find out who signed two of one version")
    row = one.policy.digest, one.published.encode()
    db.execute("INSERT INTO policies VALUES (?, ?)", row)
    detail = {
        "id": one.policy.id, "kit": one.policy.kit, "version": one.policy.version,
        "digest": one.policy.digest.hex(),
    }  # fmt: skip
    chained_log.append(db, time_s, ledger.ALLOWED, detail)
    return one, True
