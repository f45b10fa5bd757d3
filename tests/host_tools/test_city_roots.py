# SPDX-License-Identifier: MIT
"""Masked streams: their trees are in no ticket. The node gets them by command, and the controller
their roots alone."""

import time

import pytest

from host_tools.city import mixing
from host_tools.provisioning import controller_key
from host_tools.provisioning.controller_key import ControllerKey
from host_tools.provisioning.mask_roots import read_roots
from host_tools.provisioning.ticket import mask_root
from node.pipeline.down import CommandOpener
from tests.host_tools.city_place import City, published, refused
from tests.host_tools.vault_place import remember_argon2id

KIT = "energy-p1"
SECRET = controller_key.new_sealing_secret()
KEY = ControllerKey("data protection", bytes(range(32)), controller_key.sealing_public(SECRET))


@pytest.fixture
def city(tmp_path, monkeypatch):
    remember_argon2id(monkeypatch)
    city = City(tmp_path / "city")
    city.folder.mkdir()
    city.fill()
    city.issue(1, "bob")  # of a kit that masks nothing
    city.issue(2, kit=KIT)
    (city.folder / "controller.public").write_bytes(KEY.encode())
    return city


def test_from_the_vault_to_node_and_controller(city):
    words = ("vault", "roots", city.path, *city.opening(), "--controller",
             city.folder / "controller.public", "-o", city.folder / "a.roots")  # fmt: skip
    assert "no active node that masks" in refused(*words)
    streams = published(KIT)[0].policy().streams
    masked = {stream.number for stream in streams if stream.bins is not None}
    parts = city.install("24:0a:c4:11:22:33")[0]
    air = city.install("24:0a:c4:11:22:34", tickets=city.folder / "bob.tickets",
                       technician=city.bob)[0]  # fmt: skip
    assert masked and parts.ticket.masks == air.ticket.masks == {}
    city.take_back()
    with city.open(read_only=True) as file:
        sent = mixing.messages(file, int(time.time()))
    opener = CommandOpener(parts.ticket.command, parts.ticket.node_id)
    commands = [opener.open(message) for to, message in sent if to == parts.ticket.node_id]
    given = {words[0]: words[1] for _, verb, words in commands if verb == "mask"}
    assert set(given) == masked and [verb for _, verb, _ in commands][-1] == "mix"
    assert not [1 for to, message in sent if to == air.ticket.node_id
                and CommandOpener(air.ticket.command, to).open(message)[1] == "mask"]  # fmt: skip
    assert city.ok(*words)["nodes"] == 1
    with city.open(read_only=True) as file:
        office = file.db.execute("SELECT public FROM keys WHERE name = 'office'").fetchone()[0]
        query = "SELECT root FROM nodes WHERE id = ?"
        root = file.db.execute(query, (parts.ticket.node_id,)).fetchone()[0]
    (node,) = read_roots(city.folder / "a.roots", SECRET, KEY, office)
    assert node.node_id == parts.ticket.node_id and node.roots == given
    assert node.roots == {n: mask_root(root, node.node_id, n) for n in masked}
    city.ok("keyring", "take", city.home, city.keys)  # and the store has none of it
    text = city.home.read_text()
    assert not any(one.hex() in text for one in (*node.roots.values(), root))
    city.vault("revoke", "node", node.node_id)
    assert "no active node that masks" in refused(*words)
