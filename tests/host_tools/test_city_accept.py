# SPDX-License-Identifier: MIT
"""Receipts: what makes a node count, and what does not."""

import dataclasses
import json
import shutil
import time

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.store_key import read_store_key
from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.handover.command_file import read_commands
from host_tools.handover.grants import read_grant
from host_tools.handover.receipts import MOST, decode_receipts, read_receipts
from host_tools.technician import technician_file
from host_tools.vault.sealed_file import SealedFile
from node.pipeline import envelope
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import City, lamppost, refused
from tests.host_tools.vault_place import PASSPHRASE, argon2id  # noqa: F401

DAY_S = 86_400
BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("made")).fill()
    city.issue(3)
    city.install(*BOARDS)
    city.ok("technician", "receipts", city.anna, *city.opening(), "-o", city.receipts)
    uses = decode_receipts(city.receipts.read_bytes(), "it").uses
    city.installed = [use.node_id for use in uses]
    return city


@pytest.fixture
def city(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "city")
    city = City(tmp_path / "city")
    city.installed = made.installed
    return city


def forge(city, who="anna", office=None, **changes):
    """Receipts with other content, signed with the technician's own key."""
    path = city.folder / f"{who}.technician"
    with SealedFile.open(path, PASSPHRASE, city.key, read_only=True) as file:
        receipts = decode_receipts(city.receipts.read_bytes(), "it")
        uses = [dataclasses.replace(use, **changes) for use in receipts.uses]
        office = office or receipts.office
        changed = dataclasses.replace(receipts, technician=who, uses=tuple(uses), office=office)
        city.receipts.write_bytes(changed.signed(technician_file.key(file, "receipts")[0]))


def accept(city) -> tuple[int, dict, str]:
    words = ("vault", "accept", city.path, city.receipts, *city.opening(), "-o", city.keys)
    code, out, err = lamppost(*words, "--json")
    return code, json.loads(out) if out else {}, err


def states(city) -> list[str]:
    return sorted(row["state"] for row in city.nodes().values())


def test_what_is_installed_counts(city):
    code, told, _ = accept(city)
    assert code == 0 and told["nodes"] == city.installed and told["refused"] == {}
    assert states(city) == ["active", "active", "issued"]
    again = accept(city)[1]
    assert again["nodes"] == [] and again["known"] == city.installed
    with city.open() as file:  # and nothing twice
        assert file.db.execute("SELECT count(*) FROM mixes").fetchone() == (2,)
        assert file.db.execute("SELECT count(*) FROM commands").fetchone() == (2,)


def test_more_receipts_come_later(city):
    accept(city)
    third = city.install("24:0a:c4:11:22:35")[0].ticket.node_id
    told = city.take_back()
    assert told["nodes"] == [third] and sorted(told["known"]) == sorted(city.installed)
    key = read_store_key(city.home)
    _, granted = read_grant(city.keys, key.office.sign, key.name, key.secret)
    assert [one.node_id for one in granted.nodes if one.seal] == [third]  # not those once more
    err = refused("keyring", "take", city.home, city.keys)  # the first file was not taken
    assert "have it granted: lamppost vault grant" in err
    told = city.vault("grant", *city.installed, third, "--to", "home", "--from", "2020-01-01",
                      "-o", city.keys)  # fmt: skip
    assert set(told["epochs"].values()) == {0}
    assert len(city.ok("keyring", "take", city.home, city.keys)["new"]) == 3


def test_the_home_store_opens_and_the_laptop_ends_with_the_mix(city):
    accept(city)
    city.ok("keyring", "take", city.home, city.keys)
    city.vault("commands", "-o", city.folder / "all.commands")
    messages = dict(read_commands(city.folder / "all.commands"))
    ring = Keyring(city.home)
    for parts in city.install(*BOARDS):
        ticket, keys = parts.ticket, ring.node(parts.ticket.node_id)
        number, verb, epoch, a = opened(ticket, messages[ticket.node_id])
        assert (verb, epoch) == ("mix", 2) and 0 <= time.time() - number < 600
        for day in range(6):
            theirs = ref.seal_at(ticket.seal, day)
            assert keys.seal_at(day) == ref.seal_at(ticket.seal, day, [(epoch, a)])
            assert (keys.seal_at(day) == theirs) == (day < epoch)
        assert keys.receipt == ticket.receipt
        assert keys.policies[0].rules + b"" == parts.policy[: len(keys.policies[0].rules)]


def opened(ticket, message: bytes) -> list:
    """A command as the node opens it."""
    import cbor2
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    _, headers, ciphertext = cbor2.loads(message).value
    aad = ref.enc_structure("lp1", ticket.node_id, "command")
    assert len(headers[5]) == envelope.NONCE_LENGTH
    return cbor2.loads(AESCCM(ticket.command, 16).decrypt(headers[5], ciphertext, aad))


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"used_s": int(time.time()) + 31 * DAY_S}, "had expired when it was used"),
        ({"used_s": int(time.time()) + 2 * DAY_S}, "used in the future"),
        ({"used_s": int(time.time()) - 2 * DAY_S}, "before it was issued"),
        ({"node_id": "0000000000"}, "this vault has not issued it"),
    ],
)
def test_what_does_not_count(city, changes, why):
    forge(city, **changes)
    code, told, err = accept(city)
    assert code == 1 and told["nodes"] == []
    assert len(told["refused"]) == 2
    assert all(why in one for one in told["refused"].values()) and why in err
    assert states(city) == ["issued"] * 3


def test_a_ticket_that_nobody_knows(city):
    receipts = decode_receipts(city.receipts.read_bytes(), "it")
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        unknown = dataclasses.replace(receipts.uses[0], id=bytes(16))
        more = dataclasses.replace(receipts, uses=(*receipts.uses, unknown))
        city.receipts.write_bytes(more.signed(technician_file.key(file, "receipts")[0]))
    code, told, _ = accept(city)
    assert code == 1 and told["nodes"] == city.installed
    assert told["refused"] == {bytes(16).hex(): "this vault has not issued it"}


def sign(city, uses):
    """anna signs receipts of these uses."""
    receipts = decode_receipts(city.receipts.read_bytes(), "it")
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        more = dataclasses.replace(receipts, uses=(*receipts.uses, *uses))
        secret = technician_file.key(file, "receipts")[0]
    head = more.office, more.technician, more.made_s
    rows = [list(dataclasses.astuple(use)) for use in more.uses]
    city.receipts.write_bytes(document.sign(secret, document.RECEIPTS, *head, rows))


def unknown(city, count):
    use = decode_receipts(city.receipts.read_bytes(), "it").uses[0]
    ids = [number.to_bytes(16, "big") for number in range(count)]
    return [dataclasses.replace(use, id=id_) for id_ in ids]


def test_many_that_are_refused_are_counted(city):
    """Whoever signs thousands fills neither the vault's log nor the screen."""
    sign(city, unknown(city, 3000))
    code, told, err = accept(city)
    assert code == 1 and told["nodes"] == city.installed
    assert told["refused_count"] == 3000 and len(told["refused"]) == 20
    assert err.count("error: ticket") == 20 and "and 2980 more: 3000 in all" in err
    with city.open(read_only=True) as file:
        query = "SELECT detail FROM log WHERE verb = 'accept'"
        detail = json.loads(file.db.execute(query).fetchone()[0])
    assert detail["refused_count"] == 3000 and len(detail["refused"]) == 20


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_more_than_anybody_installs(city, count):
    before = city.path.read_bytes()
    sign(city, unknown(city, count))
    words = ("vault", "accept", city.path, city.receipts, *city.opening(), "-o", city.keys)
    assert "holds more than 10,000 receipts" in refused(*words)
    assert city.path.read_bytes() == before and not city.keys.exists()


def test_a_technicians_file_does_not_write_more_than_the_office_takes(city):
    receipts = decode_receipts(city.receipts.read_bytes(), "it")
    uses = tuple(unknown(city, MOST + 1))
    with pytest.raises(ToolError, match="10,001 receipts, of 10,000 at most"):
        dataclasses.replace(receipts, uses=uses).signed(bytes(32))
    data = dataclasses.replace(receipts, uses=uses[:MOST]).signed(bytes(32))
    city.receipts.write_bytes(data)
    assert len(decode_receipts(read_receipts(city.receipts), "it").uses) == MOST


def test_one_that_is_refused_does_not_stop_the_others(city):
    city.vault("revoke", "ticket", city.nodes()[city.installed[0]]["ticket"])
    code, told, _ = accept(city)
    assert code == 1 and told["nodes"] == city.installed[1:]
    assert list(told["refused"].values()) == ["it is revoked"]
    assert states(city) == ["active", "issued", "revoked"]


def test_used_twice(city):
    """As from a laptop that was set back, and has used the ticket for another board."""
    accept(city)
    forge(city, use=bytes(range(16)))
    code, told, _ = accept(city)
    assert code == 1 and told["known"] == []
    assert all("used twice" in why for why in told["refused"].values())
    assert states(city) == ["active", "active", "issued"]


def test_twice_in_one_file(city):
    receipts = decode_receipts(city.receipts.read_bytes(), "it")
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        twice = dataclasses.replace(receipts, uses=receipts.uses[:1] * 2)
        city.receipts.write_bytes(twice.signed(technician_file.key(file, "receipts")[0]))
    code, told, _ = accept(city)
    assert code == 1 and told["nodes"] == []
    assert list(told["refused"].values()) == ["the receipts name it twice"]


def test_two_uses_in_one_file(city):
    """As of a board that was whole, and another that said its MAC."""
    receipts = decode_receipts(city.receipts.read_bytes(), "it")
    first = receipts.uses[0]
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        more = dataclasses.replace(first, use=bytes(range(16)))
        twice = dataclasses.replace(receipts, uses=(*receipts.uses, more))
        city.receipts.write_bytes(twice.signed(technician_file.key(file, "receipts")[0]))
    code, told, _ = accept(city)
    assert code == 1 and told["nodes"] == [use.node_id for use in receipts.uses[1:]]
    assert "used twice" in told["refused"][first.id.hex()]


def test_anothers_tickets(city):
    """Bob has anna's receipts, and signs them."""
    forge(city, who="bob")
    code, told, _ = accept(city)
    assert code == 1 and set(told["refused"].values()) == {"it was issued to anna"}


def test_not_signed_by_who_it_names(city):
    receipts = decode_receipts(city.receipts.read_bytes(), "it")
    with SealedFile.open(city.bob, PASSPHRASE, city.key, read_only=True) as file:
        city.receipts.write_bytes(receipts.signed(technician_file.key(file, "receipts")[0]))
    code, _, err = accept(city)
    assert code == 1 and "altered, or not signed by anna" in err
    assert states(city) == ["issued"] * 3


def test_altered_anywhere(city):
    data = city.receipts.read_bytes()
    words = ("vault", "accept", city.path, city.receipts, *city.opening(), "-o", city.keys)
    for at in range(0, len(data), 23):
        city.receipts.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        refused(*words)
    city.receipts.write_bytes(data[:-1])
    refused(*words)
    assert states(city) == ["issued"] * 3 and not city.keys.exists()
    city.receipts.write_bytes(data)
    assert accept(city)[0] == 0


def test_for_another_office(city):
    forge(city, office=bytes(32))
    assert "for another office" in accept(city)[2]


def test_of_a_technician_who_is_revoked(city):
    city.vault("revoke", "technician", "anna")
    code, _, err = accept(city)
    assert code == 1 and "anna is revoked" in err
    assert states(city) == ["revoked"] * 3


def test_a_reader_gets_no_new_nodes(city):
    words = ("vault", "accept", city.path, city.receipts, *city.opening(), "-o", city.keys)
    assert "is a reader" in refused(*words, "--to", "roads")
    city.vault("revoke", "store", "home")
    assert "has 0 home stores" in refused(*words)
