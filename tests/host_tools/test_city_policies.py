# SPDX-License-Identifier: MIT
"""New policies for nodes that there are, and a city that takes another policy key: what stores and
nodes are given, in which order, and what is refused."""

import shutil
import time

import cbor2
import pytest

from host_tools.city import mixing
from host_tools.collector.keyring import Keyring
from host_tools.handover.command_file import read_commands
from host_tools.policy import figures
from host_tools.policy.signed import PublishedPolicy
from host_tools.provisioning.lms_tree import LmsTree
from host_tools.provisioning.ticket import mask_root
from node.pipeline.down import CommandOpener
from node.policy.rules import Policy
from tests.host_tools.city_place import City, lamppost, published, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

DAY_S = 86_400
BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"
ID, VERSION, FIRST_DAY, LAST_DAY, STREAMS = 1, 2, 4, 5, 6  # in the rules
SIGNERS = {}  # a key takes a second


def signer(name: str) -> LmsTree:
    """former: whose policies published() gives."""
    identifier = {"former": bytes(16), "present": b"another key name"}[name]
    if name not in SIGNERS:
        SIGNERS[name] = LmsTree(bytes(32), identifier)
    return SIGNERS[name]


def write(city, name: str, by: str = "former", kit: str = "air", **changes) -> Policy:
    """A policy file with other rules than the kit's, {place in the rules: value}."""
    policy, _ = published(kit)
    fields = cbor2.loads(policy.rules)
    for place, value in changes.items():
        fields[int(place[1:])] = value
    rules = cbor2.dumps(fields, canonical=True)
    signature = signer(by).sign(900, rules, bytes(32))
    made = PublishedPolicy(rules, policy.terms, signature)
    (city.folder / name).write_bytes(made.encode())
    return made.policy()


def version(number: int) -> dict:
    return {f"_{VERSION}": number}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("made")).fill()
    parts = city.put_up(*BOARDS)
    city.tickets_of = {one.ticket.node_id: one.ticket for one in parts}
    return city


@pytest.fixture
def city(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "city")
    city = City(tmp_path / "city")
    city.tickets_of, city.ids = made.tickets_of, sorted(made.tickets_of)
    return city


def take_present_key(city):
    """The city signs with another key from now on."""
    (city.folder / "policy.key").write_bytes(signer("present").public_key)
    city.vault("setup", "--name", "office", "--broker", "broker.test:8883", "--sntp", "time.test",
               "--policy-key", city.folder, "-o", city.folder / "b.office")  # fmt: skip


def issue_under(city, name: str, to: str = "bob"):
    """A node under the policy in this file, which is installed and accepted."""
    city.tickets.unlink(missing_ok=True)
    city.vault("issue", "--kit", "air", "--policy", city.folder / name, "--to", to, "-o",
               city.tickets)  # fmt: skip
    technician = {"bob": city.bob, "anna": city.anna}[to]
    parts = city.install("24:0a:c4:11:22:77", technician=technician)[0]
    city.ok("technician", "receipts", technician, *city.opening(), "-o", city.receipts)
    city.vault("accept", city.receipts, "-o", city.keys)
    return parts.ticket


def commands(city, ticket) -> list[tuple]:
    """[(number, verb, arguments)] for a node, as it opens them."""
    path = city.folder / "all.commands"
    city.vault("commands", "-o", path)
    opener = CommandOpener(ticket.command, ticket.node_id)
    return [opener.open(one) for node_id, one in read_commands(path) if node_id == ticket.node_id]


def joined(commands: list[tuple]) -> dict[bytes, bytes]:
    """{tag: the signed policy} of the parts that came, in whatever order."""
    found = {}
    for number, verb, arguments in commands:
        if verb == "policy":
            tag, size, at, part = arguments
            assert number == 0 and len(found.setdefault(tag, b"")) == at
            found[tag] += part
            assert len(found[tag]) <= size
    return found


def versions(city, node_id: str) -> list[int]:
    return sorted(policy.version for policy in Keyring(city.home).node(node_id).policies)


def update(city):
    path = city.folder / "update.grant"
    city.vault("update", "--to", "home", "-o", path)
    city.ok("keyring", "take", city.home, path)


def test_a_store_takes_nodes_of_two_policy_keys(city):
    """Also when both keys signed the same rules."""
    take_present_key(city)
    for name, change in (("same", {}), ("next", version(2))):
        write(city, f"{name}.policy", "present", **change)
        ticket = issue_under(city, f"{name}.policy", {"same": "bob", "next": "anna"}[name])
        assert ticket.node_id in city.ok("keyring", "take", city.home, city.keys)["new"]
    path = city.folder / "roads.grant"
    city.vault("grant", *city.ids, ticket.node_id, "--to", "roads", "-o", path)
    assert len(city.ok("keyring", "take", city.roads, path)["new"]) == 3
    update(city)
    assert "not signed by this key" in refused(
        "vault", "issue", city.path, *city.opening(), "--kit", "air", "--policy",
        city.folder / "air.policy", "--to", "anna", "-o", city.folder / "x.tickets",
    )  # fmt: skip


def test_a_policy_for_all_comes_to_stores_and_nodes(city):
    rules = write(city, "2.policy", **version(2))
    words = "--all", "--policy", city.folder / "2.policy"
    told = city.vault("policy", *words)
    assert (told["nodes"], told["known"], told["refused"]) == (city.ids, [], {})
    assert told["stores"] == ["home"] and told["version"] == 2
    again = city.vault("policy", *words)
    assert (again["nodes"], again["known"]) == ([], city.ids)
    for ticket in city.tickets_of.values():
        (signed,) = joined(commands(city, ticket)).values()
        assert Policy(signed[: -len(signature(city, "2.policy"))]).digest == rules.digest
        assert signed.endswith(signature(city, "2.policy"))
        assert versions(city, ticket.node_id) == [1]
    update(city)
    assert [versions(city, node_id) for node_id in city.ids] == [[1, 2]] * 2
    code, out, err = lamppost("vault", "policy", city.path, *words, *city.opening())
    assert code == 0 and "0 nodes to get it, 2 were to get it before" in out
    assert err.index("vault update") < err.index("vault commands")


def signature(city, name: str) -> bytes:
    return cbor2.loads((city.folder / name).read_bytes())[3]


def test_a_later_version_takes_the_place_of_one_that_was_queued(city):
    node_id, other = city.ids
    for number in (2, 3):
        write(city, f"{number}.policy", **version(number))
        city.vault("policy", node_id, "--policy", city.folder / f"{number}.policy")
    ticket = city.tickets_of[node_id]
    (signed,) = joined(commands(city, ticket)).values()
    assert signed.endswith(signature(city, "3.policy"))
    assert joined(commands(city, city.tickets_of[other])) == {}
    update(city)  # it may have taken the one between
    assert versions(city, node_id) == [1, 2, 3] and versions(city, other) == [1]
    assert [city.nodes()[one]["policy"] for one in city.ids] == [3, 1]
    told = city.vault("policy", "--kit", "air", "--policy", city.folder / "3.policy")
    assert (told["nodes"], told["known"]) == ([other], [node_id])


def why(city, name: str, *nodes) -> set[str]:
    """Why nodes cannot have a policy; nothing is changed by it."""
    with city.open(read_only=True) as file:
        before = file.newest
    words = "vault", "policy", city.path, *(nodes or city.ids), *city.opening()
    code, _, err = lamppost(*words, "--policy", city.folder / name)
    assert code == 1
    with city.open(read_only=True) as file:
        assert file.newest == before
    return {line for line in err.splitlines() if line.startswith("error")}


def one_of(lines: set[str], said: str) -> bool:
    return bool(lines) and all(said in line for line in lines)


def test_what_is_refused(city):
    write(city, "1.policy", **version(1))
    write(city, "other.policy", **version(2), _1="another-name")
    write(city, "noise.policy", kit="noise", **version(2))
    today = int(time.time()) // DAY_S
    days = {f"_{FIRST_DAY}": today - 1, f"_{LAST_DAY}": today}
    write(city, "ended.policy", **version(9), **days)
    write(city, "strange.policy", "present", **version(2))
    city.vault("policy", "--all", "--policy", _named(city, "5.policy", 5))
    assert one_of(why(city, "1.policy"), "it has version 5, and this is version 1")
    assert one_of(why(city, "other.policy"), "and this is another")
    assert one_of(why(city, "noise.policy"), "and this is another")
    assert one_of(why(city, "ended.policy"), "ends before it can begin")
    assert one_of(why(city, "strange.policy"), "not signed by a key of this city")
    _named(city, "6.policy", 6)
    waiting = next(n for n, row in city.nodes().items() if row["state"] == "issued")
    assert one_of(why(city, "6.policy", waiting), "is issued, not active")
    assert one_of(why(city, "6.policy", "0000000000"), "there is no node")
    words = "vault", "policy", city.path, *city.opening(), "--policy", city.folder / "6.policy"
    assert "is for kit air, not noise" in refused(*words, "--kit", "noise")
    for more in ((), ("--all", "--kit", "air"), (city.ids[0], "--all")):
        assert "one of them" in refused(*words, *more, code=2)
    noise = "vault", "policy", city.path, *city.opening(), "--policy", city.folder / "noise.policy"
    assert "no active node of kit noise" in refused(*noise, "--all")


def _named(city, name: str, number: int):
    write(city, name, **version(number))
    return city.folder / name


def test_no_older_version_is_issued(city):
    """An earlier one may let out what the city has since thought better of."""
    write(city, "new.policy", **version(7))
    old, made = write(city, "old.policy", **version(6)), ("new.policy", "old.policy")
    city.tickets.unlink()
    words = ("vault", "issue", city.path, "--kit", "air", "--to", "bob", *city.opening(), "-o",
             city.tickets, "--policy")  # fmt: skip
    city.ok(*words, city.folder / made[0])
    city.tickets.unlink()
    before = city.path.read_bytes()
    err = refused(*words, city.folder / made[1])
    assert f"policy {old.id} is version 6, and this vault knows 7" in err
    assert not city.tickets.exists() and city.path.read_bytes() == before
    city.ok(*words, city.folder / made[0])
    city.tickets.unlink()
    write(city, "other.policy", **version(1), **{f"_{ID}": "another"})
    city.ok(*words, city.folder / "other.policy")
    city.vault("policy", "--kit", "air", "--policy", write_path(city, "8.policy", 8))
    city.tickets.unlink()
    assert "knows 8" in refused(*words, city.folder / made[0])  # by whichever way it knows it


def write_path(city, name: str, number: int):
    write(city, name, **version(number))
    return city.folder / name


def test_each_node_gets_what_its_own_key_signed(city):
    """The city has changed its key: a node knows the one it was made under, for all its life. So
    both sign the same rules, and each node gets those that it can check."""
    take_present_key(city)
    write(city, "p1.policy", "present")
    fresh = issue_under(city, "p1.policy")
    write(city, "p2.policy", "present", **version(2))
    write(city, "f2.policy", "former", **version(2))
    for name, takes, cannot in (
        ("p2.policy", [fresh.node_id], city.ids), ("f2.policy", city.ids, []),
    ):  # fmt: skip
        words = "vault", "policy", city.path, "--all", "--policy", city.folder / name
        code, out, err = lamppost(*words, *city.opening())
        assert f"{figures.count(len(takes), 'node')} to get it" in out
        assert code == bool(cannot), err
        assert all(f"node {one}: it was made under another policy key" in err for one in cannot)
    _named(city, "f3.policy", 3)
    assert one_of(why(city, "f3.policy", fresh.node_id), "it was made under another policy key")
    for ticket, name in ((fresh, "p2.policy"), (city.tickets_of[city.ids[0]], "f2.policy")):
        (signed,) = joined(commands(city, ticket)).values()
        assert signed.endswith(signature(city, name))
    city.ok("keyring", "take", city.home, city.keys)
    update(city)
    assert versions(city, city.ids[0]) == versions(city, fresh.node_id) == [1, 2]


def test_trees_that_it_masks_come_before_it(city):
    node_id = city.ids[0]
    ticket = city.tickets_of[node_id]
    fields = cbor2.loads(published()[0].rules)
    number = fields[STREAMS][0][0]
    streams = [[*s[:3], ["count", "sum"], *s[4:], []] if s[0] == number else s
               for s in fields[STREAMS]]  # fmt: skip
    write(city, "masked.policy", **version(2), **{f"_{STREAMS}": streams})
    for _ in range(5):  # of which the node lets four wait, so that what is behind waits as well
        city.vault("mix", node_id)
    city.vault("policy", node_id, "--policy", city.folder / "masked.policy")
    assert [verb for _, verb, _ in commands(city, ticket)] == ["mix"] * 4
    with city.open() as file, file.change("two mixes have passed", {}):
        query = "UPDATE commands SET until_s = 1 WHERE node = ? AND number IN"
        query += " (SELECT number FROM commands WHERE node = ? ORDER BY number LIMIT 2)"
        file.db.execute(query, (node_id, node_id))
        (root,) = file.db.execute("SELECT root FROM nodes WHERE id = ?", (node_id,)).fetchone()
    found = commands(city, ticket)
    verbs = [verb for _, verb, _ in found]
    assert verbs.count("mix") == 4 and verbs.index("mask") < verbs.index("policy")
    mask = next(arguments for _, verb, arguments in found if verb == "mask")
    assert mask == [number, mask_root(root, node_id, number)]
    numbers = [number for number, verb, _ in found if verb != "policy"]
    assert numbers == sorted(set(numbers))
    write(city, "3.policy", **version(3), **{f"_{STREAMS}": streams})
    city.vault("policy", node_id, "--policy", city.folder / "3.policy")
    assert [verb for _, verb, _ in commands(city, ticket)].count("mask") == 1  # a tree is for good


def test_a_tree_whose_command_has_ended_comes_again_with_the_next_policy(city):
    """The node may have got none of them: it was away, or nothing was sent."""
    node_id = city.ids[0]
    ticket, fields = city.tickets_of[node_id], cbor2.loads(published()[0].rules)
    number = fields[STREAMS][0][0]
    streams = [
        [*one[:3], ["count", "sum"], *one[4:], []] if one[0] == number else one
        for one in fields[STREAMS]
    ]
    path = city.folder / "masked.policy"
    for high, is_again in ((2, False), (3, True)):
        write(city, path.name, **version(high), **{f"_{STREAMS}": streams})
        if is_again:
            _end_masks(city, node_id)
            assert "mask" not in [verb for _, verb, _ in commands(city, ticket)]
        city.vault("policy", node_id, "--policy", path)
        verbs = [verb for _, verb, _ in commands(city, ticket)]
        assert verbs.count("mask") == 1 and verbs.index("mask") < verbs.index("policy")


def _end_masks(city, node_id: str):
    """As if 30 days had passed."""
    with city.open() as file, file.change("test", {}):
        mixing.withdraw(file, node_id, "mask")


def test_a_mix_that_was_refused_is_forgotten_and_not_what_was_queued_behind_it(city):
    node_id = city.ids[0]
    city.vault("policy", node_id, "--policy", _named(city, "2.policy", 2))
    first = [one for one in commands(city, city.tickets_of[node_id]) if one[1] == "mix"]
    city.vault("mix", node_id, "--refused", first[0][2][0])
    after = commands(city, city.tickets_of[node_id])
    assert not [one for one in after if one in first]
    assert len(joined(after)) == 1
