# SPDX-License-Identifier: MIT
"""What the tests of tickets share: a folder with a city's vault, a technician, a home store, a
reader, and the kit's published policy. Commands run as a person types them."""

import contextlib
import io
import json
import time
from pathlib import Path

from host_tools.cli import run
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.signed import PublishedPolicy
from host_tools.provisioning.kit import load_kit
from host_tools.provisioning.lms_tree import LmsTree
from host_tools.vault.factors import KeyFile
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.vault_place import PASSPHRASE, Place

KIT = "air"
_MADE = {}  # a key takes a second


def published(kit: str = KIT) -> tuple[PublishedPolicy, bytes]:
    """(the kit's policy, the key that signed it)"""
    if kit not in _MADE:
        signer = _MADE.setdefault("signer", LmsTree(bytes(32), bytes(16)))
        compiled = compile_policy(load_kit(kit).policy_path)
        signature = signer.sign(len(_MADE), compiled.rules, bytes(32))
        _MADE[kit] = PublishedPolicy(compiled.rules, compiled.terms, signature)
    return _MADE[kit], _MADE["signer"].public_key


class City(Place):
    """anna, bob: sealed files of technicians; home, roads: keyrings, the second a reader's."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.anna, self.bob = folder / "anna.technician", folder / "bob.technician"
        self.home, self.roads = folder / "home.json", folder / "roads.json"
        self.tickets, self.receipts = folder / "anna.tickets", folder / "anna.receipts"
        self.keys = folder / "home.grant"

    def fill(self) -> "City":
        super().fill()
        policy, key = published()
        (self.folder / "air.policy").write_bytes(policy.encode())
        (self.folder / "policy.key").write_bytes(key)
        self.vault("setup", "--name", "office", "--broker", "broker.test:8883", "--sntp",
                   "time.test", "--policy-key", self.folder / "policy.key", "-o",
                   self.folder / "city.office")  # fmt: skip
        for path in (self.anna, self.bob):
            card = path.with_suffix(".card")
            self.ok("technician", "init", path, "--name", path.stem, "--office",
                    self.folder / "city.office", *self.opening(), "-o", card)  # fmt: skip
            self.vault("technician", "add", card)
        for path, more in ((self.home, ()), (self.roads, ("--reader",))):
            card = path.with_suffix(".card")
            self.ok("keyring", "init", path, "--name", path.stem, "--office",
                    self.folder / "city.office", "-o", card)  # fmt: skip
            self.vault("store", "add", card, *more)
        return self

    def opening(self) -> tuple:
        return "--key-file", self.key.path, "--passphrase-file", self.passphrase

    def issue(self, count: int = 3, to: str = "anna", kit: str = KIT) -> dict:
        path = self.folder / f"{kit}.policy"
        path.write_bytes(published(kit)[0].encode())
        target = self.folder / f"{to}.tickets"
        return self.vault("issue", "--count", count, "--kit", kit, "--policy", path, "--to", to,
                          "-o", target)  # fmt: skip

    def vault(self, verb: str, *words) -> dict:
        """A verb of `lamppost vault`, the first word after which is the vault."""
        if verb in ("technician", "store"):
            verb, words = (verb, words[0]), words[1:]
        is_done = "--done" in words and "--from-store" not in words
        if verb == "revoke" or (verb == "rotate" and is_done):
            words = *words, "--yes"
        verbs = (verb,) if isinstance(verb, str) else verb
        return self.ok("vault", *verbs, self.path, *words, *self.opening())

    def install(self, *boards: str, tickets=None, technician=None, clock=time.time) -> list:
        """Takes a ticket for each board's MAC, as `lamppost flash` does for a board that is bare,
        or for one that is a node already; NodeParts of each."""
        from host_tools.technician.ticket_nodes import TicketNodes

        with SealedFile.open(technician or self.anna, PASSPHRASE, self.key) as file:
            nodes = TicketNodes(file, tickets or self.tickets, clock=clock)
            return [nodes.bound_to(mac) or nodes.take(mac) for mac in boards]

    def put_up(self, *boards: str) -> list:
        """Of three tickets each board takes one, and office and home store know; their parts."""
        self.issue(3)
        parts = self.install(*boards)
        self.take_back()
        self.ok("keyring", "take", self.home, self.keys)
        return parts

    def take_back(self) -> dict:
        """The technician's receipts, and the vault takes them."""
        self.ok("technician", "receipts", self.anna, *self.opening(), "-o", self.receipts)
        return self.vault("accept", self.receipts, "-o", self.keys)

    def ok(self, *words) -> dict:
        """Runs a command that must end well; its --json."""
        code, out, err = lamppost(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def nodes(self) -> dict[str, dict]:
        return {row["node"]: row for row in self.vault("nodes")["nodes"]}


def lamppost(*words) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)"""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words])
    assert "Traceback" not in err.getvalue()
    return code, out.getvalue(), err.getvalue()


def refused(*words, code: int = 1) -> str:
    """What a command says that must be refused, with its next step."""
    found, _, err = lamppost(*words)
    assert found == code, err
    assert "error: " in err and "\nhint: " in err
    return err


__all__ = ["KIT", "City", "KeyFile", "lamppost", "published", "refused"]
