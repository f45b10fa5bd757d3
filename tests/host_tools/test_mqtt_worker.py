# SPDX-License-Identifier: MIT
"""host_tools/collector/mqtt_worker.py with real brokers over mutual TLS: an envelope comes in, a
receipt goes out, and nothing is acknowledged before it is stored."""

import contextlib
import dataclasses
import queue
import socket
import sqlite3
import ssl
import statistics
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.keyring import GrantedKeys, Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.store import Store
from host_tools.collector.store_key import make_store_key, share_tag
from host_tools.errors import ToolError
from host_tools.handover.cards import Office
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.ticket import make_ticket
from simulator.world.broker_embedded import EmbeddedBroker
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import KEEP_DAYS, policy, stream, with_version

NODE, OTHER = "0123456789", "abcdefghjk"
ROOT = bytes(range(32))
DAY0 = 20_500
NOW = DAY0 * 86_400 + 43_200
HOST = "broker.test"
WITHIN_S = 5
COLLECTOR, READER, LIKE_A_NODE = "collector-1", "reader-1", "zzzzzzzzzz"
POLICY, TERMS = policy(stream(1, "co2_ppm", 300, ["mean"], 1, 350, 5000))


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A folder with ca.pem and a .pem and .key of each party."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.create()
    authority.save(folder, "ca")
    authority.issue("broker", "broker", [HOST, "127.0.0.1"]).save(folder, "broker")
    authority.issue(COLLECTOR, "collector").save(folder, COLLECTOR)
    authority.issue(READER, "reader").save(folder, READER)
    authority.issue(LIKE_A_NODE, "collector").save(folder, "like-a-node")
    for node_id in (NODE, OTHER):
        authority.issue(node_id, "node").save(folder, node_id)
    Authority.create().issue(COLLECTOR, "collector").save(folder, "stranger")
    return folder


def make_broker(kind, tls, folder):
    files = tls / "ca.pem", tls / "broker.pem", tls / "broker.key"
    if kind == "embedded":
        return EmbeddedBroker(*files)
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    return MosquittoBroker(folder, *files, {COLLECTOR: "collector", READER: "reader"})


@pytest.fixture(params=["embedded", "mosquitto"])
def address(request, tls, tmp_path):
    broker = make_broker(request.param, tls, tmp_path / "broker")
    yield broker.start()
    broker.stop()


class Node:
    """A node's MQTT client with a reference sealer."""

    def __init__(self, tls, address, node_id=NODE):
        self.sealer = ref.ReferenceNode(ROOT, node_id, DAY0, POLICY)
        self._key = ref.derive(ROOT, "lp1 receipt", node_id)
        self._receipts = queue.Queue()
        self._ready = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, node_id, clean_session=False)
        client.tls_set(tls / "ca.pem", tls / f"{node_id}.pem", tls / f"{node_id}.key")
        client.on_socket_open = lambda _c, _d, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        client.on_connect = lambda client, *_: client.subscribe(f"lp/{node_id}/down", qos=1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda _c, _d, message: self._receipts.put(message.payload)
        self._client = client
        client.connect(*address)
        client.loop_start()
        assert self._ready.wait(WITHIN_S)

    def send(self, message):
        self._client.publish(self.sealer.topic, message, qos=1)

    def sealed(self, count=1):
        start = NOW + self.sealer.number * 300
        return [
            self.sealer.seal(self.sealer.due(start + n * 300, 400 + n), start + n * 300)
            for n in range(1, count + 1)
        ]

    def receipt(self):
        """[time, log, upto, ranges] of the next receipt."""
        message = self._receipts.get(timeout=WITHIN_S)
        return ref.open_down(self._key, self.sealer.node_id, "receipt", message)

    def leave(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def node(tls, address):
    node = Node(tls, address)
    yield node
    node.leave()


@pytest.fixture
def store(tmp_path):
    keyring = Keyring(tmp_path / "keyring.json")
    for node_id in (NODE, OTHER):
        keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
    with Store(tmp_path / "a.sqlite", keyring) as store:
        yield store


def worker(store, address, tls, certificate=COLLECTOR, **options):
    options = {"clock": lambda: NOW, **options}
    files = tls / "ca.pem", tls / f"{certificate}.pem", tls / f"{certificate}.key"
    return MqttWorker(store, address, *files, **options)


def test_an_envelope_is_stored_and_receipted(store, address, tls, node):
    batches = []
    with worker(store, address, tls, on_batch=batches.append) as collector:
        node.send(node.sealed()[0])
        assert node.receipt() == [NOW, b"LOG0", 1, []]
        assert collector.wait_for(lambda: collector.settled.get(NODE) == 1, WITHIN_S)
        assert collector.wait_for(lambda: collector.batches >= 2, WITHIN_S)
        assert collector.wait_for(lambda: collector.counts["opened"] == {NODE: 1}, WITHIN_S)
        assert collector.connected and collector.trouble is None
        assert (collector.received, collector.receipts) == (1, 1)
    assert [dict(batch.opened) for batch in batches] == [{}, {NODE: 1}]
    with sqlite3.connect(store._file.path) as db:
        assert db.execute("SELECT value FROM value").fetchall() == [(401,)]
    with worker(store, address, tls) as collector:  # it was acknowledged: it does not come again
        node.send(node.sealed()[0])
        assert collector.wait_for(lambda: collector.settled.get(NODE) == 2, WITHIN_S)
        assert (collector.received, collector.counts["duplicates"]) == (1, {})


def test_the_broker_may_be_named_otherwise_than_reached(store, address, tls):
    with worker(store, address, tls, server_name=HOST) as collector:
        assert collector.connected
    with pytest.raises(ToolError, match=r"not good for another\.test"):
        worker(store, address, tls, server_name="another.test").start()


def test_what_comes_while_it_is_away_waits_for_it(store, address, tls, node):
    worker(store, address, tls).__enter__().stop()  # its session is known to the broker
    for message in node.sealed(30):
        node.send(message)
    with worker(store, address, tls) as collector:
        assert collector.wait_for(lambda: collector.settled.get(NODE) == 30, WITHIN_S)
        while node.receipt()[2] < 30:
            pass


def test_nothing_is_acknowledged_before_it_is_stored(store, address, tls, node):
    take_batch, disk_is_full = store.take_batch, threading.Event()
    disk_is_full.set()

    def failing(*args):
        if disk_is_full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        return take_batch(*args)

    store.take_batch = failing
    collector = worker(store, address, tls)
    collector.start()
    node.send(node.sealed()[0])
    assert collector.wait_for(lambda: "disk is full" in (collector.trouble or ""), WITHIN_S)
    collector.stop()
    assert collector.settled == {}
    disk_is_full.clear()
    with worker(store, address, tls) as collector:  # the broker has it still
        assert node.receipt() == [NOW, b"LOG0", 1, []]
        assert collector.wait_for(lambda: collector.counts["opened"] == {NODE: 1}, WITHIN_S)


def test_a_disk_that_is_made_free_again(store, address, tls, node, monkeypatch):
    monkeypatch.setattr("host_tools.collector.mqtt_worker._IDLE_S", 0.05)
    take_batch, failures = store.take_batch, [None] * 3

    def failing(*args):
        if failures:
            failures.pop()
            raise sqlite3.OperationalError("database or disk is full")
        return take_batch(*args)

    store.take_batch = failing
    with worker(store, address, tls) as collector:
        node.send(node.sealed()[0])
        assert node.receipt()[2] == 1
        assert collector.wait_for(lambda: collector.trouble is None, WITHIN_S)


def test_every_node_gets_a_receipt_at_the_start(store, address, tls, node):
    store.take_batch([(node.sealer.topic, message) for message in node.sealed(3)], NOW)
    with worker(store, address, tls):
        assert node.receipt() == [NOW, b"LOG0", 3, []]


def test_who_may_only_read_sends_no_receipt(store, address, tls, node):
    """Its keyring has no key of receipts: what comes is stored, and the node keeps it."""
    keys = dataclasses.replace(store.keyring.node(NODE), receipt=b"")
    store.keyring.take({NODE: GrantedKeys(keys, keys.epoch)})
    with worker(store, address, tls) as reader:
        node.send(node.sealed()[0])
        assert reader.wait_for(lambda: reader.counts["opened"] == {NODE: 1}, WITHIN_S)
        assert reader.receipts == 0 and reader.failure is None
    assert len(values(store)) == 1
    with pytest.raises(queue.Empty):
        node._receipts.get(timeout=0.3)


def test_keys_that_come_later(store, address, tls, monkeypatch):
    monkeypatch.setattr("host_tools.collector.mqtt_worker._IDLE_S", 0.05)
    node = Node(tls, address)
    node.sealer.policy = with_version(POLICY, 2)
    with worker(store, address, tls) as collector:
        node.send(node.sealed()[0])
        assert collector.wait_for(lambda: collector.counts["kept"] == {NODE: 1}, WITHIN_S)
        Keyring(store.keyring.path).add_policy(NODE, node.sealer.policy, TERMS)  # another process
        assert node.receipt()[2] == 1
    node.leave()


def values(store):
    with contextlib.closing(sqlite3.connect(store._file.path)) as db:
        return [value for (value,) in db.execute("SELECT value FROM value ORDER BY slot_start_s")]


def test_what_is_too_old_goes_at_the_start_and_each_hour(store, address, tls, node, monkeypatch):
    monkeypatch.setattr("host_tools.collector.mqtt_worker._IDLE_S", 0.05)
    store.take_batch([(node.sealer.topic, message) for message in node.sealed(30)], NOW + 9000)
    now_s, runs = [NOW + KEEP_DAYS * 86_400 + 601], []
    delete_expired = store.delete_expired

    def watched(at_s):
        gone = delete_expired(at_s)
        runs.append(at_s)
        return gone

    store.delete_expired = watched
    began_s = now_s[0]
    with worker(store, address, tls, clock=lambda: now_s[0]) as collector:
        assert collector.wait_for(lambda: len(runs) == 1, WITHIN_S)
        assert values(store) == list(range(403, 431))
        for count, later_s in ((2, 3600), (3, 7200)):
            now_s[0] = began_s + later_s - 1
            assert not collector.wait_for(lambda n=count: len(runs) >= n, 0.3)
            now_s[0] = began_s + later_s
            assert collector.wait_for(lambda n=count: len(runs) == n, WITHIN_S)
            assert len(values(store)) == 28 - later_s // 300
        with contextlib.closing(sqlite3.connect(store._file.path, isolation_level=None)) as db:
            monkeypatch.setattr("host_tools.collector.store_file._READERS_S", 0.1)
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM value").fetchone()
            now_s[0] = began_s + 10_800  # its bytes stay for the reader
            assert collector.wait_for(lambda: len(runs) == 4, WITHIN_S)
        now_s[0] += 60  # so it is done again soon
        assert collector.wait_for(lambda: len(runs) == 5, WITHIN_S)
        assert values(store) == []
        assert collector.trouble is None
    assert runs == [began_s + s for s in (0, 3600, 7200, 10_800, 10_860)]


def test_noise_does_not_stop_it(store, address, tls, node):
    other = Node(tls, address, OTHER)
    with worker(store, address, tls) as collector:
        for message in (b"", b"x" * 70_000, other.sealed()[0], b"\xd0\x83\x44" + bytes(80)):
            node.send(message)
        node.send(node.sealed()[0])
        assert node.receipt()[2] == 1
        assert collector.wait_for(lambda: collector.counts["refused"] == {NODE: 4}, WITHIN_S)
    other.leave()


def test_it_reconnects(store, address, tls, node, monkeypatch):
    monkeypatch.setattr("host_tools.collector.mqtt_worker._RECONNECT_S", (0.1, 0.2))
    with worker(store, address, tls) as collector:
        collector._client._sock.shutdown(socket.SHUT_RDWR)
        assert collector.wait_for(lambda: not collector.connected, WITHIN_S)
        assert collector.wait_for(lambda: collector.connected, WITHIN_S)
        node.send(node.sealed()[0])
        assert node.receipt()[2] == 1


def test_a_receipt_comes_within_milliseconds(store, address, tls, node):
    with worker(store, address, tls):
        taken_ms = []
        for message in node.sealed(60):
            began = time.perf_counter()
            node.send(message)
            node.receipt()
            taken_ms.append((time.perf_counter() - began) * 1000)
    print(f"envelope to receipt: median {statistics.median(taken_ms):.2f} ms")
    assert statistics.median(taken_ms) < 30


# what a person is told


def complaint(store, address, tls, certificate=COLLECTOR, **options):
    with pytest.raises(ToolError) as caught:
        worker(store, address, tls, certificate, **options).start()
    assert caught.value.hint and "\n" not in caught.value.message
    return caught.value.message


def test_another_authority(store, address, tls):
    with pytest.raises(ToolError) as caught:  # amqtt breaks off without saying why
        worker(store, address, tls, "stranger").start()
    said = caught.value.message + caught.value.hint
    assert "not know the authority of our certificate" in said


def test_a_broker_that_does_not_let_it_in(store, tls, tmp_path):
    broker = make_broker("embedded", tls, tmp_path)
    message = complaint(store, broker.start(), tls, "like-a-node")
    broker.stop()
    assert f"the broker refuses {LIKE_A_NODE}" in message


def test_only_a_collector_collects(store, tls):
    with pytest.raises(ToolError, match="is not a collector's"):
        worker(store, ("127.0.0.1", 1), tls, NODE)


def test_a_reader_collects_without_receipts(store, address, tls, node, tmp_path):
    with pytest.raises(ToolError, match="is a reader's, and the keyring is a home store's"):
        worker(store, address, tls, READER)
    ring = Keyring(tmp_path / "readers.json")
    ticket = dataclasses.replace(make_ticket(ROOT, NODE, DAY0), receipt=b"")
    ring.add_node(ticket, POLICY, TERMS)
    with (
        Store(tmp_path / "readers.sqlite", ring) as readers,
        worker(readers, address, tls, READER) as reader,
    ):
        node.send(node.sealed()[0])
        assert reader.wait_for(lambda: reader.counts["opened"] == {NODE: 1}, WITHIN_S)
        assert reader.receipts == 0
        ring.add_node(make_ticket(ROOT, OTHER, DAY0), POLICY, TERMS)  # it gets such keys later
        other = Node(tls, address, OTHER)
        other.send(other.sealed()[0])
        assert reader.wait_for(lambda: reader.counts["opened"].get(OTHER) == 1, WITHIN_S)
        other.leave()
        assert reader.receipts == 0


def test_a_reader_cannot_join_the_group_of_the_home_store(store, tls, tmp_path):
    """Who names the group is dealt to: it is the tag that keeps others out."""
    for name in "ab":
        make_store_key(tmp_path / name, name, Office("office", bytes(32)))
    tags = [share_tag(tmp_path / name) for name in "ab"]
    assert tags[0] != tags[1] and tags[0] == share_tag(tmp_path / "a")
    assert share_tag(tmp_path / "none") == ""
    broker = make_broker("mosquitto", tls, tmp_path / "broker")
    address = broker.start()
    node, reader = Node(tls, address), mqtt.Client(CallbackAPIVersion.VERSION2, READER)
    reader.tls_set(tls / "ca.pem", tls / f"{READER}.pem", tls / f"{READER}.key")
    joined = threading.Event()
    reader.on_connect = lambda client, *_: client.subscribe("$share/g/lp/+/up", qos=1)
    reader.on_subscribe = lambda *_: joined.set()
    reader.connect(*address)
    reader.loop_start()
    try:
        assert joined.wait(WITHIN_S)
        with worker(store, address, tls, group="g", group_tag=tags[0]) as collector:
            for message in node.sealed(20):
                node.send(message)
            assert collector.wait_for(lambda: collector.settled.get(NODE) == 20, WITHIN_S)
    finally:
        reader.disconnect()
        reader.loop_stop()
        node.leave()
        broker.stop()


def test_no_broker(store, tls):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert "cannot be reached" in complaint(store, ("127.0.0.1", port), tls)
    assert "no such host" in complaint(store, ("host.invalid", port), tls)


def test_no_tls_there(store, tls):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for _ in range(2):
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        assert "does not speak TLS 1.2" in complaint(store, server.getsockname(), tls)


def test_files_that_are_none(store, tls, tmp_path):
    (tmp_path / "ca.pem").write_text("no PEM")
    pair = tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
    for ca, words in ((tmp_path / "ca.pem", "is not PEM"), (tmp_path / "no.pem", "No such file")):
        with pytest.raises(ToolError, match=words):
            MqttWorker(store, ("127.0.0.1", 1), ca, *pair)


def test_only_tls_1_2_with_a_checked_name(store, tls):
    context = worker(store, ("127.0.0.1", 1), tls)._context
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_2
