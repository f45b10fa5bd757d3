# SPDX-License-Identifier: MIT
"""Grants: from an epoch on, to one store; what a store gets, keeps, and loses."""

import json
import shutil
import time

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_tools import console
from host_tools.city.grant import check_active
from host_tools.collector.kept_policy import KeptPolicy
from host_tools.collector.keyring import GrantedKeys, Keyring, NodeKeys
from host_tools.collector.store import Store
from host_tools.collector.store_key import read_store_key, take_grant
from host_tools.errors import ToolError
from host_tools.handover import document, sealed_box
from host_tools.handover.grants import read_grant
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import City, lamppost, published, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

DAY_S = 86_400
BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two nodes that are active since ten days, whose first mix has come."""
    city = City(tmp_path_factory.mktemp("made")).fill()
    city.issue(2)
    city.parts = city.install(*BOARDS)
    city.take_back()
    with city.open() as file, file.change("test", {}):
        file.db.execute("UPDATE nodes SET day0 = day0 - 10")
    city.ok("keyring", "take", city.home, city.keys)
    return city


@pytest.fixture
def city(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "city")
    city = City(tmp_path / "city")
    city.parts = made.parts
    city.ids = [parts.ticket.node_id for parts in made.parts]
    return city


def chain(city, parts, epoch):
    """The node's seal, by another implementation."""
    with city.open() as file:
        query = "SELECT epoch, a FROM mixes WHERE node = ? ORDER BY epoch"
        mixes = file.db.execute(query, (parts.ticket.node_id,)).fetchall()
    return ref.seal_at(parts.ticket.seal, epoch, mixes)


def grant(city, *more, to="roads", nodes=None):
    path = city.folder / f"{to}.grant"
    told = city.vault("grant", *(nodes or city.ids), "--to", to, *more, "-o", path)
    return path, told


def test_a_reader_opens_from_a_day_on(city):
    path, told = grant(city)
    assert set(told["epochs"].values()) == {10}
    city.ok("keyring", "take", city.roads, path)
    ring = Keyring(city.roads)
    assert ring.node_ids() == sorted(city.ids)
    for parts in city.parts:
        keys = ring.node(parts.ticket.node_id)
        assert keys.epoch == 10 and keys.receipt == b""
        assert all(keys.seal_at(e) == chain(city, parts, e) for e in range(10, 15))
        text = city.roads.read_text()
        for hidden in (parts.ticket.receipt, parts.ticket.command, chain(city, parts, 9)):
            assert hidden.hex() not in text


def test_what_the_file_holds_is_sealed(city):
    path, _ = grant(city)
    data = path.read_bytes()
    for parts in city.parts:
        for key in (parts.ticket.seal, chain(city, parts, 10), parts.ticket.receipt):
            assert key not in data
    assert not any(node.encode() in data for node in city.ids)


def test_from_a_date(city):
    with city.open(read_only=True) as file:
        (day0,) = file.db.execute("SELECT max(day0) FROM nodes").fetchone()
    day = time.strftime("%Y-%m-%d", time.gmtime((day0 + 7) * DAY_S))
    _, told = grant(city, "--from", day)
    assert set(told["epochs"].values()) == {7}
    _, told = grant(city, "--from", "2020-01-01")
    assert set(told["epochs"].values()) == {0}


def test_another_home_store_starts_where_the_present_one_is(city):
    second = city.folder / "second.json"
    city.ok("keyring", "init", second, "--name", "second", "--office",
            city.folder / "city.office", "-o", city.folder / "second.card")  # fmt: skip
    city.vault("store", "add", city.folder / "second.card")
    words = ("vault", "grant", city.path, *city.ids, "--to", "second", *city.opening(), "-o",
             city.folder / "second.grant")  # fmt: skip
    assert "from when on?" in refused(*words, code=2)
    Keyring(city.home).forget_before({city.ids[0]: 4})
    oldest = city.folder / "oldest.json"
    # day0 was moved by the fixture, so the vault says again what the keyring knew
    oldest.write_text(json.dumps(city.ok("keyring", "epochs", city.home)))
    path, told = grant(city, "--oldest", oldest, to="second")
    assert told["epochs"] == {city.ids[0]: 4, city.ids[1]: 0}
    city.ok("keyring", "take", second, path)
    keys = Keyring(second).node(city.ids[0])
    assert keys.epoch == 4 and keys.receipt == city.parts[0].ticket.receipt
    oldest.write_text(json.dumps({"epochs": {city.ids[0]: -1}}))
    assert "does not say" in refused(*words, "--oldest", oldest)


def in_file(city, path, keyring):
    """{node: what a file of grants has for it}"""
    key = read_store_key(keyring)
    _, granted = read_grant(path, key.office.sign, key.name, key.secret)
    return {node.node_id: node for node in granted.nodes}


def at(monkeypatch, days):
    """So many days later, for all that runs here."""
    real_s = time.time()
    monkeypatch.setattr(time, "time", lambda: real_s + days * DAY_S)


def test_a_file_has_the_seal_of_the_day_that_was_asked_for(city, monkeypatch):
    """Also when an earlier one was granted once: what keyrings forgot stays so, unasked."""
    path, _ = grant(city, "--from", "2020-01-01")
    city.ok("keyring", "take", city.roads, path)
    city.vault("mix", *city.ids)
    at(monkeypatch, 300)
    path, told = grant(city)
    assert set(told["epochs"].values()) == {310}
    assert set(told["days"].values()) == {time.strftime("%Y-%m-%d", time.gmtime(time.time()))}
    for parts in city.parts:
        node = in_file(city, path, city.roads)[parts.ticket.node_id]
        assert node.epoch == 310 and node.seal == chain(city, parts, 310)
    city.ok("keyring", "take", city.roads, path)  # which holds an older one, and lacked a mix
    for parts in city.parts:
        keys = Keyring(city.roads).node(parts.ticket.node_id)
        assert keys.epoch == 0
        assert all(keys.seal_at(e) == chain(city, parts, e) for e in range(0, 320))
    city.roads.unlink()
    city.ok("keyring", "take", city.roads, path)  # lost: it begins where the file does
    for parts in city.parts:
        keys = Keyring(city.roads).node(parts.ticket.node_id)
        assert keys.epoch == 310 and keys.seal_at(315) == chain(city, parts, 315)


def test_a_store_gets_no_earlier_seal_than_its_keyring_says(city):
    Keyring(city.home).forget_before(dict.fromkeys(city.ids, 9))
    oldest = city.folder / "oldest.json"
    oldest.write_text(json.dumps(city.ok("keyring", "epochs", city.home)))
    path, told = grant(city, "--oldest", oldest, to="home")
    found = in_file(city, path, city.home)
    assert {n: node.epoch for n, node in found.items()} == told["epochs"]
    assert set(told["epochs"].values()) == {9}
    for parts in city.parts:
        assert found[parts.ticket.node_id].seal == chain(city, parts, 9)


def test_the_same_receipts_give_seals_for_a_week(city, monkeypatch):
    words = "accept", city.receipts, "-o", city.keys
    assert city.vault(*words)["epochs"] == dict.fromkeys(sorted(city.ids), 0)
    assert all(node.seal for node in in_file(city, city.keys, city.home).values())
    at(monkeypatch, 8)
    assert city.vault(*words)["epochs"] == {}
    found = in_file(city, city.keys, city.home)
    assert [node.seal for node in found.values()] == [b"", b""]
    err = lamppost("vault", *words[:1], city.path, *words[1:], *city.opening())[2]
    assert "has no seals" in err and "lamppost vault grant" in err


@pytest.mark.parametrize(
    "text",
    ['{"epochs": {"%s": 12}}', '{"epochs": {"%s": 1000000000}}', '{"epochs": {"%s": 65536}}',
     '{"epochs": {"%s": 9223372036854775808}}', '{"epochs": {"%s": true}}',
     '{"epochs": {"%s": 1.0}}',
     "[" * 100_000, "\xff"],
)  # fmt: skip
def test_an_oldest_that_cannot_be_is_refused(city, text):
    oldest, target = city.folder / "oldest.json", city.folder / "x.grant"
    oldest.write_text(text.replace("%s", city.ids[0]), "latin-1")
    words = ("vault", "grant", city.path, city.ids[0], *city.opening(), "-o", target)
    before = city.path.read_bytes()
    refused(*words, "--to", "home", "--oldest", oldest)
    assert "not there yet" in refused(*words, "--to", "roads", "--from", "9999-12-31")
    assert not target.exists() and city.path.read_bytes() == before
    oldest.write_text(json.dumps({"epochs": {city.ids[0]: 11}}))  # a node may be at tomorrow's
    city.ok(*words, "--to", "home", "--oldest", oldest)


@pytest.mark.parametrize("way", ["--from", "--oldest"])
def test_what_is_far_back_is_asked(city, monkeypatch, way):
    at(monkeypatch, 90)
    oldest, target = city.folder / "oldest.json", city.folder / "x.grant"
    oldest.write_text(json.dumps({"epochs": {city.ids[0]: 0}}))
    given = oldest if way == "--oldest" else "2020-01-01"
    words = ("vault", "grant", city.path, city.ids[0], "--to", "roads", way, given,
             *city.opening(), "-o", target)  # fmt: skip
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 100 * DAY_S))
    before = city.path.read_bytes()
    err = refused(*words, code=2)
    assert f"{city.ids[0]}: from {day} on" in err and "--yes" in err
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr(console, "ask_yes", lambda question: False)
    assert lamppost(*words)[0] == 1
    assert not target.exists() and city.path.read_bytes() == before
    assert city.ok(*words, "--yes")["days"] == {city.ids[0]: day}
    oldest.write_text(json.dumps({"epochs": {city.ids[0]: 69}}))  # 31 days
    city.ok("vault", "grant", city.path, city.ids[0], "--to", "home", "--oldest", oldest,
            *city.opening(), "-o", target)  # fmt: skip


def test_nothing_that_was_forgotten_comes_back(city):
    path, _ = grant(city, "--from", "2020-01-01")
    city.ok("keyring", "take", city.roads, path)
    Keyring(city.roads).forget_before(dict.fromkeys(city.ids, 12))
    city.ok("keyring", "take", city.roads, path)
    keys = Keyring(city.roads).node(city.ids[0])
    assert keys.epoch == 12 and keys.seal == chain(city, city.parts[0], 12)


def test_an_older_file_is_refused(city):
    older, _ = grant(city)
    kept = city.folder / "older.grant"
    shutil.copy(older, kept)
    newer, _ = grant(city)
    city.ok("keyring", "take", city.roads, newer)
    assert "older than what was taken" in refused("keyring", "take", city.roads, kept)
    city.ok("keyring", "take", city.roads, newer)  # the same may come again


def test_another_stores_file_and_an_altered_one(city):
    path, _ = grant(city)
    assert "is for roads" in refused("keyring", "take", city.home, path)
    data = path.read_bytes()
    before = city.roads.exists()
    for at in range(0, len(data), 211):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        refused("keyring", "take", city.roads, path)
    path.write_bytes(data[:-1])
    refused("keyring", "take", city.roads, path)
    assert city.roads.exists() == before


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["node", "pair", "rows", "pairs", "revoked"]), st.integers(0, 7), ANY)
def test_a_grant_of_another_form_is_refused(made, where, index, value):
    """Though the office itself sealed and signed it: ToolError, or a keyring that can be read."""
    policy, key = published()
    node = ["0123456789", 20_000, 0, bytes(32), b"", {}, [policy.policy().digest], 0]
    pair = [policy.encode(), key]
    content = [[node], [pair], []]
    if where == "node":
        node[index] = value
    elif where == "pair":
        pair[index % 2] = value
    else:
        content[["rows", "pairs", "revoked"].index(where)] = value
    with made.open(read_only=True) as file:
        query = "SELECT secret FROM keys WHERE name = 'office'"
        (secret,) = file.db.execute(query).fetchone()
    info = cbor2.dumps([document.GRANT, "roads", 1 << 40], canonical=True)
    own = read_store_key(made.roads)
    box = sealed_box.seal(cbor2.dumps(content, canonical=True), own.card().box, info)
    path, ring = made.folder / "form.grant", made.folder / "form.json"
    path.write_bytes(document.sign(secret, document.GRANT, "roads", 1 << 40, 0, box))
    shutil.copy(made.folder / "roads.json.key", made.folder / "form.json.key")
    ring.unlink(missing_ok=True)
    try:
        take_grant(ring, path)
    except ToolError:
        return
    for node_id in Keyring(ring).node_ids():
        assert Keyring(ring).node(node_id).policies is not None


def test_a_store_with_another_key_opens_nothing(city):
    path, _ = grant(city)
    key = json.loads((city.folder / "roads.json.key").read_text())
    office = bytes.fromhex(key["office_key"])
    with pytest.raises(ToolError, match="another key"):
        read_grant(path, office, "roads", bytes(range(32)))
    assert "roads.json.key" not in repr(read_store_key(city.roads))


def test_only_what_is_active(city):
    city.issue(1, "bob")
    waiting = next(n for n, row in city.nodes().items() if row["state"] == "issued")
    words = ("vault", "grant", city.path, "--to", "roads", *city.opening(), "-o",
             city.folder / "x.grant")  # fmt: skip
    assert "is issued, not active" in refused(*words, waiting)
    assert "there is no node" in refused(*words, "0000000000")
    assert "no store or reader eve" in refused(*words, city.ids[0], "--to", "eve")
    assert not (city.folder / "x.grant").exists()


def test_an_update_has_no_seal(city):
    path, _ = grant(city, nodes=city.ids[:1])
    city.ok("keyring", "take", city.roads, path)
    city.vault("revoke", "technician", "anna")
    update = city.folder / "update.grant"
    city.vault("update", "--to", "roads", "-o", update)
    key = json.loads((city.folder / "roads.json.key").read_text())
    secret, office = bytes.fromhex(key["secret"]), bytes.fromhex(key["office_key"])
    _, granted = read_grant(update, office, "roads", secret)
    assert [node.seal for node in granted.nodes] == [b""]
    city.ok("keyring", "take", city.roads, update)
    assert 12 in Keyring(city.roads).node(city.ids[0]).mixes
    fresh = city.folder / "fresh.json"  # without the seals it opens nothing
    shutil.copy(city.folder / "roads.json.key", city.folder / "fresh.json.key")
    assert "has no seal of node" in refused("keyring", "take", fresh, update)
    assert not fresh.exists()


def test_who_is_revoked_opens_nothing_from_the_mix_on(city):
    path, _ = grant(city)
    city.ok("keyring", "take", city.roads, path)
    told = city.vault("revoke", "reader", "roads")
    assert told["mixed"] == sorted(city.ids) and told["stores"] == ["home"]
    update = city.folder / "update.grant"
    city.vault("update", "--to", "home", "-o", update)
    with city.open() as file, file.change("test", {}):
        pass
    theirs, parts = Keyring(city.roads).node(city.ids[0]), city.parts[0]
    assert theirs.seal_at(11) == chain(city, parts, 11)
    assert theirs.seal_at(12) != chain(city, parts, 12)
    assert theirs.seal_at(20) != chain(city, parts, 20)
    words = ("vault", "update", city.path, "--to", "roads", *city.opening(), "-o", update)
    assert "roads is revoked" in refused(*words)


def test_a_revoked_node_goes_from_the_keyrings(city):
    path, _ = grant(city)
    city.ok("keyring", "take", city.roads, path)
    told = city.vault("revoke", "node", city.ids[0])
    assert told["nodes"] == city.ids[:1] and told["certificates"] == 1
    assert told["stores"] == ["home", "roads"] and told["mixed"] == []
    update = city.folder / "update.grant"
    city.vault("update", "--to", "roads", "-o", update)
    assert city.ok("keyring", "take", city.roads, update)["revoked"] == city.ids[:1]
    assert Keyring(city.roads).node_ids() == city.ids[1:]
    assert "is revoked" in refused("vault", "revoke", city.path, "node", city.ids[0],
                                   *city.opening())  # fmt: skip


def test_the_names_of_kinds_are_kept_apart(city):
    for kind, name in (("store", "roads"), ("reader", "home"), ("technician", "eve"),
                       ("ticket", "zz"), ("ticket", "00" * 16), ("node", "zz")):  # fmt: skip
        refused("vault", "revoke", city.path, kind, name, *city.opening())


def test_a_used_ticket_is_its_nodes(city):
    ticket = city.nodes()[city.ids[0]]["ticket"]
    err = refused("vault", "revoke", city.path, "ticket", ticket, *city.opening())
    assert f"revoke its node: {city.ids[0]}" in err


def test_a_store_opens_what_the_node_seals(city):
    """Through the collector, with what an independent implementation seals after the mix."""
    node_id = city.ids[0]
    policy, _ = published()
    path, _ = grant(city)
    city.ok("keyring", "take", city.roads, path)
    now_s = int(time.time()) // 300 * 300
    with city.open() as file:
        root, day0 = file.db.execute(
            "SELECT root, day0 FROM nodes WHERE id = ?", (node_id,)
        ).fetchone()
        mixes = file.db.execute("SELECT epoch, a FROM mixes WHERE node = ?", (node_id,)).fetchall()
    node = ref.ReferenceNode(root, node_id, day0, policy.rules, mixes=mixes)
    assert [epoch for epoch, _ in mixes] == [2]
    with Store(city.folder / "a.sqlite", Keyring(city.roads)) as store:
        for at_s in (now_s, now_s + 3 * DAY_S):
            node.epoch = at_s // DAY_S - day0
            message = node.seal(node.due(at_s), at_s)
            result = store.take_batch([(f"lp/{node_id}/up", message)], at_s)
            assert result.opened == {node_id: 1}


VERBS = st.sampled_from(["grant", "forget", "mix", "refused", "update", "day", "day"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(VERBS, st.integers(0, 12)), max_size=12))
@example([("grant", 0), ("mix", 1), ("update", 0), ("refused", 0), ("day", 0), ("day", 0),
          ("grant", 2)])  # fmt: skip
def test_a_keyring_has_the_nodes_seals_after_any_history(tmp_path_factory, history):
    """Grants from any epoch, mixes, also such as a node refused, and forgetting in any order: what
    it opens is right, and its oldest epoch never rises by a grant alone nor goes back. A collector
    forgets up to an epoch once it has opened something from it: not when it lacks a mix."""
    policy, _ = published()
    kept, node = KeptPolicy(policy.rules, policy.terms), "0123456789"
    ring = Keyring(tmp_path_factory.mktemp("ring") / "keyring.json")
    seal_0, mixes, today, since = bytes(range(32)), {}, 0, None
    for verb, epoch in history:
        held = ring.node(node)
        before = held and held.epoch
        if verb == "day":
            today += 1
        elif verb == "mix":
            mixes[max([today + 1, *mixes]) + 1] = bytes([epoch]) * 32
        elif verb == "refused" and mixes and (held is None or held.epoch < max(mixes)):
            del mixes[max(mixes)]
        elif verb == "forget":
            oldest = min(epoch, today)
            if held and held.epoch < oldest:
                opens = held.seal_at(oldest) == ref.seal_at(seal_0, oldest, mixes.items())
                ring.forget_before({node: oldest} if opens else {})
        elif verb == "grant" or held:
            asked, seal = min(epoch, today), b""
            if verb == "grant":
                since = asked if since is None else min(asked, since)
                seal = ref.seal_at(seal_0, asked, mixes.items())
            ahead = {e: a for e, a in mixes.items() if e > since}
            first = asked if verb == "grant" else since
            keys = NodeKeys(20_000, first, seal, b"", [kept], ahead)
            ring.take({node: GrantedKeys(keys, since)})
            held = Keyring(ring.path).node(node)
            assert held.epoch == asked if before is None else held.epoch == before
            for e in range(held.epoch, today + 20):
                assert held.seal_at(e) == ref.seal_at(seal_0, e, mixes.items())
        assert before is None or ring.node(node).epoch >= before


def test_a_node_that_does_not_count_has_the_hint_of_its_state(city):
    city.vault("revoke", "node", city.ids[0])
    with city.open(read_only=True) as file, pytest.raises(ToolError) as err:
        check_active(file, city.ids[0])
    assert "is revoked" in err.value.message
    assert "for good" in err.value.hint and "receipts" not in err.value.hint


def test_a_store_is_told_what_came(city):
    path, _ = grant(city)
    first = city.ok("keyring", "take", city.roads, path)
    assert (first["new"], first["mixes"], first["policies"]) == (sorted(city.ids), 0, 0)
    city.vault("mix", city.ids[0])
    news = city.folder / "news.grant"
    city.vault("update", "--to", "roads", "-o", news)
    words = "keyring", "take", city.roads, news
    assert "for those known: 1 mix, 0 policies" in " ".join(lamppost(*words)[1].split())
    assert city.ok(*words)["mixes"] == 0  # it has come
