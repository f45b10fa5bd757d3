# SPDX-License-Identifier: MIT
"""Collectors as real processes, killed at any moment, with brokers that die: nothing is lost, what
comes twice is stored once, and no receipt says more than is committed."""

import random
import time

import pytest

from host_tools.provisioning.certificates import Authority
from simulator.world.broker_embedded import EmbeddedBroker
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path
from tests.host_tools.reliable_nodes import (
    IDS,
    ReliableNode,
    Worker,
    all_receipted,
    check_whole,
    make_keyring,
    numbers,
    run,
)

WORKERS = ("collector-1", "collector-2", "collector-3")
NEVER_S = 3600  # nothing is sent again: only a broker or a receipt at the start can help


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.create()
    authority.save(folder, "ca")
    authority.issue("broker", "broker", ["broker.test", "127.0.0.1"]).save(folder, "broker")
    for name in WORKERS:
        authority.issue(name, "collector").save(folder, name)
    for node_id in IDS:
        authority.issue(node_id, "node").save(folder, node_id)
    return folder


@pytest.fixture
def make_broker(tls, tmp_path):
    made = []

    def make(kind):
        files = tls / "ca.pem", tls / "broker.pem", tls / "broker.key"
        if kind == "mosquitto" and mosquitto_path() is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        if kind == "mosquitto":
            roles = dict.fromkeys(WORKERS, "collector")
            made.append(MosquittoBroker(tmp_path / "broker", *files, roles))
        else:
            made.append(EmbeddedBroker(*files))
        made[-1].address = made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.stop()


class Rig:
    """One store, its workers, and the nodes that send to it."""

    def __init__(self, folder, tls, broker):
        make_keyring(folder)
        self.folder, self.tls, self.broker = folder, tls, broker
        self.store = folder / "a.sqlite"
        self.nodes, self.workers = [], []

    def add_nodes(self, count=4, **options):
        for node_id in IDS[:count]:
            self.nodes.append(
                ReliableNode(self.tls, self.broker.address, node_id, self.store, **options)
            )
        return self.nodes

    def worker(self, name=WORKERS[0], **options) -> Worker:
        self.workers.append(Worker(self.folder, self.tls, self.broker.address, name, **options))
        return self.workers[-1]

    def load(self, seconds, each=3):
        """Seals and sends for some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for node in self.nodes:
                node.seal(each)
                node.step()
            time.sleep(0.02)

    def finish(self):
        assert run(self.nodes, lambda: all_receipted(self.nodes))
        check_whole(self.store, self.nodes)

    def end(self):
        for node in self.nodes:
            node.leave()
        for worker in self.workers:
            worker.end()


@pytest.fixture
def rig(tls, make_broker, tmp_path):
    made = []

    def make(kind):
        made.append(Rig(tmp_path, tls, make_broker(kind)))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_kill_9_at_random_moments(rig, kind):
    rig = rig(kind)
    rig.add_nodes()
    chance = random.Random(kind)
    for _ in range(5):
        worker = rig.worker().listens()
        rig.load(chance.uniform(0.02, 0.5))
        worker.kill()
        rig.load(0.05)
    worker = rig.worker().listens()
    rig.load(0.2)
    rig.finish()
    account = worker.stop()
    assert account["connected"] and account["trouble"] is None and account["refused"] == 0


@pytest.mark.parametrize("place", ["before-acknowledgement", "before-receipt"])
@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_kill_9_between_commit_and_receipt(rig, kind, place):
    rig = rig(kind)
    (node,) = rig.add_nodes(1, again_s=NEVER_S)
    module = ("tests.host_tools.dying_worker", place, "2")
    dying = rig.worker(module=module).listens()
    node.seal(1)
    assert run([node], lambda: numbers(rig.store, node.node_id) == [1])
    node.seal(10)
    node.step()
    assert dying.wait() == -9
    stored, waiting = len(numbers(rig.store, node.node_id)), node.waiting()
    assert stored > 1 and waiting == node.sealed - 1, "the batch is committed, and not receipted"
    worker = rig.worker().listens()
    rig.finish()
    account = worker.stop()
    assert account["opened"] == node.sealed - stored
    if place == "before-acknowledgement":
        assert account["duplicates"] > 0


def restart(broker):
    """kill -9, and the same broker again on the same port, without what it knew."""
    broker._process.kill()
    broker._process.wait()
    broker._launch(mosquitto_path(), broker.address[1])
    assert broker._comes_up(broker.address[1])


def test_kill_9_of_the_broker_after_its_acknowledgement(rig):
    """What the broker acknowledged and forgot comes again from who has no receipt."""
    rig = rig("mosquitto")
    rig.add_nodes()
    rig.worker().listens().stop()  # its session is known: the broker keeps messages for it
    for node in rig.nodes:
        node.seal(50)
    assert run(rig.nodes, lambda: not any(node.unacknowledged() for node in rig.nodes))
    restart(rig.broker)
    worker = rig.worker().listens()
    rig.finish()
    assert worker.stop()["opened"] == 4 * 50


def test_a_worker_outlives_its_broker(rig):
    rig = rig("mosquitto")
    rig.add_nodes()
    worker = rig.worker().listens()
    for times in (2, 3):
        rig.load(0.3)
        restart(rig.broker)
        assert run(rig.nodes, lambda n=times: worker.listened() == n), worker.said
    rig.load(0.3)
    rig.finish()
    account = worker.stop()
    assert account["opened"] == sum(node.sealed for node in rig.nodes)
    assert sum("trying again" in line for line in worker.said) == 2, worker.said


@pytest.mark.parametrize("count", [2, 3])
def test_workers_share_and_one_is_killed(rig, count):
    rig = rig("mosquitto")
    rig.add_nodes()
    workers = [rig.worker(name, share="collectors").listens() for name in WORKERS[:count]]
    rig.load(0.7)
    workers[0].kill()
    rig.load(0.7)
    rig.finish()
    accounts = [worker.stop() for worker in workers[1:]]
    assert all(account["opened"] > 0 and account["refused"] == 0 for account in accounts)
    assert all(account["share"] == "collectors" for account in accounts)


def test_workers_that_share_do_not_each_get_all(rig):
    rig = rig("mosquitto")
    rig.add_nodes(again_s=NEVER_S)
    workers = [rig.worker(name, share="collectors").listens() for name in WORKERS[:2]]
    for node in rig.nodes:
        node.seal(25)
    rig.finish()
    received = [worker.stop()["received"] for worker in workers]
    assert sum(received) == 100 and min(received) >= 25


def test_two_workers_that_each_get_all_and_one_is_killed(rig):
    rig = rig("embedded")
    rig.add_nodes()
    first, second = (rig.worker(name).listens() for name in WORKERS[:2])
    rig.load(0.5)
    first.kill()
    rig.load(0.3)
    first = rig.worker(WORKERS[0]).listens()
    rig.load(0.3)
    rig.finish()
    accounts = first.stop(), second.stop()
    assert all(account["opened"] > 0 or account["duplicates"] > 0 for account in accounts)
    assert sum(account["duplicates"] for account in accounts) > 0
