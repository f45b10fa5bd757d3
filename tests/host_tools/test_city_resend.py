# SPDX-License-Identifier: MIT
"""`lamppost vault resend`: from where on nodes are asked, and what is refused."""

import time

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.handover.command_file import read_commands
from node.pipeline.down import CommandOpener
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import City, lamppost, published, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("made")).fill()
    parts = city.put_up(*BOARDS)
    city.parts = sorted(parts, key=lambda one: one.ticket.node_id)
    city.ids = [one.ticket.node_id for one in city.parts]
    city.store = city.folder / "home.sqlite"
    fill(city)
    return city


def fill(city):
    """The first node has delivered 1 to 3 and 5 of one outbox, after 1 and 2 of another."""
    node_id, rules = city.ids[0], published()[0].rules
    now_s = int(time.time()) // 300 * 300
    with city.open() as file:
        query = "SELECT root, day0 FROM nodes WHERE id = ?"
        root, day0 = file.db.execute(query, (node_id,)).fetchone()
    with Store(city.store, Keyring(city.home)) as store:
        for count, log, numbers in ((0, b"old!", (1, 2)), (1, b"new!", (1, 2, 3, 5))):
            node = ref.ReferenceNode(root, node_id, day0, rules, log=log)
            for number in numbers:
                at_s = now_s - 36_000 + 3600 * (4 * count + number)
                node.number = number - 1
                message = node.seal(node.due(at_s), at_s)
                result = store.take_batch([(f"lp/{node_id}/up", message)], now_s)
                assert result.opened == {node_id: 1}


def asked(city, parts) -> list:
    path = city.folder / "all.commands"
    city.vault("commands", "-o", path)
    opener = CommandOpener(parts.ticket.command, parts.ticket.node_id)
    sent = [opener.open(one) for to, one in read_commands(path) if to == parts.ticket.node_id]
    assert [one[0] for one in sent] == sorted({one[0] for one in sent})
    return [arguments for _, verb, arguments in sent if verb == "resend"]


def test_a_store_says_from_where_on(city):
    told = city.vault("resend", "--from-store", city.store)
    assert told["nodes"] == {city.ids[0]: {"log": b"new!".hex(), "from": 4}}
    assert told["unheard"] == city.ids[1:]
    assert asked(city, city.parts[0]) == [[b"new!", 4]] and asked(city, city.parts[1]) == []
    code, out, err = lamppost("vault", "resend", city.path, city.ids[1], "--from-store",
                              city.store, *city.opening())  # fmt: skip
    assert code == 0 and "asked: 0 nodes" in out
    assert f"{city.ids[1]}: the store has heard nothing of it" in err
    assert len(asked(city, city.parts[0])) == 1


def test_by_hand(city):
    told = city.vault("resend", city.ids[1], "--log", "0A0b0c0d", "--from", 17)
    assert told["nodes"] == {city.ids[1]: {"log": "0a0b0c0d", "from": 17}}
    assert asked(city, city.parts[1]) == [[b"\x0a\x0b\x0c\x0d", 17]]


def test_what_is_refused(city):
    with city.open(read_only=True) as file:
        before = file.newest
    words = "vault", "resend", city.path, *city.opening()
    node, log, first = city.ids[0], ("--log", "01020304"), ("--from", 1)
    for more in (
        (node,), log + first, (node, *log), (node, *first), (*city.ids, *log, *first),
        (node, *log, *first, "--from-store", city.store), (node, "--from-store", city.store, *log),
        (node, "--log", "zz", *first), (node, "--log", "0102030405", *first),
        (node, *log, "--from", 0), (node, *log, "--from", 1 << 32),
    ):  # fmt: skip
        refused(*words, *more, code=2)
    waiting = next(n for n, row in city.nodes().items() if row["state"] == "issued")
    assert "is issued, not active" in refused(*words, waiting, *log, *first)
    assert "there is no node" in refused(*words, "0000000000", *log, *first)
    assert "there is no node" in refused(*words, "0000000000", "--from-store", city.store)
    assert "no such store" in refused(*words, "--from-store", city.folder / "none.sqlite")
    assert "is not a store" in refused(*words, "--from-store", city.path)
    with city.open(read_only=True) as file:
        assert file.newest == before
