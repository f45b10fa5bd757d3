# SPDX-License-Identifier: MIT
"""What the tests of vaults share: a folder with key files, passphrase files and a city's vault."""

import functools
import os
from pathlib import Path

import pytest

from host_tools.cli import run
from host_tools.vault import slots
from host_tools.vault.factors import KeyFile, make_key_file
from host_tools.vault.schema import SCHEMA
from host_tools.vault.sealed_file import SealedFile

PASSPHRASE = "seven grey herons on the weir"
NEW_PASSPHRASE = "eleven quiet lamps along the quay"


def remember_argon2id(patch):
    """Each different call of Argon2id is made once: it is what takes long, and is the same."""
    patch.setattr(slots.Stretch, "of", functools.cache(slots.Stretch.of))


@pytest.fixture(scope="module", autouse=True)
def argon2id():
    """For each test of a module that imports it."""
    with pytest.MonkeyPatch.context() as patch:
        remember_argon2id(patch)
        yield


class Place:
    """key, other: key files, of which the vault's slot 1 and 2 are; passphrase, new_passphrase:
    files with the passphrases."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / "city.vault"
        self.key, self.other = KeyFile(folder / "key"), KeyFile(folder / "other", "safe")
        self.passphrase, self.new_passphrase = folder / "passphrase", folder / "new"

    def fill(self) -> "Place":
        for factor in (self.key, self.other):
            make_key_file(factor.path)
        for path, text in (
            (self.passphrase, PASSPHRASE),
            (self.new_passphrase, NEW_PASSPHRASE),
        ):
            path.write_text(text + "\n")
            os.chmod(path, 0o600)
        with SealedFile.create(self.path, PASSPHRASE, self.key, SCHEMA) as file:
            file.add_factor(PASSPHRASE, self.other)
        return self

    def open(self, passphrase=PASSPHRASE, factor=None, **options) -> SealedFile:
        return SealedFile.open(self.path, passphrase, factor or self.key, **options)

    def lamppost(self, verb: str, *words, key=None) -> int:
        """Runs a verb of `lamppost vault` that opens with the first factor, or with this one."""
        factor = ("--key-file", (key or self.key).path, "--passphrase-file", self.passphrase)
        return run(["vault", verb, *map(str, (*words, *factor))])
