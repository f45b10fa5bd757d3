# SPDX-License-Identifier: MIT
"""The folder of a controller, and what its office does with it.

controller.vault   its keys and its nodes' roots, sealed (key_vault.py)
controller.public  its public key, for the vault of the nodes and for who asks for sums
ledger.sqlite      what it answered and refused (ledger.py)
"""

import time
from pathlib import Path

from host_tools import chained_log
from host_tools.controller import ledger
from host_tools.controller.controller import Controller
from host_tools.controller.key_vault import KeyVault
from host_tools.controller.ledger import Ledger
from host_tools.controller.policies import Allowed, allow
from host_tools.errors import ToolError
from host_tools.provisioning.controller_key import ControllerKey
from host_tools.provisioning.mask_roots import read_roots
from host_tools.public_file import write_public

PUBLIC = "controller.public"


def make(folder: Path, passphrase: str, factor, name: str, policy_key: bytes, office: bytes,
         ahead_s: int = 0) -> ControllerKey:  # fmt: skip
    """A new controller; returns its public key. policy_key, office, ahead_s: see key_vault.Keys.
    ToolError when the folder holds one already."""
    folder = Path(folder)
    if (folder / ledger.FILE).exists():
        raise ToolError(f"{folder} holds a controller already", "take a new folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as err:
        raise ToolError(f"{folder}: {err.strerror}", "take a folder that can be written") from err
    with KeyVault.create(folder, passphrase, factor, name, policy_key, office, ahead_s) as vault:
        public = vault.keys().public()
    write_public(folder / PUBLIC, public.encode())
    Ledger.create(folder / ledger.FILE)  # last: with it the controller is whole
    return public


def unlock(folder: Path, passphrase: str, factor) -> Controller:
    """The controller, ready to answer. Its vault notes how far the ledger is, and is closed: so
    what is added later is known after the next unlocking."""
    folder = Path(folder)
    with KeyVault.open(folder, passphrase, factor) as vault:
        keys = vault.keys()
        controller = Controller(keys, folder / ledger.FILE)
        _note_head(vault, folder, keys.head)
    return controller


def add(folder: Path, passphrase: str, factor, path: Path) -> tuple[int, int]:
    """Takes the nodes in a file of sealed roots; (how many it holds, how many were new)."""
    with KeyVault.open(folder, passphrase, factor) as vault:
        keys = vault.keys()
        nodes = read_roots(path, keys.sealing, keys.public(), keys.office)
        return len(nodes), vault.add(nodes)


def allow_policy(folder: Path, passphrase: str, factor, path: Path) -> tuple[Allowed, bool]:
    """Takes a published policy; (it, whether it is new)."""
    folder = Path(folder)
    try:
        encoded = Path(path).read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    with KeyVault.open(folder, passphrase, factor) as vault:
        keys = vault.keys()
        with Ledger(folder / ledger.FILE).turn() as db:
            found = allow(db, int(time.time()), encoded, str(path), keys.policy_key)
        _note_head(vault, folder, keys.head)
    return found


def restore(folder: Path, passphrase: str, factor) -> tuple[int, int]:
    """Goes on with a ledger that came back from a backup: (entries it has, entries it had when the
    vault was last open). From then on only what came after is opened, and what it answered."""
    folder = Path(folder)
    with KeyVault.open(folder, passphrase, factor) as vault:
        keys = vault.keys()
        with Ledger(folder / ledger.FILE).turn() as db:
            wrong = ledger.first_wrong(db)
            if wrong is not None:
                message = f"{folder / ledger.FILE}: {wrong}"
                raise ToolError(message, "bring back a backup that is whole")
            number, _ = chained_log.newest(db)
            if ledger.holds(db, *keys.head):
                message = f"{folder / ledger.FILE} is no older than the vault knows"
                raise ToolError(message, "there is nothing to restore: go on as usual")
            detail = {"entries": number, "expected": keys.head[0]}
            chained_log.append(db, int(time.time()), ledger.RESTORED, detail)
        _note_head(vault, folder, keys.head)
    return number, keys.head[0]


def _note_head(vault: KeyVault, folder: Path, before: tuple[int, bytes]):
    with Ledger(folder / ledger.FILE).reading() as db:
        newest = chained_log.newest(db)
    if newest != before:
        vault.note_head(*newest)
