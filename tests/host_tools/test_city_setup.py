# SPDX-License-Identifier: MIT
"""`lamppost vault setup`, cards, and the keys of a store: what is refused, and what is kept."""

import os
import shutil

import pytest
from cryptography import x509

from host_tools.collector.keyring import Keyring
from host_tools.errors import ToolError
from host_tools.handover import cards
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.lms_tree import LmsTree
from host_tools.provisioning.node_parts import read_parts
from tests.host_tools.city_place import City, published, refused
from tests.host_tools.vault_place import Place, argon2id  # noqa: F401


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return City(tmp_path_factory.mktemp("made")).fill()


@pytest.fixture
def city(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "city")
    return City(tmp_path / "city")


def setup(city, *more, name="office", broker="broker.test:8883"):
    return ("vault", "setup", city.path, *city.opening(), "--name", name, "--broker", broker,
            "--sntp", "time.test", "--policy-key", city.folder / "policy.key", "-o",
            city.folder / "b.office", *more)  # fmt: skip


def newest(city) -> int:
    with city.open(read_only=True) as file:
        return file.newest[0]


def test_again_with_the_same_values_nothing_changes(city):
    before = newest(city)
    city.ok(*setup(city))
    assert newest(city) == before
    city.ok(*setup(city, broker="other.test:8883"))
    assert newest(city) == before + 1
    city.issue(1)
    assert city.install("24:0a:c4:11:22:33")[0].broker == ("other.test", 8883)


def test_the_log_says_what_an_audit_asks(city):
    """Whose keys came in, what nodes are told, which certificates went out, from when on."""
    city.issue(1)
    node = city.install("24:0a:c4:11:22:33")[0].ticket.node_id
    city.take_back()
    city.vault("grant", node, "--to", "roads", "-o", city.folder / "roads.grant")
    city.vault("certificate", "c1", "--role", "collector", "--store", "home", "-o",
               city.folder / "tls")  # fmt: skip
    city.vault("certificate", "b1", "--role", "broker", "--host", "b.test", "--host", "10.0.0.1",
               "-o", city.folder / "tls")  # fmt: skip
    (city.folder / "policy.key").write_bytes(LmsTree(bytes(32), bytes(range(16))).public_key)
    city.ok(*setup(city))
    entries = [(one["verb"], one["detail"]) for one in city.vault("log")["entries"]]
    found = {verb: [detail for v, detail in entries if v == verb] for verb, _ in entries}
    keys = [cards.fingerprint(key) for key in (published()[1],
            (city.folder / "policy.key").read_bytes())]  # fmt: skip
    assert [one["policy_key"] for one in found["set up"]] == keys
    assert {one["sntp"] for one in found["set up"]} == {"time.test"}
    read = {"anna": cards.read_technician, "home": cards.read_store, "roads": cards.read_store}
    told = {one["name"]: one["fingerprint"] for v in ("add technician", "add store")
            for one in found[v]}  # fmt: skip
    for name, read_card in read.items():
        assert told[name] == read_card(city.folder / f"{name}.card").fingerprint()
    assert [one["epochs"] for one in found["grant"]] == [{node: 0}]
    collector, broker = found["certify"]
    assert (collector["store"], broker["hosts"]) == ("home", ["b.test", "10.0.0.1"])
    for name, detail in (("c1", collector), ("b1", broker)):
        pem = (city.folder / "tls" / f"{name}.pem").read_bytes()
        assert detail["serial"] == f"{x509.load_pem_x509_certificate(pem).serial_number:x}"


def test_what_is_refused(city):
    ours = Authority.create()
    ours.save(city.folder / "tls", "ca")
    ours.issue("a-leaf", "vault").save(city.folder / "leaf", "ca")
    shutil.copytree(city.folder / "tls", city.folder / "open")
    (city.folder / "open" / "ca.key").chmod(0o640)
    for words, said in (
        (setup(city, name="another"), "is the vault of office"),
        (setup(city, "--tls-dir", city.folder / "tls"), "has another authority"),
        (setup(city, "--tls-dir", city.folder / "leaf"), "is the certificate of no authority"),
        (setup(city, "--tls-dir", city.folder / "open"), "ca.key can be read by others"),
        (setup(city, "--policy-key", city.tickets), "No such file"),
        (setup(city, "-o", city.path), "is the vault itself"),
    ):
        assert said in refused(*words)
    refused(*setup(city, broker="broker.test"), code=2)
    refused(*setup(city, name="../x"), code=2)


def test_an_authority_that_the_city_has(tmp_path):
    place = Place(tmp_path / "city")
    place.folder.mkdir()
    place.fill()
    shutil.copy(place.folder / "key", place.folder / "copy")
    city = City(place.folder)
    authority = Authority.create()
    authority.save(city.folder / "tls", "ca")
    (city.folder / "policy.key").write_bytes(bytes(60))
    assert "set the city up first" in refused("vault", "broker", city.path, *city.opening(), "-o",
                                              city.folder / "b")  # fmt: skip
    city.ok(*setup(city, "--tls-dir", city.folder / "tls"))
    city.vault("broker", "-o", city.folder / "b")
    assert (city.folder / "b" / "ca.pem").read_bytes() == authority.pem()[0]


def test_cards_that_are_none(city):
    technician = city.folder / "anna.card"
    data = technician.read_bytes()
    for at in range(0, len(data), 7):
        technician.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        refused("vault", "technician", "add", city.path, technician, *city.opening())
    refused("vault", "store", "add", city.path, technician, *city.opening())
    store = city.folder / "low.card"
    store.write_bytes(cards.Store("low", bytes(32)).encode())  # a point of low order
    refused("vault", "store", "add", city.path, store, *city.opening())
    store.write_bytes(cards.Store("a/b", bytes(range(32))).encode())
    refused("vault", "store", "add", city.path, store, *city.opening())


def test_a_pipe_is_no_card_and_no_vault(city):
    """Nobody writes into it: it is not waited for."""
    pipe = city.folder / "pipe.card"
    os.mkfifo(pipe, 0o600)
    assert "is no file" in refused("vault", "store", "add", city.path, pipe, *city.opening())
    assert "is no file" in refused("vault", "status", pipe)
    for read, path in ((Keyring, city.home), (read_parts, city.folder / "0000000000.parts")):
        os.mkfifo(path, 0o600)
        with pytest.raises(ToolError, match="is no file"):
            read(path)


def test_a_card_again(city):
    told = city.vault("technician", "add", city.folder / "anna.card")
    assert told["is_new"] is False
    told = city.vault("store", "add", city.folder / "home.card")
    assert told["is_new"] is False
    err = refused("vault", "store", "add", city.path, city.folder / "home.card", "--reader",
                  *city.opening())  # fmt: skip
    assert "another store or reader home" in err


def test_a_stores_key_is_for_its_owner_and_made_once(city):
    path = city.folder / "home.json.key"
    before = path.read_bytes()
    words = ("keyring", "init", city.home, "--name", "home", "--office",
             city.folder / "city.office", "-o", city.folder / "again.card")  # fmt: skip
    city.ok(*words)
    assert path.read_bytes() == before
    assert (city.folder / "again.card").read_bytes() == (city.folder / "home.card").read_bytes()
    assert "is of home" in refused(*words, "--name", "other")
    path.chmod(0o644)
    assert "can be read by others" in refused(*words)
