# SPDX-License-Identifier: MIT
"""vault/sealed_file.py over any sequence of what can be done to it, beside a model of it."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from host_tools import chained_log, private_file
from host_tools.errors import ToolError
from host_tools.vault.factors import KeyFile, make_key_file
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.vault_place import remember_argon2id

PASSPHRASES = st.sampled_from(["first words", "second words"])
WHO = st.integers(0, 2)
SCHEMA = "CREATE TABLE things (name INTEGER);"


class Vault(RuleBasedStateMachine):
    """slots: {number: (which key file, passphrase)}; things: what is in the table."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        self.keys = [KeyFile(folder / f"key-{n}") for n in range(3)]
        for key in self.keys:
            make_key_file(key.path)
        self.path = folder / "vault"
        self.file = SealedFile.create(self.path, "first words", self.keys[0], SCHEMA)
        self.slots, self.things, self.entries, self.next = {1: (0, "first words")}, [], 1, 2

    def teardown(self):
        self.file.close()
        self.folder.cleanup()

    @rule(name=st.integers(0, 99), fails=st.sampled_from(["", "body", "fsync", "replace"]))
    def put(self, name, fails):
        def fail(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.MonkeyPatch.context() as patch:
            if fails in ("fsync", "replace"):
                patch.setattr(private_file.os, fails, fail)
            try:
                with self.file.change("put", {"name": name}):
                    self.file.db.execute("INSERT INTO things VALUES (?)", (name,))
                    if fails == "body":
                        raise KeyError
            except (KeyError, ToolError):
                assert fails
                return
        assert not fails
        self.things.append(name)
        self.entries += 1

    @rule(who=WHO, passphrase=PASSPHRASES)
    def reopen(self, who, passphrase):
        numbers = [n for n, slot in self.slots.items() if slot == (who, passphrase)]
        number = self.file.slot_number
        self.file.close()
        try:
            self.file = SealedFile.open(self.path, passphrase, self.keys[who])
            assert self.file.slot_number in numbers
        except ToolError:
            assert not numbers
            key, old = self.slots[number]
            self.file = SealedFile.open(self.path, old, self.keys[key])

    @rule(who=WHO, passphrase=PASSPHRASES)
    def add(self, who, passphrase):
        assert self.file.add_factor(passphrase, self.keys[who]) == self.next
        self.slots[self.next] = who, passphrase
        self.next += 1
        self.entries += 1

    @rule(data=st.data())
    def remove(self, data):
        number = data.draw(st.sampled_from(sorted(self.slots)))
        try:
            self.file.remove_factor(number)
        except ToolError:
            assert number == self.file.slot_number
            return
        del self.slots[number]
        self.entries += 1

    @rule(passphrase=PASSPHRASES)
    def change_passphrase(self, passphrase):
        number = self.file.slot_number
        who, _ = self.slots[number]
        self.file.change_passphrase(passphrase, self.keys[who])
        self.slots[number] = who, passphrase
        self.entries += 1

    @invariant()
    def is_as_the_model(self):
        for one in (self.file, self._read()):
            assert [name for (name,) in one.db.execute("SELECT name FROM things")] == self.things
            assert one.newest[0] == self.entries
            assert {slot.number for slot in one.slots} == set(self.slots)
            assert chained_log.first_broken(one.db) is None

    def _read(self) -> SealedFile:
        who, passphrase = self.slots[self.file.slot_number]
        return SealedFile.open(self.path, passphrase, self.keys[who], read_only=True)


def test_any_sequence(monkeypatch):
    remember_argon2id(monkeypatch)
    monkeypatch.setattr(os, "urandom", few_salts(os.urandom))
    options = settings(max_examples=40, stateful_step_count=15, deadline=None, database=None,
                       suppress_health_check=list(HealthCheck))  # fmt: skip
    run_state_machine_as_test(Vault, settings=options)


def few_salts(urandom):
    """The salt of Argon2id and the vault's id, of 16 bytes, are always the same here: a call of
    Argon2id for each example would take minutes."""
    return lambda size: b"\1" * 16 if size == 16 else urandom(size)
