# SPDX-License-Identifier: MIT
"""The brokers that we run: who gets in, who may say and hear what, and that nothing gets lost.

What a broker refuses is told by what arrives at a client who may hear it, since MQTT 3.1.1 has no
answer to a forbidden publish.
"""

import datetime
import ipaddress
import queue
import socket
import ssl
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host_tools.collector.broker_address import parse_address
from host_tools.errors import ToolError
from simulator.world.broker_embedded import EmbeddedBroker
from simulator.world.broker_external import ExternalBroker
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path
from simulator.world.broker_rules import may_connect, may_read, may_write, mosquitto_acl

NODE, OTHER_NODE = "0123456789", "abcdefghjk"
NAME = "broker.test"
WITHIN_S = 5
ROLES = {"collector-1": "collector", "reader-1": "reader", "vault-1": "vault"}


class Authority:
    """A small CA that writes PEM files into a folder."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        made = self._sign(self._name, self._key.public_key(), constraint)
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, role, *alternatives):
        """(certificate file, key file)"""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATIONAL_UNIT_NAME, role)]
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])
        extensions = [x509.SubjectAlternativeName(alternatives)] if alternatives else []
        made = self._sign(subject, key.public_key(), *extensions)
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        files[1].chmod(0o600)
        return files

    def _sign(self, subject, key, *extensions):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    ours = Authority(tmp_path_factory.mktemp("ca"))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    ours.server = ours.issue("broker", "broker", x509.DNSName(NAME), address)
    for name, role in (*ROLES.items(), (NODE, "node"), (OTHER_NODE, "node")):
        setattr(ours, name, ours.issue(name, role))
    return ours


def make_broker(kind, authority, folder):
    if kind == "embedded":
        return EmbeddedBroker(authority.file, *authority.server)
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    return MosquittoBroker(folder, authority.file, *authority.server, ROLES)


@pytest.fixture(scope="module", params=["embedded", "mosquitto"])
def broker(request, authority, tmp_path_factory):
    made = make_broker(request.param, authority, tmp_path_factory.mktemp("broker"))
    made.address = made.start()
    yield made
    trouble = made.trouble()
    made.stop()
    assert trouble is None


class Client:
    """A client of the broker under test; what it hears is in `heard`, one message per item."""

    def __init__(self, broker, files, client_id, ca, clean=True, manual_ack=False):
        self.heard = queue.Queue()
        self.come_in = threading.Event()
        self._answered = threading.Event()
        self.mqtt = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id,
            clean,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        context = ssl.create_default_context(cafile=ca)
        if files:
            context.load_cert_chain(*files)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False  # paho gives the address; its name is checked below
        self.mqtt.tls_set_context(context)
        self.mqtt.on_connect = lambda *a: a[3] == 0 and self.come_in.set()
        self.mqtt.on_subscribe = lambda *a: self._answered.set()
        self.mqtt.on_message = lambda _, __, message: self.heard.put(message)
        self.mqtt.on_socket_open = lambda _, __, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self.mqtt.connect_async(*broker.address)
        self.mqtt.loop_start()

    def subscribe(self, topic):
        assert self.come_in.wait(WITHIN_S)
        self._answered.clear()
        self.mqtt.subscribe(topic, 1)
        assert self._answered.wait(WITHIN_S)
        return self

    def say(self, topic, payload):
        """Publishes, and waits until the broker has acknowledged."""
        assert self.come_in.wait(WITHIN_S)
        self.mqtt.publish(topic, payload, 1).wait_for_publish(WITHIN_S)

    def next(self):
        message = self.heard.get(timeout=WITHIN_S)
        return message.topic, message.payload

    def vanish(self):
        """Breaks the connection, as a crash does."""
        self.mqtt.socket().shutdown(socket.SHUT_RDWR)
        self.mqtt.loop_stop()

    def leave(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture
def join(broker, authority):
    """Makes clients: join(name, files=None, client_id=None, **options)."""
    made = []

    def enter(name, files="own", client_id=None, **options):
        own = getattr(authority, name, None) if files == "own" else files
        made.append(Client(broker, own, client_id or name, authority.file, **options))
        return made[-1]

    yield enter
    for client in made:
        client.leave()


@pytest.fixture
def collector(join):
    return join("collector-1").subscribe("lp/+/up")


def up(node):
    return f"lp/{node}/up"


def down(node):
    return f"lp/{node}/down"


def test_collector_hears_all_nodes_and_each_node_only_itself(join, collector):
    nodes = {name: join(name).subscribe(down(name)) for name in (NODE, OTHER_NODE)}
    for name, node in nodes.items():
        node.say(up(name), name.encode())
        assert collector.next() == (up(name), name.encode())
        collector.say(down(name), b"receipt")
        assert node.next() == (down(name), b"receipt")
    join("vault-1").say(down(NODE), b"command")
    assert nodes[NODE].next() == (down(NODE), b"command")
    assert nodes[OTHER_NODE].heard.empty()


def test_a_reader_hears_all_nodes_and_writes_to_none(join, collector):
    reader, node = join("reader-1").subscribe("lp/+/up"), join(NODE).subscribe(down(NODE))
    node.say(up(NODE), b"sealed")
    assert reader.next() == collector.next() == (up(NODE), b"sealed")
    reader.say(down(NODE), b"not a receipt")
    reader.say(up(NODE), b"not the node's")
    collector.say(down(NODE), b"receipt")
    assert node.next() == (down(NODE), b"receipt") and collector.heard.empty()
    reader.subscribe(down("reader-1")).say(down("reader-1"), b"to itself")
    assert reader.next() == (down("reader-1"), b"to itself")


def test_only_tls_1_2(broker, authority):
    context = ssl.create_default_context(cafile=authority.file)
    context.load_cert_chain(*getattr(authority, NODE))
    with socket.create_connection(broker.address) as plain:
        secured = context.wrap_socket(plain, server_hostname=broker.host_name)
        assert secured.version() == "TLSv1.2"
        secured.close()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with socket.create_connection(broker.address) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname=broker.host_name)


def refused(client):
    """Whether the broker keeps this client out."""
    return not client.come_in.wait(0.5)


def test_no_certificate(broker, authority, join):
    assert refused(join(NODE, files=None))
    context = ssl.create_default_context(cafile=authority.file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(broker.address) as plain, pytest.raises(OSError):
        context.wrap_socket(plain, server_hostname=broker.host_name)


def test_certificate_of_another_authority(join, tmp_path):
    assert refused(join(NODE, files=Authority(tmp_path).issue(NODE, "node")))


def test_another_nodes_client_id_gives_nothing_of_that_node(join, collector):
    victim = join(OTHER_NODE, clean=False).subscribe(down(OTHER_NODE))
    victim.vanish()
    collector.say(down(OTHER_NODE), b"kept for the victim")
    for clean in (True, False):
        # One broker keeps the intruder out; the other names it by its certificate.
        intruder = join(NODE, client_id=OTHER_NODE, clean=clean)
        if not refused(intruder):
            intruder.mqtt.subscribe(down(OTHER_NODE), 1)
            intruder.say(up(OTHER_NODE), b"forged")
            assert intruder.heard.empty()
        intruder.leave()
    back = join(OTHER_NODE, clean=False)
    assert back.next() == (down(OTHER_NODE), b"kept for the victim")
    back.say(up(OTHER_NODE), b"true")
    assert collector.next() == (up(OTHER_NODE), b"true")


def test_another_nodes_client_id_does_not_end_its_connection(join, collector):
    victim = join(OTHER_NODE, clean=False)
    assert victim.come_in.wait(WITHIN_S)
    dropped = threading.Event()
    victim.mqtt.on_disconnect = lambda *_: dropped.set()
    join(NODE, client_id=OTHER_NODE).come_in.wait(0.5)
    assert not dropped.is_set()


@pytest.mark.parametrize("topic", [up(OTHER_NODE), down(NODE), down(OTHER_NODE), "other", "lp/x"])
def test_node_writes_only_its_own_up(join, collector, topic):
    listeners = [join(OTHER_NODE).subscribe(down(OTHER_NODE)), collector]
    node = join(NODE).subscribe(down(NODE))
    node.say(topic, b"forged")
    node.say(up(NODE), b"true")
    assert collector.next() == (up(NODE), b"true")
    collector.say(down(OTHER_NODE), b"last")
    assert listeners[0].next() == (down(OTHER_NODE), b"last")
    assert node.heard.empty() and collector.heard.empty()


@pytest.mark.parametrize("topic", ["lp/+/up", "#", "lp/+/down", up(OTHER_NODE), down(OTHER_NODE)])
def test_node_hears_only_its_own_down(join, collector, topic):
    node = join(NODE).subscribe(down(NODE)).subscribe(topic)
    other = join(OTHER_NODE).subscribe(down(OTHER_NODE))
    other.say(up(OTHER_NODE), b"secret")
    assert collector.next() == (up(OTHER_NODE), b"secret")
    collector.say(down(OTHER_NODE), b"secret")
    assert other.next() == (down(OTHER_NODE), b"secret")
    collector.say(down(NODE), b"for me")
    assert node.next() == (down(NODE), b"for me")
    assert node.heard.empty()


def test_a_will_is_not_a_way_around(join, collector):
    node = join(NODE)
    assert node.come_in.wait(WITHIN_S)
    node.leave()
    node.mqtt.will_set(up(OTHER_NODE), b"forged", 1)
    node.come_in.clear()
    node.mqtt.reconnect()
    node.mqtt.loop_start()
    assert node.come_in.wait(WITHIN_S)
    node.vanish()
    join(OTHER_NODE).say(up(OTHER_NODE), b"true")
    assert collector.next() == (up(OTHER_NODE), b"true")
    time.sleep(0.1)
    assert collector.heard.empty()


def test_collector_and_vault_cannot_pose_as_nodes(join, collector):
    other = join("vault-1")
    for poser in (collector, other):
        for name in (NODE, *ROLES):
            poser.say(up(name), b"forged")
    join(NODE).say(up(NODE), b"true")
    assert collector.next() == (up(NODE), b"true")
    assert collector.heard.empty()


def test_vault_hears_nothing(join, collector):
    vault = join("vault-1").subscribe("lp/+/up").subscribe("#")
    join(NODE).say(up(NODE), b"secret")
    assert collector.next() == (up(NODE), b"secret")
    assert vault.heard.empty()


def test_collector_hears_itself_but_no_receipts_of_others(join, collector):
    for topic in (down("collector-1"), down(NODE), "lp/+/down"):
        collector.subscribe(topic)
    join("vault-1").say(down(NODE), b"command")
    collector.say(down(NODE), b"receipt")
    collector.say(down("collector-1"), b"to myself")
    assert collector.next() == (down("collector-1"), b"to myself")
    join(NODE).say(up(NODE), b"true")
    assert collector.next() == (up(NODE), b"true")
    assert collector.heard.empty()


def test_what_was_not_acknowledged_comes_again(join):
    crashing = join("collector-1", clean=False, manual_ack=True).subscribe("lp/+/up")
    node = join(NODE)
    for number in range(5):
        node.say(up(NODE), bytes([number]))
    taken = [crashing.heard.get(timeout=WITHIN_S) for _ in range(5)]
    crashing.mqtt.ack(taken[0].mid, 1)
    crashing.mqtt.ack(taken[3].mid, 1)
    time.sleep(0.1)
    crashing.vanish()
    node.say(up(NODE), b"meanwhile")
    again = join("collector-1", clean=False, manual_ack=True)
    expected = [b"\x01", b"\x02", b"\x04", b"meanwhile"]
    messages = [again.heard.get(timeout=WITHIN_S) for _ in expected]
    assert [m.payload for m in messages] == expected
    assert [m.dup for m in messages] == [True, True, True, False]
    for message in messages:
        again.mqtt.ack(message.mid, 1)
    time.sleep(0.1)
    again.vanish()
    last = join("collector-1", clean=False)
    node.say(up(NODE), b"end")
    assert last.next() == (up(NODE), b"end")


def test_receipts_wait_for_a_node_that_is_away(join, collector):
    away = join(NODE, clean=False).subscribe(down(NODE))
    away.vanish()
    for number in range(30):
        collector.say(down(NODE), bytes([number]))
    back = join(NODE, clean=False)
    assert [back.next()[1] for _ in range(30)] == [bytes([n]) for n in range(30)]


def test_a_node_that_comes_again_takes_over_its_session(join, collector):
    for number in range(5):
        node = join(NODE, clean=False).subscribe(down(NODE))
        collector.say(down(NODE), bytes([number]))
        assert node.next() == (down(NODE), bytes([number]))


def test_boards_of_one_identity_that_come_at_once_share_one_session(join, collector):
    join(NODE, clean=False).subscribe(down(NODE)).vanish()
    for number in range(10):
        for board in [join(NODE, clean=False) for _ in range(4)]:
            assert board.come_in.wait(WITHIN_S)  # for a moment at least
        last = join(NODE, clean=False)
        assert last.come_in.wait(WITHIN_S)
        collector.say(down(NODE), bytes([number]))
        assert last.next() == (down(NODE), bytes([number]))


def test_delivery_takes_a_few_milliseconds(join, collector):
    node = join(NODE).subscribe(down(NODE))
    took_ms = []
    for _ in range(100):
        began = time.perf_counter()
        node.mqtt.publish(up(NODE), bytes(180), 1)
        collector.next()
        took_ms.append((time.perf_counter() - began) * 1000)
    assert sorted(took_ms)[50] < 10  # a delayed acknowledgement alone takes 40


def test_ports_are_closed_after_stop(authority, tmp_path):
    for kind in ("embedded", "mosquitto"):
        made = make_broker(kind, authority, tmp_path)
        with made as running:
            assert running is made
        made = make_broker(kind, authority, tmp_path)
        address = made.start()
        socket.create_connection(address).close()
        made.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


@pytest.fixture
def embedded(authority):
    """An embedded broker of its own, and what its hook saw, in `seen`."""
    seen = []
    made = EmbeddedBroker(
        authority.file, *authority.server, on_publish=lambda *message: seen.append(message)
    )
    made.seen = seen
    made.address = made.start()
    yield made
    trouble = made.trouble()
    made.stop()
    assert trouble is None


def test_capture_sees_what_is_let_through(authority, embedded):
    node = Client(embedded, getattr(authority, NODE), NODE, authority.file)
    node.say(up(OTHER_NODE), b"forged")
    node.say(up(NODE), b"true")
    node.leave()
    deadline = time.monotonic() + WITHIN_S
    while not embedded.seen and time.monotonic() < deadline:
        time.sleep(0.01)
    assert embedded.seen == [(up(NODE), b"true")]


def test_a_new_certificate_of_another_role_counts_at_once(authority, embedded):
    name, options = "worker-1", {"clean": False}
    files = authority.issue(name, "collector")
    worker = Client(embedded, files, name, authority.file, **options).subscribe("lp/+/up")
    files = authority.issue(name, "vault")
    again = Client(embedded, files, name, authority.file, **options)
    assert again.come_in.wait(WITHIN_S)
    node = Client(embedded, getattr(authority, NODE), NODE, authority.file)
    node.say(up(NODE), b"secret")
    node.subscribe(down(NODE))
    again.say(down(NODE), b"command")
    assert node.next() == (down(NODE), b"command")
    assert again.heard.empty() and worker.heard.empty()
    for client in (worker, node, again):
        client.leave()


def test_a_late_acknowledgement_loses_nothing_and_waiting_costs_nothing(authority, embedded):
    """As it is, amqtt forgets a message after 5 s."""
    files = getattr(authority, "collector-1")
    options = {"clean": False, "manual_ack": True}
    slow = Client(embedded, files, "collector-1", authority.file, **options).subscribe("lp/+/up")
    node = Client(embedded, getattr(authority, NODE), NODE, authority.file)
    node.say(up(NODE), b"slow")
    assert slow.next() == (up(NODE), b"slow")
    began_s = time.process_time()
    time.sleep(5.5)
    assert time.process_time() - began_s < 0.3
    slow.vanish()
    again = Client(embedded, files, "collector-1", authority.file, **options)
    assert again.next() == (up(NODE), b"slow")
    for client in (node, again):
        client.leave()


# rules


def test_who_may_connect():
    assert may_connect(NODE, "node", NODE)
    assert may_connect("collector-1", "collector", "collector-1")
    assert not may_connect(NODE, "node", OTHER_NODE)
    for role in ("collector", "vault", "broker", ""):
        assert not may_connect(NODE, role, NODE)
    for name in ("collector-1", "", "01234567", "0123456789a", "ILOU456789", "abcdefghij"):
        assert not may_connect(name, "node", name)
    for name in ("a b", "a\nuser b", "+", "", "lp/x"):
        assert not may_connect(name, "collector", name)


def test_wildcards_reach_no_further_than_the_rule():
    assert may_read("c", "collector", "lp/+/up") and may_read("c", "collector", up(NODE))
    for topic in ("lp/#", "lp/#/up", "#", "+/+/up", "lp/+/+", "lp/+/up/x", "$share/g/lp/+/up"):
        assert not may_read("c", "collector", topic), topic
    assert may_read("c", "collector", down("c")) and may_write("c", "collector", down("c"))
    for topic in (down(NODE), down("d"), "lp/+/down"):
        assert not may_read("c", "collector", topic), topic
    assert may_read("r", "reader", "lp/+/up") and may_write("r", "reader", down("r"))
    for topic in (down(NODE), up(NODE), "lp/+/down", "lp/+/up", down("s")):
        assert not may_write("r", "reader", topic), topic
    assert not may_read(NODE, "node", "lp/+/down")
    assert not may_write(NODE, "node", "lp/+/up")


def test_a_role_cannot_smuggle_lines_into_the_acl():
    for name in (NODE, "x\ntopic readwrite #", "#"):
        with pytest.raises(ValueError):
            mosquitto_acl({name: "collector"})


# mosquitto's and other people's


def test_mosquitto_missing(authority, tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.world.broker_mosquitto.mosquitto_path", lambda: None)
    made = MosquittoBroker(tmp_path, authority.file, *authority.server, ROLES)
    with pytest.raises(ToolError) as caught:
        made.start()
    assert caught.value.message == "mosquitto is not installed"


def test_mosquitto_says_why_it_died(authority, tmp_path):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    wrong_key = getattr(authority, NODE)[1]
    made = MosquittoBroker(tmp_path, authority.file, authority.server[0], wrong_key, ROLES)
    with pytest.raises(ToolError) as caught:
        made.start()
    assert "key" in caught.value.message


def test_mosquitto_takes_another_port_when_one_is_taken(authority, tmp_path, monkeypatch):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    import simulator.world.broker_mosquitto as module

    free = module._free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], free]
        monkeypatch.setattr(module, "_free_port", lambda: ports.pop(0))
        made = MosquittoBroker(tmp_path, authority.file, *authority.server, ROLES)
        assert made.start() == ("127.0.0.1", free)
        made.stop()


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "host:0", "host:65536", "::1:8883"])
def test_not_an_address(text):
    with pytest.raises(ToolError):
        parse_address(text)


def test_address():
    assert parse_address("b.example:8883") == ("b.example", 8883)
    assert parse_address("[::1]:8883") == ("::1", 8883)


def test_external_broker_is_checked(authority, tmp_path):
    ours = getattr(authority, "collector-1")
    strange = Authority(tmp_path)

    def complaint(address, ca=authority.file, files=ours, name=NAME):
        with pytest.raises(ToolError) as caught:
            ExternalBroker(f"{address[0]}:{address[1]}", ca, *files, name).start()
        assert "\n" not in caught.value.message
        return caught.value.message

    with EmbeddedBroker(authority.file, *authority.server) as broker:
        port = broker._broker._servers["default"].instance.sockets[0].getsockname()[1]
        address = "127.0.0.1", port
        found = ExternalBroker(f"127.0.0.1:{port}", authority.file, *ours)
        assert found.start() == address and found.host_name == "127.0.0.1"
        assert "not good for wrong.name" in complaint(address, name="wrong.name")
        assert "not good for" in complaint(address, ca=strange.file)
        files = strange.issue("collector-1", "collector")
        assert "breaks off the TLS handshake" in complaint(address, files=files)
    assert "cannot be reached" in complaint(address)
    assert "no such host" in complaint(("nowhere.invalid", 1))
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=lambda: plain.accept()[0].sendall(b"HTTP/1.1 400\r\n")).start()
        assert "does not speak TLS" in complaint(plain.getsockname())
