# SPDX-License-Identifier: MIT
"""What a vault gives its broker, at a real mosquitto: who is let in, who is revoked; commands come
to their node."""

import os
import queue
import socket
import ssl
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.tls_probe import mutual_tls
from simulator.world.broker_mosquitto import mosquitto_path
from simulator.world.broker_rules import mosquitto_acl
from tests.host_tools.city_place import City, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"
CONFIG = """\
listener {port} 127.0.0.1
cafile {folder}/broker/ca.pem
crlfile {folder}/broker/crl.pem
certfile {folder}/tls/broker.pem
keyfile {folder}/tls/broker.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/broker/acl
max_inflight_messages 0
log_dest stderr
{user}
"""


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("city")).fill()
    city.issue(3)
    city.parts = city.install(*BOARDS)
    city.take_back()
    city.vault("certificate", "broker", "--role", "broker", "--host", "localhost", "-o",
               city.folder / "tls")  # fmt: skip
    city.vault("certificate", "sender", "--role", "vault", "-o", city.folder / "tls")
    city.vault("certificate", "collector-1", "--role", "collector", "--store", "home", "-o",
               city.folder / "tls")  # fmt: skip
    for parts in city.parts:
        parts.identity.save(city.folder / "tls", parts.ticket.node_id)
    city.vault("broker", "-o", city.folder / "broker")
    return city


@pytest.fixture
def broker(city):
    """Starts a mosquitto with the files of the moment: (host, port)."""
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    running = []

    def start() -> tuple[str, int]:
        for process in running:
            process.terminate()
            process.wait(5)
        running.clear()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        user = f"user {os.environ.get('USER', 'root')}" if os.geteuid() == 0 else ""
        path = city.folder / "mosquitto.conf"
        path.write_text(CONFIG.format(port=port, folder=city.folder, user=user))
        log = (city.folder / "mosquitto.log").open("wb")
        running.append(subprocess.Popen([mosquitto_path(), "-c", path], stderr=log))
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return "127.0.0.1", port
            except OSError:
                assert time.monotonic() < deadline
                assert running[0].poll() is None, (city.folder / "mosquitto.log").read_text()
                time.sleep(0.05)

    yield start
    for process in running:
        process.terminate()
        process.wait(5)


class Client:
    """A client with this certificate; heard: its messages."""

    def __init__(self, city, address, name, topic):
        tls = city.folder / "tls"
        self.heard, self._ready = queue.Queue(), queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        self._client.tls_set_context(
            mutual_tls(tls / "ca.pem", tls / f"{name}.pem", tls / f"{name}.key", "localhost")
        )
        self._client.on_connect = lambda *_: self._client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._ready.put(True)
        self._client.on_message = lambda c, u, message: self.heard.put(message)
        self._client.connect(*address)
        self._client.loop_start()
        self._ready.get(timeout=10)

    def say(self, topic, payload):
        self._client.publish(topic, payload, 1).wait_for_publish(10)

    def end(self):
        self._client.disconnect()
        self._client.loop_stop()


def test_nodes_that_are_active_are_let_in_and_told(city, broker):
    address = broker()
    nodes = [parts.ticket.node_id for parts in city.parts]
    collector = Client(city, address, "collector-1", "lp/+/up")
    clients = [Client(city, address, node, f"lp/{node}/down") for node in nodes]
    try:
        clients[0].say(f"lp/{nodes[0]}/up", b"mine")
        clients[0].say(f"lp/{nodes[1]}/up", b"not mine")
        clients[1].say(f"lp/{nodes[1]}/up", b"last")
        assert [collector.heard.get(timeout=10).payload for _ in "ab"] == [b"mine", b"last"]
        path = city.folder / "a.commands"
        city.vault("commands", "-o", path)
        where = ("--broker", f"localhost:{address[1]}", "--tls-dir", city.folder / "tls")
        told = city.ok("send", path, *where, "--name", "sender")
        assert told["sent"] == 2
        for parts, client in zip(city.parts, clients, strict=True):
            from tests.host_tools.test_city_accept import opened

            message = client.heard.get(timeout=10)
            assert opened(parts.ticket, message.payload)[1:3] == ["mix", 2]
        err = refused("send", path, *where, "--name", "collector-1")
        assert "is not a vault's" in err
    finally:
        for client in (collector, *clients):
            client.end()


def handshake(city, address, name) -> str | None:
    """Why the broker refuses a certificate; None when it does not."""
    tls = city.folder / "tls"
    context = mutual_tls(tls / "ca.pem", tls / f"{name}.pem", tls / f"{name}.key", "localhost")
    try:
        with context.wrap_socket(socket.create_connection(address, 5)) as connection:
            connection.settimeout(1)
            connection.recv(1)
    except TimeoutError:
        return None
    except (ssl.SSLError, OSError) as err:
        return str(err)
    return "closed"


def test_who_is_revoked_is_shut_out(city, broker):
    node, other = (parts.ticket.node_id for parts in city.parts)
    assert handshake(city, broker(), node) is None
    city.vault("revoke", "node", node)
    city.vault("revoke", "store", "home")
    city.vault("broker", "-o", city.folder / "broker")
    address = broker()
    assert "revoked" in handshake(city, address, node)
    assert "revoked" in handshake(city, address, "collector-1")
    assert handshake(city, address, other) is None
    acl = (city.folder / "broker" / "acl").read_text()
    assert other in acl and node not in acl and "collector-1" not in acl
    data = (city.folder / "broker" / "crl.pem").read_bytes()
    crl = x509.load_pem_x509_crl(data)
    ca = x509.load_pem_x509_certificate((city.folder / "broker" / "ca.pem").read_bytes())
    assert crl.is_signature_valid(ca.public_key()) and len(list(crl)) == 2
    numbers = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number]
    city.vault("mix", other)
    city.vault("broker", "-o", city.folder / "broker")
    crl = x509.load_pem_x509_crl((city.folder / "broker" / "crl.pem").read_bytes())
    numbers.append(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    assert numbers[1] > numbers[0]


def test_nodes_whose_tickets_are_out(city):
    waiting = next(n for n, row in city.nodes().items() if row["state"] == "issued")
    folder = city.folder / "more"
    city.vault("broker", "-o", folder)
    assert waiting not in (folder / "acl").read_text()
    city.vault("broker", "--with-issued", "-o", folder)
    assert waiting in (folder / "acl").read_text()


def test_the_list_names_nodes_only():
    with pytest.raises(ValueError):
        mosquitto_acl({}, ["collector-1\ntopic readwrite #"])
    assert "pattern" not in mosquitto_acl({}, [])


def test_names_of_certificates(city):
    words = ("vault", "certificate", city.path, *city.opening(), "-o", city.folder / "x")
    assert "could be a node's id" in refused(*words, "0123456789", "--role", "collector")
    assert "another role" in refused(*words, "sender", "--role", "collector")
    assert "--host is for a broker" in refused(*words, "b2", "--role", "broker", code=2)
    assert "no store or reader eve" in refused(*words, "c2", "--role", "collector", "--store",
                                               "eve")  # fmt: skip
    assert not Path(city.folder / "x").exists()
