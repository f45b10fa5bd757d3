# SPDX-License-Identifier: MIT
"""From records that the firmware's own code masks, over the store and a real controller's rules
and HTTPS, to what `lamppost sum` shows."""

import json

import pytest
from controller_fixture import DAY0, START, WINDOW, Office, publish
from test_controller_service import City, Running

from host_tools.cli import run
from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.controller.policies import allow
from host_tools.provisioning.mask_roots import roots_of
from host_tools.provisioning.ticket import make_ticket
from host_tools.times import iso
from node.crypto.mask import from_root, mask
from tests.host_tools import reference_sealer as ref

NODES = [f"000000000{letter}" for letter in "abcdefgh"]
SLOTS = 8
SCALE = 1000 * 8  # of the noise: contribution / epsilon


class Town:
    """Eight nodes under one policy (k = 5), their store, and the controller of their roots."""

    def __init__(self, folder, **policy):
        self.path, self.office, self.city = folder / "a.sqlite", Office(folder), City(folder / "t")
        published = publish(**policy)
        with self.office.ledger.turn() as db:
            key = self.office.keys.policy_key
            allow(db, self.office.now, published.encode(), "a policy", key)
        keyring, batch = Keyring(folder / "keyring.json"), []
        for number, node_id in enumerate(NODES):
            root = bytes([number]) * 32
            ticket = make_ticket(root, node_id, DAY0, [7])
            self.office.keys.nodes[node_id] = roots_of(ticket, published.policy())
            keyring.add_node(ticket, published.rules, published.terms)
            sender = ref.ReferenceNode(root, node_id, DAY0, published.rules)
            batch += [self._sealed(sender, ticket.masks[7], slot) for slot in range(SLOTS)]
        with Store(self.path, keyring) as store:
            store.take_batch(batch, START + SLOTS * WINDOW)
        self.public = folder / "controller.public"
        self.public.write_bytes(self.office.keys.public().encode())

    def _sealed(self, sender, root, slot):
        minutes = WINDOW // 60
        c = mask(from_root(root), slot * minutes, (slot + 1) * minutes, measured(sender, slot))
        number = START // WINDOW + slot
        return sender.topic, sender.seal([[7, number, number, c]], START + (slot + 1) * WINDOW)

    def words(self, url, first, after, *more):
        span = (iso(START + WINDOW * at) for at in (first, after))
        begin, end = span
        return [
            "sum", "--store", self.path, "--stream", 7, "--from", begin, "--to", end,
            "--controller", url, "--tls-dir", self.city.folder, "--name", "energy-office",
            "--controller-key", self.public, "--json", *more,
        ]  # fmt: skip


def measured(sender, slot):
    return [60, 100 * (1 + NODES.index(sender.node_id)) + slot]


def expected(nodes, slots):
    return sum(100 * (1 + NODES.index(node)) + slot for node in nodes for slot in slots)


@pytest.fixture
def ask(capsys):
    def call(words):
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return call


def sums(content):
    return [
        next(f["value"] for f in one["figures"] if f["statistic"] == "sum")
        for one in content["sums"]
    ]


@pytest.fixture
def serving():
    started = []

    def call(town):
        started.append(Running(town.office, town.city.context()))
        return started[-1].url

    yield call
    for one in started:
        one.close()


def test_without_noise_the_sum_is_exact(tmp_path, serving, ask):
    town = Town(tmp_path, noise=None)
    url = serving(town)
    code, content, err = ask(town.words(url, 0, SLOTS, "--every", "15m"))
    assert code == 0, err
    scale = 1000  # mWh of a Wh
    found = [round(value * scale) for value in sums(content)]
    assert found == [expected(NODES, [slot]) for slot in range(SLOTS)]
    assert content["token"]["by"] == town.office.keys.name
    code, content, err = ask(town.words(url, 2, 7))
    assert [round(value * scale) for value in sums(content)] == [expected(NODES, range(2, 7))]


def test_with_noise_it_is_near_and_the_same_when_asked_again(tmp_path, serving, ask):
    town = Town(tmp_path)
    url = serving(town)
    code, content, err = ask(town.words(url, 0, SLOTS))
    assert code == 0, err
    (one,) = content["sums"]
    figures = {figure["statistic"]: figure for figure in one["figures"]}
    assert figures["count"]["value"] == 60 * len(NODES) * SLOTS
    off = round(figures["sum"]["value"] * 1000) - expected(NODES, range(SLOTS))
    assert abs(off) < 30 * SCALE  # beyond that is noise once in 10^13 draws
    assert 2.9 * SCALE < figures["sum"]["noise"] * 1000 < 3.1 * SCALE
    assert sums(ask(town.words(url, 0, SLOTS))[1]) == sums(content)


def test_a_refusal_names_the_rule_and_the_next_step(tmp_path, serving, ask):
    town = Town(tmp_path)
    url = serving(town)
    assert ask(town.words(url, 0, 4))[0] == 0
    code, content, err = ask(town.words(url, 0, 4, "--nodes", ",".join(NODES[1:])))
    assert (code, content) == (1, None)
    assert "error: the controller refuses (differencing)" in err and "hint: " in err
    code, _, err = ask(town.words(url, 0, 4, "--purpose", "dpv:Verification"))
    assert code == 1 and "refuses (purpose)" in err
    code, _, err = ask(town.words(url, 0, 4, "--nodes", ",".join(NODES[:4])))
    assert code == 1 and "covered by 4 nodes, and the policy asks for 5" in err
