# SPDX-License-Identifier: MIT
"""The controller: a request comes in, a token or a refusal goes out, and the ledger knows both.

decode ─▶ judge by the rules ─▶ charge, durably ─▶ derive the pads, add noise ─▶ sign
"""

import time
from pathlib import Path

from host_tools import chained_log
from host_tools.controller import ledger, noise, rules
from host_tools.controller.documents import MODULUS, Request, Token, is_line
from host_tools.controller.key_vault import Keys
from host_tools.controller.ledger import Charge, Ledger
from host_tools.controller.mask_tree import pads
from host_tools.controller.policies import read_policies
from host_tools.errors import ToolError

_RANGES_TOLD = 20  # of more, the first and the last


class Controller:
    """keys: what its vault held when it was opened; path: its ledger; clock: gives Unix time.
    ToolError when the ledger does not follow from its log, or is older than the keys say."""

    def __init__(self, keys: Keys, path: Path, clock=time.time):
        self._keys, self._clock = keys, clock
        self._ledger = Ledger(path)
        self._head = keys.head
        self.check()

    @property
    def name(self) -> str:
        return self._keys.name

    @property
    def tls(self) -> tuple[bytes, bytes, bytes] | None:
        """PEM of authority, certificate and key; None when it was given none."""
        return self._keys.tls

    def public(self) -> bytes:
        """What everybody may have: its encoded public key."""
        return self._keys.public().encode()

    def check(self):
        """See the class; it takes as long as the log is."""
        with self._ledger.reading() as db:
            self._stop_at(ledger.first_wrong(db))
            self._check_head(db)
            self._policies = read_policies(db, self._keys.policy_key)
            self._head = chained_log.newest(db)

    def _check_head(self, db):
        """ToolError when somebody put an older ledger in place, also while this one works."""
        if not ledger.holds(db, *self._head):
            self._stop_at("it is older than it was when the vault was last open, or since")

    def _stop_at(self, wrong: str | None):
        if wrong is not None:
            hint = "bring back its newest copy; if there is none: lamppost controller restore"
            raise ToolError(f"{self._ledger.path}: {wrong}", hint)

    def status(self) -> dict:
        """What it holds, for people."""
        with self._ledger.reading() as db:
            entry, head = chained_log.newest(db)
        titles = sorted(one.title for one in self._policies.by_digest.values())
        return {
            "name": self.name, "fingerprint": self._keys.public().fingerprint(),
            "nodes": len(self._keys.nodes), "policies": ", ".join(titles) or "none",
            "certificate": "taken" if self.tls else "none",
            "entries": entry, "newest_hash": head.hex(),
        }  # fmt: skip

    def answer(self, encoded: bytes, by: str) -> bytes:
        """The signed token for a request; by: who asks. Refusal when a rule refuses it. Either is
        in the ledger before it is known outside, but for who has no name to stand there."""
        if not is_line(by):
            hint = "take a name of printable characters, at most 200"
            raise rules.Refusal("role", "who asks has no name that the log could show", hint)
        try:
            request = Request.decode(encoded)
        except ToolError as err:
            refusal = rules.Refusal("form", err.message, err.hint)
            self._note_refusal(refusal, {"by": by, "request": ledger.request_digest(encoded)})
            raise refusal from err
        charged, at_s, entry, head = self._charge(request, by)
        return Token(
            request.digest(), self.name, at_s, len(request.nodes), self._pads(request, charged),
            charged.scales, entry, head,
        ).sign(self._keys.signing)  # fmt: skip

    def _charge(self, request: Request, by: str) -> tuple[Charge, int, int, bytes]:
        told = _told(request, by)
        with self._ledger.turn() as db:
            self._check_head(db)
            now_s = int(self._clock())
            self._policies = read_policies(db, self._keys.policy_key, self._policies)
            case = rules.Case(request, now_s, self._keys, self._policies, db)
            try:
                charged = rules.judge(case)
            except rules.Refusal as err:
                refusal = err
            else:
                entry, head = ledger.charge(db, now_s, told, charged, request.nodes)
                refusal = None
        if refusal is None:
            self._head = max(self._head, (entry, head))  # another may have had its turn since
            return charged, now_s, entry, head
        self._note_refusal(refusal, told)
        raise refusal

    def _note_refusal(self, refusal: rules.Refusal, told: dict):
        with self._ledger.turn() as db:
            self._check_head(db)
            detail = {**told, "rule": refusal.rule, "because": refusal.message}
            head = chained_log.append(db, int(self._clock()), ledger.REFUSED, detail)
        self._head = max(self._head, head)

    def _pads(self, request: Request, charged: Charge) -> tuple[tuple[int, ...], ...]:
        nodes = (self._keys.nodes[node_id] for node_id in request.nodes)
        trees = [(node.day0, node.roots[request.stream]) for node in nodes]
        found = pads(trees, list(request.ranges), len(charged.scales))
        return tuple(
            tuple((pad + drawn) % MODULUS for pad, drawn in zip(row, noises, strict=True))
            for span, row in zip(request.ranges, found, strict=True)
            for noises in (noise.draw(self._keys.noise, charged, span),)
        )


def _told(request: Request, by: str) -> dict:
    """What the log tells of every request: little, as it costs nothing to be refused, or to be
    given the same again. The digest stands for all of it."""
    ranges = ledger.runs(request.ranges)
    if len(ranges) > _RANGES_TOLD:
        ranges = [ranges[0], ranges[-1]]
    return {
        "by": by, "request": request.digest().hex(), "stream": request.stream,
        "nodes": len(request.nodes), "ranges": ranges,
        "population": ledger.population_digest(request.nodes).hex(), "purpose": request.purpose,
        "policies": [digest.hex() for digest in request.policies],
    }  # fmt: skip
