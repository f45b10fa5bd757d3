# SPDX-License-Identifier: MIT
"""The controller of a simulated city whose policies mask something, ready to open sums.

controller/           its folder: host_tools/controller/folder.py
controller.key        the second factor. In a city it is a token or a medium, taken away
controller.passphrase the passphrase. In a city nobody writes it down
tls/controller.*      what it serves with; tls/office.*: an office that may ask it for sums

Both factors beside the vault protect nothing: that is for a simulation. Its nodes' clocks run
ahead of this machine's, so this controller opens what has not happened yet.
"""

import contextlib
import secrets
import shutil
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.collector.coverage import MaskedReader, policies_of
from host_tools.collector.read_store import open_to_read
from host_tools.controller import folder, ledger
from host_tools.controller.key_vault import KeyVault
from host_tools.controller.ledger import Ledger
from host_tools.controller.policies import allow
from host_tools.policy.signed import PublishedPolicy
from host_tools.private_file import write_private
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.mask_roots import NodeRoots
from host_tools.times import iso
from host_tools.vault.factors import KeyFile, make_key_file

FOLDER, KEY_FILE, PASSPHRASE = "controller", "controller.key", "controller.passphrase"
NAME, OFFICE = "Data protection office (simulated)", "office"
_HOSTS = ("localhost", "127.0.0.1")
_AHEAD_S = 20 * 366 * 86_400  # as far as a demo's --start may be, and more


def make_controller(
    city: Path, authority: Authority, masking: list[tuple[PublishedPolicy, NodeRoots]],
    policy_key: bytes,
):  # fmt: skip
    """Makes it in the city's folder. masking: of each node that masks something, its policy and
    its roots."""
    passphrase = secrets.token_urlsafe(24)
    write_private(city / PASSPHRASE, passphrase.encode() + b"\n")
    make_key_file(city / KEY_FILE)
    factors = passphrase, KeyFile(city / KEY_FILE)
    path = city / FOLDER
    # Its nodes are given to it here: there is no vault whose files of roots it could believe.
    nobody = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    folder.make(path, *factors, NAME, policy_key, nobody, ahead_s=_AHEAD_S)
    identity = authority.issue("controller", "controller", _HOSTS)
    identity.save(city / "tls", "controller")
    authority.issue(OFFICE, "requester").save(city / "tls", OFFICE)
    with KeyVault.open(path, *factors) as vault:
        vault.add([roots for _, roots in masking])
        vault.set_tls(authority.pem()[0], *identity.pem())
    with Ledger(path / ledger.FILE).turn() as db:
        for published in {published.rules: published for published, _ in masking}.values():
            allow(db, int(time.time()), published.encode(), "the city's policy", policy_key)


def remove_controller(city: Path):
    """Takes back what make_controller() made."""
    shutil.rmtree(city / FOLDER, ignore_errors=True)
    for name in (KEY_FILE, PASSPHRASE):
        (city / name).unlink(missing_ok=True)


def is_there(city: Path) -> bool:
    return (city / FOLDER / ledger.FILE).exists()


def words(city: Path, program: str, store: Path | str) -> list[str]:
    """What to type to open a sum of all that this store has, for a person."""
    factors = f"--key-file {city / KEY_FILE} --passphrase-file {city / PASSPHRASE}"
    asked = _asked(Path(store))
    if asked is None:
        return ["Masked streams open as sums: nothing of one has come yet."]
    return [
        "Masked streams open as sums. The controller, whose factors lie beside it as this is a "
        "simulation:",
        f"{program} controller serve {city / FOLDER} --listen 127.0.0.1:8443 {factors}",
        "and an office that asks it:",
        f"{program} sum --store {store} {asked} --controller https://127.0.0.1:8443 "
        f"--tls-dir {city / 'tls'} --name {OFFICE} "
        f"--controller-key {city / FOLDER / folder.PUBLIC}",
    ]


def _asked(store: Path) -> str | None:
    """The options that name the masked stream with the lowest number, and the time for which all
    its nodes have sent it; None when there is none."""
    with contextlib.closing(open_to_read(store)) as db:
        numbers = sorted({one.stream.number for one in policies_of(db)})
        for number in numbers:
            span = MaskedReader(db, number).common_span()
            if span is not None:
                begin, end = map(iso, span)
                return f"--stream {number} --from {begin} --to {end}"
    return None
