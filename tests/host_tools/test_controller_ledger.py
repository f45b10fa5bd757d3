# SPDX-License-Identifier: MIT
"""The ledger: what is charged stays charged, whatever happens, and what is changed is found."""

import contextlib
import json
import os
import signal
import sqlite3

import pytest
from controller_fixture import Office, ask_for, terms

from host_tools import chained_log
from host_tools.controller import ledger
from host_tools.controller.documents import Token
from host_tools.controller.ledger import Ledger, runs, spans_of
from host_tools.errors import ToolError


@pytest.fixture
def office(tmp_path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def used(office):
    """With two requests that were answered, one of them twice, and one that was refused."""
    policy = office.allow()
    nodes = office.nodes(6, policy)
    office.token(ask_for(nodes, [policy], (0, 1), (1, 2), (4, 8)))
    office.token(ask_for(nodes, [policy], (0, 1), (1, 2), (4, 8)))
    office.token(ask_for(nodes, [policy], (1, 2), (8, 9)))
    office.refuses(ask_for(nodes[:4], [policy], (0, 1)))
    return office


def test_what_the_log_tells(used):
    with used.ledger.reading() as db:
        entries = list(chained_log.entries(db))
        assert ledger.first_wrong(db) is None
    verbs = [verb for _, _, verb, _, _ in entries]
    assert verbs == ["allowed", "answered", "answered", "answered", "refused"]
    charged = [detail.get("charged") for _, _, _, detail, _ in entries]
    start = charged[1][0][0]
    assert charged[1] == [[start, start + 1800, 900], [start + 3600, start + 7200, 3600]]
    assert charged[2] == [] and charged[3] == [[start + 7200, start + 8100, 900]]
    assert entries[4][3]["rule"] == "population" and entries[4][3]["by"] == "energy office"
    text = json.dumps([detail for _, _, _, detail, _ in entries])
    for node_id, node in used.keys.nodes.items():
        assert node_id not in text and node.roots[7].hex() not in text


CHANGES = (
    "UPDATE log SET detail = replace(detail, 'energy office', 'somebody else') WHERE number = 3",
    "UPDATE log SET time_s = time_s + 1 WHERE number = 2",
    "DELETE FROM log WHERE number = 4",
    "DELETE FROM answered WHERE entry = 2 AND from_s = (SELECT min(from_s) FROM answered)",
    "UPDATE answered SET cost = '1/9999'",
    "UPDATE answered SET k = 1",
    "UPDATE answered SET to_s = to_s + 900 WHERE entry = 4",
    "UPDATE populations SET nodes = substr(nodes, 11)",
    "DELETE FROM populations",
    "DELETE FROM policies",
    "UPDATE policies SET published = substr(published, 2)",
)


@pytest.mark.parametrize("change", CHANGES)
def test_who_changes_something_is_found(used, change):
    with sqlite3.connect(used.ledger.path) as db:
        assert db.execute(change).rowcount > 0
    db.close()
    with pytest.raises(ToolError) as caught:
        used.open()
    assert caught.value.hint


def test_an_older_ledger_is_found(used, tmp_path):
    with used.ledger.reading() as db:
        newest = chained_log.newest(db)
    keys = used.keys.__class__(**{**used.keys.__dict__, "head": newest})
    used.keys = keys
    used.open()
    with sqlite3.connect(used.ledger.path) as db:
        db.execute("DELETE FROM log WHERE number = 5")  # the newest entry: the rest is sound
    db.close()
    with pytest.raises(ToolError, match="older than it was"):
        used.open()


def test_an_older_ledger_is_found_while_it_works(used):
    before = used.ledger.path.read_bytes()
    controller, policy = used.open(), used.allow(version=2)
    nodes = sorted(used.keys.nodes.values(), key=lambda node: node.node_id)
    controller.answer(ask_for(nodes, [policy], (40, 41)).encode(), "energy office")
    for path in used.ledger.path.parent.glob("ledger.sqlite*"):
        path.unlink()
    used.ledger.path.write_bytes(before)
    for asked in (nodes, nodes[:4]):
        with pytest.raises(ToolError, match="older than it was"):
            controller.answer(ask_for(asked, [policy], (41, 42)).encode(), "energy office")


def test_an_older_ledger_is_found_after_two_at_once(used):
    """The one that had its turn first comes out last."""
    controller, policy = used.open(), used.allow(version=2)
    nodes = sorted(used.keys.nodes.values(), key=lambda node: node.node_id)
    first, second, third = (ask_for(nodes, [policy], (at, at + 1)).encode() for at in (40, 41, 42))
    turn, copies = used.ledger.turn, []

    @contextlib.contextmanager
    def interrupted():
        with turn() as db:
            yield db
        if not copies:
            with used.ledger.reading() as db:
                copies.append(db.serialize())
            controller.answer(second, "energy office")

    controller._ledger.turn = interrupted
    controller.answer(first, "energy office")
    for path in used.ledger.path.parent.glob("ledger.sqlite*"):
        path.unlink()
    used.ledger.path.write_bytes(copies[0])
    with pytest.raises(ToolError, match="older than it was"):
        controller.answer(third, "energy office")


def test_what_is_no_ledger(tmp_path):
    with pytest.raises(ToolError), Ledger(tmp_path / "nothing").reading():
        pass
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(ToolError, match="cannot be used"), Ledger(tmp_path / "text").reading():
        pass
    sqlite3.connect(tmp_path / "empty").close()
    with pytest.raises(ToolError), Ledger(tmp_path / "empty").reading():
        pass
    assert not (tmp_path / "nothing").exists()


def test_runs_and_back():
    spans = [(0, 900), (900, 1800), (1800, 3600), (4500, 5400), (5400, 6300)]
    assert runs(spans) == [[0, 1800, 900], [1800, 3600, 1800], [4500, 6300, 900]]
    assert list(spans_of(runs(spans))) == spans
    assert runs([]) == [] and list(spans_of([])) == []


class Killed:
    """Kills this process at the `point`-th moment that it reaches."""

    def __init__(self, point: int):
        self._left = point

    def reach(self, *_):
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1

    def install(self):
        connect = sqlite3.connect

        def connected(*arguments, **named):
            db = connect(*arguments, **named)
            db.set_trace_callback(self.reach)  # before each statement
            db.set_progress_handler(lambda: self.reach() or 0, 10)  # and within
            return db

        sqlite3.connect = connected
        sign = Token.sign

        def signed(token, key):
            self.reach()
            token = sign(token, key)
            self.reach()
            return token

        Token.sign = signed


def _answers_until(point: int, office, requests, sent: int) -> bool:
    """Answers in a process of its own, which dies at `point`; each token is one write to `sent`.
    False when it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            killed = Killed(point)
            killed.install()
            controller = office.open()
            for number, request in enumerate(requests):
                token = controller.answer(request.encode(), "energy office")
                os.write(sent, number.to_bytes(2, "big") + len(token).to_bytes(4, "big") + token)
                killed.reach()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


def test_killed_at_any_moment_no_token_is_without_its_charge(office, tmp_path):
    policy = office.allow(terms(per_day="1/2"))
    nodes = office.nodes(5, policy)
    requests = [ask_for(nodes, [policy], (i, i + 1)) for i in range(3)]
    point, deaths = 0, 0
    before = office.ledger.path.read_bytes()
    while True:
        for path in tmp_path.glob("ledger.sqlite*"):
            path.unlink()
        office.ledger.path.write_bytes(before)
        sent = os.open(tmp_path / "sent", os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_APPEND)
        died = _answers_until(point, office, requests, sent)
        tokens = _tokens(os.pread(sent, 1 << 20, 0))
        os.close(sent)
        with office.ledger.reading() as db:
            assert ledger.first_wrong(db) is None
            charged = {row[0] for row in db.execute("SELECT from_s FROM answered")}
        for number, signed in tokens:
            request = requests[number]
            assert request.ranges[0][0] in charged
            again = office.token(request)  # free, and the same
            verified = Token.verify(signed, office.keys.public().verifier(), request)
            assert verified.pads == again.pads
        deaths += died
        if not died:
            break
        point += 1
    assert deaths > 60 and len(tokens) == 3


def _tokens(data: bytes):
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 2 : at + 6], "big")
        found.append((int.from_bytes(data[at : at + 2], "big"), data[at + 6 : at + 6 + size]))
        at += 6 + size
    return found
