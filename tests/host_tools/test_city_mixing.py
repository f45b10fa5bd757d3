# SPDX-License-Identifier: MIT
"""city/mixing.py: into which epoch a mix goes, which one is forgotten, what is sent and how long;
and the clock by which all of it counts."""

import contextlib
import shutil
import sqlite3
import time
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_tools import console
from host_tools.city import mixing, roots
from host_tools.city.mixing import DAY_S
from host_tools.handover.command_file import encode, read_commands
from host_tools.provisioning.ticket import new_root
from host_tools.vault.schema import SCHEMA
from tests.host_tools.city_place import City, lamppost, published, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

MASKING_KIT = "energy-p1"
TODAY = 10  # of the nodes, in epochs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two nodes that count since ten days, the second of which masks; their first mix is in."""
    city = City(tmp_path_factory.mktemp("made")).fill()
    ids = []
    for kit, board in (("air", "24:0a:c4:11:22:33"), (MASKING_KIT, "24:0a:c4:11:22:34")):
        city.issue(1, kit=kit)
        ids.append(city.install(board)[0].ticket.node_id)
        city.tickets.unlink()
    city.take_back()
    with city.open() as file, file.change("test", {}):
        mixes = [one for one in mixing.queued(file, 0) if one.verb == "mix"]
        file.db.execute("UPDATE nodes SET day0 = day0 - 10")
        for one in mixes:
            query = "UPDATE commands SET until_s = until_s - ? WHERE node = ? AND number = ?"
            file.db.execute(query, (TODAY * DAY_S, one.node_id, one.number))
    city.ids = ids
    return city


@pytest.fixture
def city(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "city")
    city = City(tmp_path / "city")
    city.ids = made.ids
    return city


@pytest.fixture
def clock(monkeypatch):
    """Sets the office's clock, in days from now."""
    now = time.time()

    def set_to(days: float):
        monkeypatch.setattr(time, "time", lambda: now + days * DAY_S)

    return set_to


def epochs(city, node) -> list[int]:
    with city.open(read_only=True) as file:
        return list(mixing.mixes_of(file, node))


def queued(city) -> list[dict]:
    return city.vault("commands", "-o", city.folder / "a.commands")["queued"]


def mixes(city, node) -> list[int]:
    return [row["epoch"] for row in queued(city) if row["verb"] == "mix" and row["node"] == node]


def day(days: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * DAY_S))


def test_the_day_of_each_mix_is_told(city):
    told = city.vault("mix", city.ids[0])
    assert told["epochs"] == {city.ids[0]: TODAY + 2} and told["days"] == {city.ids[0]: day(2)}
    told = city.vault("revoke", "technician", "anna")
    assert told["days"] == {city.ids[0]: day(3), city.ids[1]: day(2)} and told["far"] == {}
    row = city.nodes()[city.ids[0]]
    assert row["mixes"][-1] == {"epoch": TODAY + 3, "day": day(3)}
    _, out, err = lamppost("vault", "revoke", city.path, "store", "home", "--yes", *city.opening())
    assert f"2 get a mix from {day(3)} to {day(4)} on" in out and "days ahead" not in err
    _, out, _ = lamppost("vault", "nodes", city.path, "--long", *city.opening())
    assert f"{TODAY + 4}:" in out


def test_the_mix_that_was_refused_is_forgotten_and_no_other(city):
    node = city.ids[0]
    for _ in range(3):
        city.vault("mix", node)
    assert epochs(city, node) == [2, 12, 13, 14] and mixes(city, node) == [12, 13, 14]
    told = city.vault("mix", node, "--refused", 13)
    assert told["epochs"][node] == 15  # 13 is not meant again: the node may have the other
    assert epochs(city, node) == [2, 12, 14, 15] and mixes(city, node) == [12, 14, 15]
    city.vault("mix", node, "--refused", 2)  # long begun
    assert epochs(city, node) == [12, 14, 15, 16]
    assert mixes(city, node) == [12, 14, 15, 16]
    words = "vault", "mix", city.path, *city.opening(), "--refused"
    for epoch in (2, 13, 17):
        assert f"has no mix for epoch {epoch}" in refused(*words, epoch, node)
    assert epochs(city, node) == [12, 14, 15, 16]
    refused(*words, 14, *city.ids, code=2)
    refused(*words, "soon", node, code=2)


def test_a_technician_who_is_revoked_had_read_what_lies_ahead(city):
    """Their ticket lets them be the node at the broker: so the mix that waits is theirs as well,
    and each of their nodes gets another."""
    for node in city.ids:
        city.vault("mix", node)
    told = city.vault("revoke", "technician", "anna")
    assert told["mixed"] == sorted(city.ids)
    assert [epochs(city, node) for node in city.ids] == [[2, 12, 13], [2, 12, 13]]


def test_what_is_next_after_a_technician(city):
    _, _, err = lamppost(
        "vault", "revoke", city.path, "technician", "anna", "--yes", *city.opening()
    )
    assert f"lamppost vault rotate {city.path} {' '.join(sorted(city.ids))}; once that" in err
    _, _, err = lamppost("vault", "revoke", city.path, "store", "home", "--yes", *city.opening())
    assert "rotate" not in err


def test_a_mix_by_a_wrong_clock_does_not_postpone_later_ones(city, clock):
    node = city.ids[0]
    clock(400)
    city.vault("mix", node)
    clock(0)
    words = "vault", "mix", city.path, node, *city.opening()
    assert "this machine's clock says" in refused(*words)
    city.vault("clock")
    _, out, err = lamppost(*words)
    assert f"{node}: from {day(2)} on, its epoch {TODAY + 2}" in out
    assert f"{node} has mixes more than 30 days ahead" in err and day(402) in err
    assert f"(epoch {TODAY + 402})" in err and f"epoch {TODAY + 2})" not in err
    far = [{"epoch": TODAY + 402, "day": day(402)}]
    for told in (city.vault("mix", node), city.vault("revoke", "technician", "anna"),
                 city.vault("commands", "-o", city.folder / "a.commands")):  # fmt: skip
        assert told["far"] == {node: far}
    city.vault("mix", node, "--refused", TODAY + 402)  # as it never went out
    assert city.vault("commands", "-o", city.folder / "a.commands")["far"] == {}


def test_nothing_works_by_a_clock_before_the_log(city, clock):
    """Not by one that is set back: what has begun would be sent, and lists be too old."""
    changing = (
        ("mix", city.ids[0]), ("revoke", "technician", "anna"), ("mask", city.ids[1]),
        ("update", "--to", "home", "-o", city.folder / "x.grant"),
        ("certificate", "sender", "--role", "vault", "-o", city.folder / "x"),
        ("commands", "-o", city.folder / "x.commands"), ("broker", "-o", city.folder / "x"),
    )  # fmt: skip
    before = city.path.read_bytes()
    clock(-1)
    for verb, *words in changing:
        err = refused("vault", verb, city.path, *words, *city.opening())
        assert "was last changed on" in err and "clock says" in err and "set the clock" in err
    assert city.path.read_bytes() == before and not list(city.folder.glob("x*"))
    clock(-300 / DAY_S)  # as two machines' clocks differ
    city.vault("mix", city.ids[0])


def test_a_clock_that_was_ahead_is_told(city, clock):
    assert "nothing to correct" in refused("vault", "clock", city.path, *city.opening())
    clock(400)
    city.vault("update", "--to", "home", "-o", city.keys)
    clock(0)
    assert city.vault("clock")["was_ahead"][:10] == day(400)
    entries = city.vault("log")["entries"]
    assert [entry["verb"] for entry in entries[-2:]] == ["update", "clock"]
    city.vault("mix", city.ids[0])


def test_a_mix_that_has_begun_is_not_sent(city, clock):
    node, path = city.ids[0], city.folder / "a.commands"
    its_day = 2 - time.time() % DAY_S / DAY_S
    city.vault("mix", node)
    assert mixes(city, node) == [TODAY + 2]
    send = ("send", path, "--broker", "localhost:1", "--tls-dir", city.folder, "--name", "x")
    assert "ca.pem" in refused(*send)  # the file itself is good
    clock(its_day - 0.001)
    assert "ca.pem" in refused(*send)
    clock(its_day + 0.001)
    assert "has a mix that was due at" in refused(*send)
    assert mixes(city, node) == []
    assert "ca.pem" in refused(*send)  # it was written again


def test_a_file_of_commands_without_a_mix_is_good_at_any_time(tmp_path):
    rows = [("0123456789", b"sealed")]
    path = tmp_path / "a.commands"
    for until_s, now_s in ((None, 1 << 40), (5, None), (5, 4)):
        path.write_bytes(encode(rows, until_s))
        assert read_commands(path, now_s) == rows


def test_by_a_clock_beyond_2106_nothing_is_queued(city, clock):
    """A node keeps a command's number in 32 bits."""
    node, path = city.ids[0], city.folder / "a.commands"
    before = city.path.read_bytes()
    for now_s in (2**32 + 1000, 2**32, 2**32 - (1 << 20)):
        clock((now_s - time.time()) / DAY_S + 0.001)
        err = refused("vault", "mix", city.path, node, *city.opening())
        assert "nodes count no further" in err and "set the clock" in err
        assert city.path.read_bytes() == before
        clock(0)
    clock((2**32 - (1 << 20) - time.time()) / DAY_S - 1)
    city.vault("mix", node)
    clock(0)
    city.ok("vault", "clock", city.path, *city.opening())
    city.vault("mix", node)  # there is room behind the number that the wrong clock gave
    numbers = [number for number in all_numbers(city, node) if number < 2**32]
    assert len(numbers) == len(set(numbers)) == len(all_numbers(city, node))
    with city.open() as file, file.change("as an older version", {}):
        query = "INSERT INTO commands SELECT node, ?, fields, until_s FROM commands LIMIT 1"
        file.db.execute(query, (2**32 + 1000,))
        file.db.execute("UPDATE commands SET until_s = ? WHERE number > ?", (2**34, 2**32))
    city.vault("commands", "-o", path)  # not: no command for the whole city
    city.vault("mix", *city.ids)
    assert max(number for number in all_numbers(city, node) if number < 2**32) < 2**32


def all_numbers(city, node) -> list[int]:
    with city.open(read_only=True) as file:
        query = "SELECT number FROM commands WHERE node = ?"
        return [number for (number,) in file.db.execute(query, (node,))]


def test_what_a_node_has_no_room_for_is_held(city):
    node = city.ids[0]
    for _ in range(5):
        city.vault("mix", node)
    rows = [row for row in queued(city) if row["node"] == node]
    assert [(row["epoch"], row["is_held"]) for row in rows] == [
        (12, False), (13, False), (14, False), (15, False), (16, True)]  # fmt: skip
    _, out, _ = lamppost("vault", "commands", city.path, *city.opening(), "-o",
                         city.folder / "a.commands")  # fmt: skip
    assert [line.split()[-1] for line in out.splitlines() if " 16 " in line] == ["yes"]


def test_trees_are_repeated_for_a_while_and_again_when_they_are_asked_for(city, clock):
    plain, node = city.ids
    masked = len(roots.masked_streams(published(MASKING_KIT)[0].policy()))

    def trees() -> list[int]:
        rows = [row for row in queued(city) if row["verb"] == "mask"]
        assert {row["node"] for row in rows} <= {node}
        return [row["number"] for row in rows]

    first = trees()
    assert len(first) == masked > 0
    clock(roots.MASK_DAYS - 0.1)
    assert trees() == first
    clock(roots.MASK_DAYS + 0.1)
    assert trees() == []
    assert city.vault("mask", node)["commands"] == {node: masked}
    again = trees()
    assert len(again) == masked and min(again) > max(first)
    words = "vault", "mask", city.path, *city.opening()
    for nodes, hint in (((plain,), "there is nothing to do"), (city.ids, "leave it out")):
        said = refused(*words, *nodes)
        assert f"node {plain} masks nothing" in said and hint in said
    assert "there is no node" in refused(*words, "0000000000")
    assert trees() == again


NODE, DAY0 = "0123456789", 20_000


def rows_of_a_node():
    """Stands for a sealed file: its database, with one node."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(SCHEMA)
    row = NODE, new_root(), DAY0, "air", "active"
    db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
    return SimpleNamespace(db=db)


class ModelNode:
    """Of firmware/node/device/mixes.py what counts here."""

    def __init__(self):
        self.epoch, self.number, self.mixes = 0, 0, {}

    def step_to(self, epoch: int):
        self.epoch = epoch

    def take(self, number: int, epoch: int, a: bytes) -> bool:
        """Whether it is not refused."""
        if number <= self.number:
            return True
        self.number = number
        waiting = [one for one in self.mixes if one > self.epoch]
        if epoch <= self.epoch or epoch in self.mixes or len(waiting) == mixing._MOST_WAITING:
            return False
        self.mixes[epoch] = a
        return True


DEEDS = st.one_of(
    st.just(("mix", 0)), st.just(("day", 0)), st.tuples(st.just("mix"), st.integers(1, 40)),
    st.tuples(st.just("forget"), st.integers(0, 9)),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(DEEDS, max_size=40))
@example([("mix", 30)] * 6 + [("mix", 0)] * 6 + [("day", 0)] * 45)
def test_a_node_gets_each_mix_before_its_day_whatever_the_clock_was(deeds):
    """Mixes by a right clock, and by one that is days ahead; what is queued is sent each day. The
    node refuses none, and has each when its epoch begins. One that is forgotten never went out:
    it was queued since the last file."""
    file, node, today = rows_of_a_node(), ModelNode(), 0
    unsent = set()
    for deed, number in [*deeds, *[("day", 0)] * 50]:
        now_s = (DAY0 + today) * DAY_S + 3600
        if deed == "mix":
            made = mixing.mix(file, [NODE], now_s + number * DAY_S)[NODE]
            assert made.epoch >= today + number + 2
            unsent.add(made.epoch)
        elif deed == "forget" and unsent:
            epoch = sorted(unsent)[number % len(unsent)]
            mixing.drop(file, NODE, epoch)
            unsent.discard(epoch)
        elif deed == "day":
            today += 1
            node.step_to(today)
            for one in mixing.queued(file, now_s + DAY_S):
                if not one.is_held:
                    assert node.take(one.number, *one.arguments), (today, one.arguments[0])
                    unsent.discard(one.arguments[0])
        begun = {e: a for e, a in mixing.mixes_of(file, NODE).items() if e <= today}
        assert begun.items() <= node.mixes.items()
    with contextlib.closing(file.db):
        assert mixing.mixes_of(file, NODE).items() >= node.mixes.items()


def test_revoke_shows_what_ends_and_asks(city, monkeypatch):
    city.issue(2)
    waiting = sorted(n for n, row in city.nodes().items() if row["state"] == "issued")
    words = "vault", "revoke", city.path, "technician", "anna", *city.opening()
    before = city.path.read_bytes()
    err = refused(*words, code=2)
    count = len(waiting)
    assert f"nodes that count no more: {count}: {', '.join(waiting)}" in err
    assert f"nodes that go on, with a mix: 2: {', '.join(sorted(city.ids))}" in err
    assert f"certificates that end: {count}: " in err and "give --yes" in err
    assert f"{count} nodes whose ticket is out count no more: if one of them is installed" in err
    assert f"lamppost vault accept {city.path} RECEIPTS" in err
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr(console, "ask_yes", lambda question: False)
    assert lamppost(*words)[0] == 1 and city.path.read_bytes() == before
    monkeypatch.setattr(console, "ask_yes", lambda question: True)
    code, out, err = lamppost(*words)
    assert code == 0 and f"{count} nodes out of service" in out
    for step in (f"next: lamppost vault update {city.path} --to home -o home.grant",
                 "then: at home: lamppost keyring take home.json home.grant",
                 f"then: lamppost vault commands {city.path} -o city.commands",
                 "then: lamppost send city.commands --broker broker.test:8883 --tls-dir DIR",
                 f"then: lamppost vault broker {city.path} -o DIR"):  # fmt: skip
        assert step in err
