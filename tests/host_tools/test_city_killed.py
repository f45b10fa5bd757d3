# SPDX-License-Identifier: MIT
"""Commands of tickets and grants, killed at each system call that writes: the vault opens, its log
is whole, nothing is half issued, and the same command mends what is missing."""

import shutil
from collections import Counter

import cbor2
import pytest

from host_tools import chained_log
from host_tools.city import mixing
from host_tools.collector.keyring import Keyring
from host_tools.handover.cards import read_technician
from host_tools.handover.claim_code import claim_code
from host_tools.handover.tickets import read_tickets
from host_tools.provisioning.ticket import make_ticket
from host_tools.technician import technician_file
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools import test_city_policies
from tests.host_tools.city_place import City, lamppost
from tests.host_tools.dying_signer import died_at
from tests.host_tools.vault_place import PASSPHRASE, argon2id  # noqa: F401

BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return City(tmp_path_factory.mktemp("empty")).fill()


@pytest.fixture(scope="module")
def installed(empty, tmp_path_factory):
    """Three tickets, two used, receipted and not accepted."""
    city = copy_of(empty, tmp_path_factory.mktemp("installed") / "city")
    city.issue(3)
    city.install(*BOARDS)
    city.ok("technician", "receipts", city.anna, *city.opening(), "-o", city.receipts)
    return city


@pytest.fixture(scope="module")
def active(installed, tmp_path_factory):
    city = copy_of(installed, tmp_path_factory.mktemp("active") / "city")
    city.take_back()
    city.ok("keyring", "take", city.home, city.keys)
    return city


def copy_of(made: City, folder) -> City:
    shutil.copytree(made.folder, folder)
    city = City(folder)
    for path in (city.path, city.anna):  # children find what Argon2id gives
        SealedFile.open(path, PASSPHRASE, city.key).close()
    return city


def each_death(made, tmp_path, work, step=1):
    """Does work(city) in a child that dies at place 0, 1, 2 …; gives (what is left, what the
    vault said)."""
    for point in range(0, 300, step):
        city = copy_of(made, tmp_path / str(point))
        is_dead = died_at(point, lambda city=city: b"%d" % work(city), tmp_path / "sent")
        yield city, look(city)
        shutil.rmtree(city.folder)
        if not is_dead:
            assert (tmp_path / "sent").read_bytes() == b"0"
            assert point > 5
            return
    raise AssertionError("it does not end")


def look(city) -> dict:
    """What the vault holds, after a check of it."""
    with city.open() as file:
        assert chained_log.first_broken(file.db) is None
        assert file.db.execute("PRAGMA foreign_key_check").fetchall() == []
        one = file.db.execute
        states = dict(one("SELECT state, count(*) FROM nodes GROUP BY state"))
        tickets = one("SELECT count(*) FROM tickets").fetchone()[0]
        certificates = one("SELECT count(*) FROM certificates WHERE role = 'node'").fetchone()[0]
        rotations = one("SELECT count(*) FROM rotations").fetchone()[0]
        assert sum(states.values()) == tickets == certificates - rotations
        wanted = one("SELECT fields FROM commands WHERE until_s > 0")
        verbs = Counter(cbor2.loads(row[0])[0] for row in wanted)
        mixes, sent, outgoing = (one(f"SELECT count(*) FROM {t}").fetchone()[0]
                                 for t in ("mixes", "sent_policies", "outgoing"))  # fmt: skip
        assert (verbs["mix"], verbs["policy"]) == (mixes, sent)
        more = {verb: verbs[verb] for verb in ("policy", "resend") if verbs[verb]}
        return {**states, "mixes": mixes, "outgoing": outgoing, **more}


def command(city, *words) -> int:
    return lamppost(*words, *city.opening())[0]


def test_issue(empty, tmp_path):
    def work(city):
        words = ("--count", 4, "--kit", "air", "--policy", city.folder / "air.policy", "--to",
                 "anna", "-o", city.tickets)  # fmt: skip
        return command(city, "vault", "issue", city.path, *words)

    found = set()
    for city, told in each_death(empty, tmp_path, work):
        was_there = city.tickets.exists()
        found.add((told.get("issued", 0), was_there))
        assert not was_there or told["issued"] == 4  # no file without its entry
        if not (was_there and told["outgoing"] == 0):
            assert work(city) == 0
        told = look(city)
        assert told["issued"] == 4 and told["outgoing"] == 0
        with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
            tickets = read_tickets(city.tickets, technician_file.office_of(file).sign)
        assert {ticket.node_id for ticket in tickets.tickets} == set(city.nodes())
        city.install(*BOARDS)
    assert found == {(0, False), (4, False), (4, True)}


def test_issue_goes_on_under_another_name(empty, tmp_path):
    """Its medium is gone: the same tickets go to another file."""
    city = copy_of(empty, tmp_path / "city")
    gone = city.folder / "usb"
    words = ("vault", "issue", city.path, "--kit", "air", "--policy", city.folder / "air.policy",
             "--to", "anna", *city.opening())  # fmt: skip
    code, _, err = lamppost(*words, "-o", gone / "a.tickets")
    assert code == 1 and "run the same command again" in err
    assert look(city) == {"issued": 1, "mixes": 0, "outgoing": 1}
    code, _, err = lamppost(*words, "--count", 2, "-o", gone / "a.tickets")
    assert code == 1 and "run that one again first" in err
    assert lamppost(*words, "-o", city.tickets)[0] == 0
    assert look(city) == {"issued": 1, "mixes": 0, "outgoing": 0}
    city.install(BOARDS[0])


def test_issue_that_goes_on_writes_over_no_other_file(empty, tmp_path):
    """Not at another name, nor at its own, where somebody else has put one meanwhile."""
    city = copy_of(empty, tmp_path / "city")
    gone = city.folder / "usb"
    words = ("vault", "issue", city.path, "--kit", "air", "--policy", city.folder / "air.policy",
             "--to", "anna", *city.opening(), "-o")  # fmt: skip
    assert lamppost(*words, gone / "a.tickets")[0] == 1
    gone.mkdir()
    for target in (city.tickets, gone / "a.tickets"):
        target.write_bytes(b"bob's")
        code, _, err = lamppost(*words, target)
        assert code == 1 and "is there already" in err
        assert target.read_bytes() == b"bob's"
        assert look(city)["outgoing"] == 1
    target.unlink()
    assert lamppost(*words, target)[0] == 0
    assert look(city) == {"issued": 1, "mixes": 0, "outgoing": 0}
    city.install(BOARDS[0], tickets=target)


def test_accept(installed, tmp_path):
    def work(city):
        return command(city, "vault", "accept", city.path, city.receipts, "-o", city.keys)

    found = set()
    for city, told in each_death(installed, tmp_path, work):
        found.add((told.get("active", 0), city.keys.exists()))
        assert told["mixes"] == told.get("active", 0) in (0, 2)
        assert work(city) == 0
        told = look(city)
        assert (told["active"], told["mixes"]) == (2, 2)
        assert len(city.ok("keyring", "take", city.home, city.keys)["new"]) == 2
    assert found == {(0, False), (2, False), (2, True)}


def test_grant(active, tmp_path):
    nodes = [node for node, row in active.nodes().items() if row["state"] == "active"]

    def work(city):
        target = city.folder / "roads.grant"
        return command(city, "vault", "grant", city.path, *nodes, "--to", "roads", "-o", target)

    for city, _ in each_death(active, tmp_path, work):
        assert work(city) == 0
        taken = city.ok("keyring", "take", city.roads, city.folder / "roads.grant")
        assert taken["new"] == nodes


def test_policy_and_resend(active, tmp_path):
    """All nodes or none; run again, a policy goes to nobody twice."""
    nodes = [node for node, row in active.nodes().items() if row["state"] == "active"]
    policy = test_city_policies.write(active, "2.policy", **test_city_policies.version(2))

    def send(city):
        words = ("--all", "--policy", city.folder / "2.policy")
        return command(city, "vault", "policy", city.path, *words)

    def ask(city):
        words = (nodes[0], "--log", "01020304", "--from", 7)
        return command(city, "vault", "resend", city.path, *words)

    for work, name, whole in ((send, "policy", 2), (ask, "resend", 1)):
        found = set()
        for city, told in each_death(active, tmp_path, work):
            found.add(told.get(name, 0))
            if name == "policy" or name not in told:
                assert work(city) == 0
            assert look(city)[name] == whole
            if name == "policy":
                city.vault("update", "--to", "home", "-o", city.keys)
                city.ok("keyring", "take", city.home, city.keys)
                versions = [one.digest for one in Keyring(city.home).node(nodes[0]).policies]
                assert policy.digest in versions
        assert found == {0, whole}


@pytest.mark.parametrize(
    "kind, name, mixes", [("technician", "anna", 4), ("store", "home", 4), ("node", None, 2)]
)
def test_revoke(active, tmp_path, kind, name, mixes):
    nodes = [node for node, row in active.nodes().items() if row["state"] == "active"]
    found = set()

    def work(city):
        return command(city, "vault", "revoke", city.path, kind, name or nodes[0], "--yes")

    for city, told in each_death(active, tmp_path, work):
        with city.open() as file:
            is_done = file.newest[0] > 0 and file.db.execute(
                "SELECT count(*) FROM log WHERE verb = 'revoke'"
            ).fetchone() == (1,)
        found.add(is_done)
        assert told["mixes"] == (mixes if is_done else 2)
        assert work(city) == (1 if is_done else 0)  # a second time there is nothing to revoke
    assert found == {False, True}


def test_mix_in_the_place_of_one_that_was_refused(active, tmp_path):
    node = next(node for node, row in active.nodes().items() if row["state"] == "active")
    found = set()

    def work(city):
        return command(city, "vault", "mix", city.path, node, "--refused", 2)

    for city, told in each_death(active, tmp_path, work):
        with city.open() as file:
            epochs = tuple(mixing.mixes_of(file, node))
        found.add(epochs)
        assert told["mixes"] == 2
        assert work(city) == (0 if epochs == (2,) else 1)  # it is forgotten already
    assert found == {(2,), (3,)}


def test_claim(empty, tmp_path):
    city = copy_of(empty, tmp_path / "made")
    city.issue(1)
    with city.open() as file:
        ((node, root, day0),) = file.db.execute("SELECT id, root, day0 FROM nodes")
        with file.change("older", {}):
            file.db.execute("DROP TABLE claims")  # a vault of before has none
    code = claim_code(make_ticket(root, node, day0).command, node)
    found = set()

    def work(city, *words):
        words = node, code, "--by", "anna", "--post", "lamp 1041", *words
        return command(city, "vault", "claim", city.path, *words)

    for left, _ in each_death(city, tmp_path, work):
        post = left.nodes()[node]["post"]
        found.add(post)
        assert work(left) == (0 if post is None else 1)  # it says by whom, and wants --again
        assert work(left, "--again") == 0
        assert left.nodes()[node]["post"] == "lamp 1041"
    assert found == {None, "lamp 1041"}


def test_rotate_and_done(active, tmp_path):
    nodes = [node for node, row in active.nodes().items() if row["state"] == "active"]
    before = look(active)["mixes"]

    def work(city):
        return command(city, "vault", "rotate", city.path, *nodes)

    def finish(city):
        return command(city, "vault", "rotate", city.path, *nodes, "--done", "--yes")

    found = set()
    for city, told in each_death(active, tmp_path / "rotate", work):
        serials = city.vault("rotate")["certificates"]  # under way
        found.add(len(serials))
        assert told["mixes"] == before + len(serials)
        assert work(city) == (1 if serials else 0)  # a second one has to wait
        assert sorted(city.vault("rotate")["certificates"]) == nodes
    assert found == {0, 2}
    under_way = copy_of(active, tmp_path / "under way")
    assert work(under_way) == 0
    found = set()
    for city, _ in each_death(under_way, tmp_path / "done", finish):
        serials = city.vault("rotate")["certificates"]
        with city.open() as file:
            query = "SELECT count(*) FROM certificates WHERE revoked_s IS NOT NULL"
            revoked = file.db.execute(query).fetchone()[0]
        found.add((len(serials), revoked))
        assert finish(city) == (0 if serials else 1)
    assert found == {(2, 0), (0, 2)}


def test_technician_add_and_setup(empty, tmp_path):
    def work(city):
        words = ("--name", "office", "--broker", "other.test:8883", "--sntp", "time.test",
                 "--policy-key", city.folder, "-o", city.folder / "b.office")  # fmt: skip
        return command(city, "vault", "setup", city.path, *words)

    for city, _ in each_death(empty, tmp_path, work):
        assert work(city) == 0
        card = (city.folder / "b.office").read_bytes()
        assert card == (city.folder / "city.office").read_bytes()  # the keys are the same


def test_technician_init(empty, tmp_path):
    def work(city):
        path = city.folder / "eve.technician"
        if path.exists():
            return command(city, "technician", "status", path, "--card", city.folder / "eve.card")
        words = ("--name", "eve", "--office", city.folder / "city.office")
        return command(city, "technician", "init", path, *words, "-o", city.folder / "eve.card")

    # each fourth, since Argon2id runs each time: test_vault_killed.py has all of `create`
    for city, _ in each_death(empty, tmp_path, work, step=4):
        assert work(city) == 0
        card = read_technician(city.folder / "eve.card")
        with SealedFile.open(city.folder / "eve.technician", PASSPHRASE, city.key) as file:
            assert technician_file.card(file) == card


def test_a_ticket_that_is_being_used(installed, tmp_path):
    """The third board: its ticket is free or used, and the board gets the same one again."""
    mac = "24:0a:c4:11:22:35"

    def work(city):
        city.install(mac)
        return 0

    for city, _ in each_death(installed, tmp_path, work):
        with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
            assert chained_log.first_broken(file.db) is None
            uses = technician_file.uses(file)
        (parts,) = city.install(mac)
        assert len(uses) == 2 or uses[-1].node_id == parts.ticket.node_id
        with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
            assert len(technician_file.uses(file)) == 3


def test_technician_receipts(installed, tmp_path):
    """None goes out of which the file does not know that it is out."""

    def work(city):
        city.receipts.unlink(missing_ok=True)
        words = ("technician", "receipts", city.anna, "-o", city.receipts)
        return lamppost(*words, *city.opening())[0]

    found = set()
    for city, _ in each_death(again_in(installed, tmp_path), tmp_path, work):
        with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
            assert chained_log.first_broken(file.db) is None
            known = {bool(out) for (out,) in file.db.execute("SELECT is_out FROM used")}
        found.add((city.receipts.exists(), *known))
        assert work(city) == 0
    assert found == {(False, False), (False, True), (True, True)}


def again_in(installed, tmp_path):
    """As it is when no receipts were written yet."""
    city = copy_of(installed, tmp_path / "made")
    city.receipts.unlink(missing_ok=True)
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as file, file.change("test", {}):
        file.db.execute("UPDATE used SET is_out = 0")
    return city


def test_keyring_take(installed, active, tmp_path):
    city = copy_of(installed, tmp_path / "made")
    city.take_back()

    def work(city):
        return lamppost("keyring", "take", city.home, city.keys)[0]

    found = set()
    for left, _ in each_death(city, tmp_path, work):
        found.add(len(Keyring(left.home).node_ids()))
        assert work(left) == 0
        ring = Keyring(left.home)
        assert [list(ring.node(node).mixes) for node in ring.node_ids()] == [[2], [2]]
    assert found == {0, 2}


def test_certificate(empty, tmp_path):
    def work(city):
        words = ("collector-1", "--role", "collector", "--store", "home", "-o")
        return command(city, "vault", "certificate", city.path, *words, city.folder / "tls")

    for city, _ in each_death(empty, tmp_path, work):
        if not (city.folder / "tls" / "collector-1.key").exists():
            assert work(city) == 0
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization

        assert (city.folder / "tls" / "ca.pem").exists()
        pem = (city.folder / "tls" / "collector-1.pem").read_bytes()
        key = (city.folder / "tls" / "collector-1.key").read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        private = serialization.load_pem_private_key(key, None)
        assert certificate.public_key() == private.public_key()
        with city.open() as file:
            serial = f"{certificate.serial_number:x}"
            query = "SELECT store FROM certificates WHERE serial = ?"
            assert file.db.execute(query, (serial,)).fetchone() == ("home",)
