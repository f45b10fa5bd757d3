# SPDX-License-Identifier: MIT
"""host_tools/city/rotate.py: new certificates for nodes that run, and when those before end."""

import time

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from host_tools.city import rotate
from host_tools.errors import ToolError
from host_tools.handover.command_file import read_commands
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import City, lamppost, refused
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
    assert lamppost(*words, "--done")[0] == 0
    assert "no rotation of node" in refused(*words, "--done")
    assert city.vault("rotate", node)["certificates"] == {node: 2}
    assert city.vault("rotate", node, "--done")["revoked"] == {node: 1}
    assert revoked(city) == {city.parts[0].identity.certificate.serial_number, first.serial_number}


def test_a_serial_also_rises_by_the_clock(city):
    """So a vault from a backup gives none again that the node has."""
    node = city.parts[0].ticket.node_id
    with city.open() as file:
        now_s = int(time.time())
        assert rotate.rotate(file, [node], now_s + 30 * DAY_S) == {node: 30}
        rotate.finish(file, [node], now_s + 30 * DAY_S)
        assert rotate.rotate(file, [node], now_s) == {node: 31}
        rotate.finish(file, [node], now_s)
        with pytest.raises(ToolError, match="no more certificates"):
            rotate.rotate(file, [node], now_s + 70_000 * DAY_S)


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
