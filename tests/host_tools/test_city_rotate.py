# SPDX-License-Identifier: MIT
"""host_tools/city/rotate.py: new certificates for nodes that run, and when those before end."""

import shutil
import time
import types

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from host_tools import console
from host_tools.city import rotate, store_tells
from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.errors import ToolError
from host_tools.handover.command_file import read_commands
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import City, lamppost, published, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"
DAY_S = 86_400


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path / "city")
    city.folder.mkdir()
    city.fill()
    city.issue(3)
    city.parts = city.install(*BOARDS)
    city.take_back()
    return city


def told(city, node) -> list:
    """[(serial, certificate, its key)] that the commands of the moment bring a node."""
    path = city.folder / "a.commands"
    path.unlink(missing_ok=True)
    city.vault("commands", "-o", path)
    key = next(p.ticket.command for p in city.parts if p.ticket.node_id == node)
    found, content = [], b""
    for node_id, message in read_commands(path):
        fields = ref.open_down(key, node_id, "command", message) if node_id == node else [0, ""]
        if fields[1] != "certificate":
            continue
        number, _, serial, _, length, at, part = fields
        assert (number, at) == (0, len(content))
        content += part
        if len(content) == length:
            certificate, key_der = cbor2.loads(content)
            found.append((serial, x509.load_der_x509_certificate(certificate), key_der))
            content = b""
    assert content == b""
    return found


def test_commands_name_the_rotations(city):
    node = city.parts[0].ticket.node_id
    told = city.vault("rotate", node)
    target = ("-o", city.folder / "named.commands")
    assert city.vault("commands", *target)["rotations"] == told["certificates"]
    _, out, _ = lamppost("vault", "commands", city.path, *target, *city.opening())
    assert f"rotate, certificate {told['certificates'][node]}" in " ".join(out.split())


class Telling:
    """A home store, and nodes that tell it hour by hour which certificate they use, under the
    kit's own policy."""

    def __init__(self, city):
        self.path, self.home = city.folder / "home.sqlite", city.home
        city.ok("keyring", "take", city.home, city.keys)
        self.rules = published()[0].rules
        self.stream = next(
            line[0] for line in ref.dumps_back(self.rules)[6] if line[1] == "certificate"
        )
        with city.open() as file:
            query = "SELECT id, root, day0 FROM nodes"
            self.nodes = {
                node: ref.ReferenceNode(root, node, day0, self.rules)
                for node, root, day0 in file.db.execute(query)
            }

    def tell(self, node_id: str, serial, end_s: int, key_of=None) -> dict:
        """A window that ends then; key_of: another node, whose seals are used instead."""
        node = self.nodes[key_of or node_id]
        records = [
            line if line[0] != self.stream else [*line[:2], serial] for line in node.due(end_s)
        ]
        message = node.seal(records, end_s)
        with Store(self.path, Keyring(self.home)) as store:
            return dict(store.take_batch([(f"lp/{node_id}/up", message)], end_s).opened)


def revoked(city) -> set:
    """The serial numbers on the list for the broker."""
    city.vault("broker", "-o", city.folder / "broker")
    crl = x509.load_pem_x509_crl((city.folder / "broker" / "crl.pem").read_bytes())
    return {entry.serial_number for entry in crl}


def test_the_old_one_serves_until_the_new_one_is_proved(city):
    first, second = (parts.ticket.node_id for parts in city.parts)
    made = city.vault("rotate", first, second)["certificates"]
    assert made == {first: 1, second: 1} == city.vault("rotate")["certificates"]
    ((serial, certificate, key),) = told(city, first)
    assert serial == 1 and told(city, first)[0][1] == certificate  # the same, at any time
    names = certificate.subject.rfc4514_string()
    assert f"CN={first}" in names and "OU=node" in names
    private = serialization.load_der_private_key(key, None)
    assert private.public_key() == certificate.public_key()
    provisioned = city.parts[0].identity.certificate
    assert certificate.public_key() != provisioned.public_key()
    assert revoked(city) == set()
    assert city.vault("rotate", first, "--done")["revoked"] == {first: 1}
    assert revoked(city) == {provisioned.serial_number}
    assert (told(city, first), len(told(city, second))) == ([], 1)
    assert city.vault("rotate")["certificates"] == {second: 1}
    with city.open() as file:
        assert key not in file.db.serialize()  # it is forgotten


def test_it_comes_with_a_mix(city):
    node = city.parts[0].ticket.node_id
    query = "SELECT count(*) FROM mixes WHERE node = ?"
    with city.open() as file:
        before = file.db.execute(query, (node,)).fetchone()[0]
        rotate.rotate(file, [node], int(time.time()))
        assert file.db.execute(query, (node,)).fetchone()[0] == before + 1


def test_a_second_one_waits_for_the_first_to_end(city):
    node = city.parts[0].ticket.node_id
    words = ("vault", "rotate", city.path, node, *city.opening())
    assert "no rotation of node" in refused(*words, "--done")
    assert lamppost(*words)[0] == 0
    err = refused(*words)
    assert f"a rotation of node {node} is under way: certificate 1" in err and "--done" in err
    first = told(city, node)[0][1]
    assert lamppost(*words, "--done", "--yes")[0] == 0
    assert "no rotation of node" in refused(*words, "--done")
    assert city.vault("rotate", node)["certificates"] == {node: 2}
    assert city.vault("rotate", node, "--done")["revoked"] == {node: 1}
    assert revoked(city) == {city.parts[0].identity.certificate.serial_number, first.serial_number}


def test_a_serial_also_rises_by_the_clock(city):
    """So a vault from a backup gives none again that the node has."""
    node = city.parts[0].ticket.node_id
    with city.open() as file:
        now_s, day0 = int(time.time()), city.parts[0].ticket.day0
        in_use = (now_s + 30 * DAY_S - (day0 + 1) * DAY_S) // (2 * HOUR_S)
        assert rotate.rotate(file, [node], now_s + 30 * DAY_S) == {node: in_use}
        rotate.finish(file, [node], now_s + 30 * DAY_S)
        assert rotate.rotate(file, [node], now_s) == {node: in_use + 1}
        rotate.finish(file, [node], now_s)
        last_s = (day0 + 1) * DAY_S + ((1 << 16) - 1) * 2 * HOUR_S
        assert last_s > now_s + 14 * 366 * DAY_S
        assert rotate.rotate(file, [node], last_s) == {node: (1 << 16) - 1}
        rotate.finish(file, [node], last_s)
        with pytest.raises(ToolError, match="no more certificates"):
            rotate.rotate(file, [node], now_s + 70_000 * DAY_S)


def test_a_vault_that_was_restored_on_the_same_day_gives_no_serial_again(city, tmp_path):
    node = city.parts[0].ticket.node_id
    shutil.copy(city.path, tmp_path / "backup")
    at_s = (city.parts[0].ticket.day0 + 5) * DAY_S
    with city.open() as file:
        lost = rotate.rotate(file, [node], at_s)[node]
    shutil.copy(tmp_path / "backup", city.path)
    with city.open() as file:
        assert rotate.rotate(file, [node], at_s + 2 * HOUR_S)[node] > lost


def test_its_parts_come_before_what_a_node_may_start_anew_for(city):
    """A node forgets the parts that it has when it starts anew, as after its first tree."""
    node = city.parts[0].ticket.node_id
    city.vault("rotate", node)
    path = city.folder / "a.commands"
    city.vault("commands", "-o", path)
    key = city.parts[0].ticket.command
    numbers = [
        ref.open_down(key, node, "command", message)[0]
        for to, message in read_commands(path) if to == node
    ]  # fmt: skip
    assert numbers[0] == 0 and numbers[-1] > 0 and numbers == sorted(numbers)


def test_of_several_nodes_all_or_none(city):
    first, second = (parts.ticket.node_id for parts in city.parts)
    waiting = next(n for n, row in city.nodes().items() if row["state"] == "issued")
    words = ("vault", "rotate", city.path, first, "--json", *city.opening())
    assert f"node {waiting} is issued, not active" in refused(*words, waiting)
    assert "there is no node 0000000000" in refused(*words, "0000000000")
    assert city.vault("rotate")["certificates"] == {}
    city.vault("rotate", first, first)
    assert "no rotation" in refused(*words, second, "--done")
    assert city.vault("rotate")["certificates"] == {first: 1}
    assert "which nodes" in refused("vault", "rotate", city.path, "--done", *city.opening(),
                                    code=2)  # fmt: skip


def test_a_node_that_is_revoked_loses_all_of_them(city):
    node = city.parts[0].ticket.node_id
    city.vault("rotate", node)
    ((_, certificate, key),) = told(city, node)
    city.vault("revoke", "node", node)
    both = {city.parts[0].identity.certificate.serial_number, certificate.serial_number}
    assert revoked(city) == both
    assert (told(city, node), city.vault("rotate")["certificates"]) == ([], {})
    with city.open() as file:
        assert key not in file.db.serialize()
    words = ("vault", "rotate", city.path, node, *city.opening())
    assert "is revoked, not active" in refused(*words)
    assert "is revoked, not active" in refused(*words, "--done")


def test_the_log_has_no_key_and_tells_serials(city):
    node = city.parts[0].ticket.node_id
    city.vault("rotate", node)
    ((_, _, key),) = told(city, node)
    city.vault("rotate", node, "--done")
    entries = city.vault("log")
    assert key.hex() not in str(entries)
    verbs = [entry["verb"] for entry in entries["entries"]]
    assert verbs[-2:] == ["rotate", "rotated"] or verbs[:2] == ["rotated", "rotate"]


HOUR_S = 3600
NOW_S = 0  # the hour that goes on when a test begins


@pytest.fixture(autouse=True)
def this_hour(monkeypatch):
    monkeypatch.setitem(globals(), "NOW_S", int(time.time()) // HOUR_S * HOUR_S)


def set_clock(monkeypatch, now_s):
    """Of the command alone."""
    clock = types.SimpleNamespace(time=lambda: now_s)
    monkeypatch.setattr("host_tools.commands.vault.rotate.time", clock)


def test_a_store_says_whose_rotation_may_end(city, monkeypatch):
    first, second = sorted(parts.ticket.node_id for parts in city.parts)
    telling = Telling(city)
    assert telling.tell(first, 1, NOW_S) == {first: 1}  # forged, or of before: it has no such one
    city.vault("rotate", first, second)
    done = "rotate", "--done", "--from-store", telling.path
    waiting = {"certificate": 1, "told": None, "told_at": None}
    told_at = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(NOW_S))
    before = {"certificate": 1, "told": 1, "told_at": told_at}
    told = city.vault(*done)
    assert (told["revoked"], told["waiting"]) == ({}, {first: before, second: waiting})
    later_s = NOW_S + 2 * HOUR_S
    # A later window of the one; of the other what another node has sealed.
    assert telling.tell(first, 1, later_s) == {first: 1}
    assert telling.tell(second, 1, later_s, key_of=first) == {}
    set_clock(monkeypatch, later_s - 1)
    told = city.vault(*done)  # by this machine's clock it has not ended
    assert (told["revoked"], told["waiting"][first]) == ({}, before)
    with city.open(read_only=True) as file:
        seen = rotate.told(file, store_tells.certificates(telling.path, later_s))
    assert [seen[node].is_proved for node in (first, second)] == [True, False]
    set_clock(monkeypatch, later_s)
    words = "vault", *done[:1], city.path, *done[1:], *city.opening()
    code, out, _ = lamppost(*words)
    assert code == 0 and f"{first}: certificates before it that are revoked: 1" in out
    assert f"{second}: certificate 1 is under way; it told last: nothing" in out
    assert city.vault("rotate")["certificates"] == {second: 1}
    provisioned = {parts.ticket.node_id: parts.identity.certificate for parts in city.parts}
    assert revoked(city) == {provisioned[first].serial_number}
    with city.open(read_only=True) as file:
        newest = file.newest
    assert city.vault(*done)["revoked"] == {}
    with city.open(read_only=True) as file:
        assert file.newest == newest  # nothing ended, so nothing is written down


def test_what_it_told_last_counts(city):
    """It went back to the certificate before, as the new one failed it."""
    node = city.parts[0].ticket.node_id
    telling = Telling(city)
    telling.tell(node, 0, NOW_S)
    with city.open() as file:
        rotate.rotate(file, [node], NOW_S)
        for hour, serial, proves in ((1, 1, True), (2, None, True), (3, 0, False), (4, 1, True)):
            now_s = NOW_S + hour * HOUR_S
            telling.tell(node, serial, now_s)
            told = store_tells.certificates(telling.path, now_s)
            one = rotate.told(file, told, [node])[node]
            assert (hour, one.is_proved) == (hour, proves)
        assert (one.serial, one.last, one.end_s) == (1, 1, now_s)
        telling.tell(node, 0, now_s + HOUR_S)
        told = store_tells.certificates(telling.path, now_s)  # the last is of a clock ahead
        assert rotate.told(file, told, [node])[node].is_proved


def test_what_a_store_cannot_be_asked(city):
    node, other = (parts.ticket.node_id for parts in city.parts)
    store = Telling(city)
    store.tell(other, 0, NOW_S)
    words = "vault", "rotate", city.path, *city.opening()
    asked = "--done", "--from-store", store.path
    code, out, _ = lamppost(*words, *asked)
    assert code == 0 and "no rotation is under way" in out
    assert f"no rotation of node {node}" in refused(*words, node, *asked)
    city.vault("rotate", node)
    told = city.vault("rotate", node, *asked)
    assert list(told["waiting"]) == [node] and told["revoked"] == {}
    assert "goes with --done" in refused(*words, node, *asked[1:], code=2)
    assert f"no rotation of node {other}" in refused(*words, node, other, *asked)
    assert "there is no node" in refused(*words, "0000000000", *asked)
    assert "no such store" in refused(*words, *asked[:2], city.folder / "none.sqlite")
    assert "is not a store" in refused(*words, *asked[:2], city.path)
    assert city.vault("rotate")["certificates"] == {node: 1}


def test_it_names_the_next_commands(city):
    node = city.parts[0].ticket.node_id
    code, _, err = lamppost("vault", "rotate", city.path, node, *city.opening())
    told, target = " ".join(err.split()), f"{city.path.stem}.commands"
    for command in (
        f"lamppost vault update {city.path} --to home -o home.grant",
        f"lamppost vault commands {city.path} -o {target}", f"lamppost send {target}",
        f"lamppost read --quantity certificate --node {node}",
        f"lamppost vault rotate {city.path} --done --from-store STORE",
    ):  # fmt: skip
        assert command in told, err
    assert code == 0 and "--to roads" not in told  # which has no seal of it


def test_done_without_a_store_shows_what_ends_and_asks(city, monkeypatch):
    node = city.parts[0].ticket.node_id
    city.vault("rotate", node)
    words = "vault", "rotate", city.path, node, "--done", *city.opening()
    err = refused(*words, code=2)
    assert f"nodes: 1: {node}; their certificates before, which end: 1" in err and "--yes" in err
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr(console, "ask_yes", lambda question: False)
    assert lamppost(*words)[0] == 1
    assert city.vault("rotate")["certificates"] == {node: 1} and revoked(city) == set()
    monkeypatch.setattr(console, "ask_yes", lambda question: True)
    assert lamppost(*words)[0] == 0
    assert revoked(city) == {city.parts[0].identity.certificate.serial_number}
