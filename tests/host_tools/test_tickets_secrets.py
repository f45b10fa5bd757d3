# SPDX-License-Identifier: MIT
"""No key of a node, a technician or an office is where somebody could find it: on the way from the
vault to the boards and back, in what is written, said, listed, or left behind."""

import contextlib
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from host_tools.city.vault_keys import authority_of
from host_tools.collector.store_key import read_store_key
from host_tools.errors import ToolError
from host_tools.handover.grants import read_grant
from host_tools.handover.tickets import read_tickets
from host_tools.provisioning.ticket import make_ticket, mask_root
from host_tools.technician import technician_file
from host_tools.technician.ticket_nodes import TicketNodes
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.city_place import City, lamppost
from tests.host_tools.test_city_policies import version, write
from tests.host_tools.test_vault_secrets import Seen
from tests.host_tools.vault_place import PASSPHRASE, argon2id  # noqa: F401

ROOT = Path(__file__).parents[2]
BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"
NAMES_OF_FACTORS = ("key", "other", "passphrase", "new")
# what may hold keys in the clear, for its owner only: a keyring, a store's key
KEYRINGS = ("home.json", "roads.json", "home.json.key", "roads.json.key")


def secrets(city) -> set[bytes]:
    """All keys of the city as bytes, in hex and as Python shows them."""
    found = {PASSPHRASE.encode()}
    with city.open(read_only=True) as file:
        for node_id, root, day0 in file.db.execute("SELECT id, root, day0 FROM nodes"):
            ticket = make_ticket(root, node_id, day0)
            found |= {root, ticket.seal, ticket.receipt, ticket.command}
            found |= {mask_root(root, node_id, 1)}
        found |= {secret for (secret,) in file.db.execute("SELECT secret FROM keys")}
        found |= {a for (a,) in file.db.execute("SELECT a FROM mixes")}
        found.add(authority_of(file).key.private_numbers().private_value.to_bytes(32))
    for path in (city.anna, city.bob):
        with SealedFile.open(path, PASSPHRASE, city.key, read_only=True) as file:
            rows = file.db.execute("SELECT secret FROM keys WHERE secret <> x''")
            found |= {secret for (secret,) in rows}
    for path in (city.home, city.roads):
        found.add(read_store_key(path).secret)
    shown = {repr(one)[2:-1].encode() for one in found}
    return found | shown | {one.hex().encode() for one in found}


def assert_none(known: set[bytes], data: bytes, where: str):
    for secret in known:
        assert secret not in data, where


def whole_way(city) -> str:
    """Every command on the way of a ticket; what they say."""
    said = []

    def say(*words, code=0):
        found, out, err = lamppost(*words)
        assert found == code, err
        said.append(out + err)

    opening = city.opening()
    target = ("-o", city.tickets)
    say("vault", "issue", city.path, "--count", 3, "--kit", "air", "--policy",
        city.folder / "air.policy", "--to", "anna", *target, *opening)  # fmt: skip
    say("technician", "tickets", city.anna, city.tickets, *opening)
    nodes = [parts.ticket.node_id for parts in city.install(*BOARDS)]
    say("technician", "receipts", city.anna, "-o", city.receipts, *opening)
    say("vault", "accept", city.path, city.receipts, "-o", city.keys, *opening)
    say("keyring", "take", city.home, city.keys)
    say("keyring", "epochs", city.home)
    grant = city.folder / "roads.grant"
    say("vault", "grant", city.path, *nodes, "--to", "roads", "-o", grant, *opening)
    say("keyring", "take", city.roads, grant)
    say("vault", "revoke", city.path, "reader", "roads", "--yes", *opening)
    say("vault", "mix", city.path, nodes[0], *opening)
    write(city, "2.policy", **version(2))
    say("vault", "policy", city.path, "--all", "--policy", city.folder / "2.policy", *opening)
    say("vault", "resend", city.path, nodes[0], "--log", "01020304", "--from", 1, *opening)
    say("vault", "update", city.path, "--to", "home", "-o", grant, *opening)
    say("vault", "commands", city.path, "-o", city.folder / "a.commands", *opening)
    say("vault", "broker", city.path, "-o", city.folder / "broker", *opening)
    labels = ("-o", city.folder / "labels.pdf", "--notice-url", "https://city.example/air")
    say("label", *nodes, *labels, "--vault", city.path, *opening)
    code = said[-1].split("code ")[1][:9]
    say("vault", "claim", city.path, nodes[0], code, "--by", "anna", *opening)
    say("vault", "nodes", city.path, *opening)
    say("vault", "log", city.path, *opening)
    # and what is refused
    say("keyring", "take", city.home, grant, code=0)
    say("keyring", "take", city.roads, city.keys, code=1)
    say("vault", "accept", city.path, city.tickets, "-o", city.keys, *opening, code=1)
    say("technician", "tickets", city.bob, city.tickets, *opening, code=1)
    return "".join(said)


def test_in_no_word_and_no_file(tmp_path, monkeypatch):
    """Every write of the process is looked at, also that of files that are gone again."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    city = City(tmp_path / "city")
    city.folder.mkdir()
    city.fill()
    written, fdopen, write = [], os.fdopen, os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", lambda fd, mode: Named(fdopen(fd, mode), fd, written))
        patch.setattr(os, "write", lambda fd, data: (written.append(("", bytes(data))),
                                                     write(fd, data))[1])  # fmt: skip
        said = whole_way(city)
    known = secrets(city)
    assert len(known) > 60 and len(written) > 20
    assert_none(known, said.encode(), "said")
    plain = 0
    for content, data in written:
        if content.startswith(b'{"policies"') or b"lp1 store key" in data:
            plain += 1  # a keyring, which is for its owner only
            continue
        assert_none(known, data, "written")
    assert plain >= 4
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in NAMES_OF_FACTORS + KEYRINGS:
            assert_none(known, path.read_bytes(), path.name)
        if path.is_file() and path.name in (*KEYRINGS, "anna.tickets", "home.grant"):
            assert path.stat().st_mode & 0o077 == 0, path.name


class Named(Seen):
    """Keeps (the beginning of it, what is written)."""

    def __init__(self, file, fd, written):
        super().__init__(file, None)
        self._fd, self._all = fd, written

    def write(self, data):
        self._all.append((bytes(data)[:20], bytes(data)))
        return self._file.write(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("made")).fill()
    whole_way(city)
    return city


def test_in_no_repr_and_no_traceback(made):
    city, known = made, secrets(made)
    told = []
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
        nodes = TicketNodes(file, city.tickets)
        tickets = read_tickets(city.tickets, technician_file.office_of(file).sign)
        parts = nodes.look("24:0a:c4:00:00:09")
        key = read_store_key(city.home)
        _, granted = read_grant(city.keys, key.office.sign, key.name, key.secret)
        things = [nodes, tickets, parts, parts.ticket, key, granted, granted.nodes[0]]
        told += [repr(things), str(things)]
        for call in (
            lambda: tickets.tickets[0].open("eve", technician_file.key(file, "tickets")[0]),
            lambda: read_grant(city.keys, key.office.sign, "eve", key.secret),
            lambda: file.db.execute("INSERT INTO keys SELECT * FROM keys"),
        ):
            with pytest.raises(Exception) as err:
                call()
            told.append("".join(traceback.format_exception(err.value)) + repr(err.value))
            told.append(getattr(err.value, "hint", ""))
            assert not isinstance(err.value, ToolError) or err.value.hint
    assert_none(known, "".join(told).encode(), "told")


def test_in_no_list_of_processes(made):
    city, known = made, secrets(made)
    words = ("vault", "nodes", city.path, *city.opening(), "--json")
    command = [sys.executable, "-m", "host_tools.cli", *map(str, words)]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = b""
    while run.poll() is None:
        for name in ("cmdline", "environ", "comm"):
            with contextlib.suppress(OSError):
                seen += Path(f"/proc/{run.pid}/{name}").read_bytes()
        time.sleep(0.02)
    out, err = run.communicate()
    assert run.returncode == 0 and b"city.vault" in seen, err
    assert_none(known, seen + out + err, "seen")
