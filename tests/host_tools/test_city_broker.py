# SPDX-License-Identifier: MIT
"""What a vault gives its broker, at a real mosquitto: who is let in, who is revoked; commands come
to their node."""

import contextlib
import itertools
import json
import queue
import shutil
import socket
import ssl
import time
from pathlib import Path
from types import SimpleNamespace

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from host_tools import console
from host_tools.city.send import _publish
from host_tools.city.send import send as give
from host_tools.collector.tls_probe import mutual_tls
from host_tools.errors import ToolError
from host_tools.handover import command_file
from host_tools.provisioning.certificates import Authority
from simulator.world.broker_rules import mosquitto_acl
from tests.host_tools.city_broker import city_broker, write_files
from tests.host_tools.city_place import City, lamppost, refused
from tests.host_tools.vault_place import argon2id  # noqa: F401

BOARDS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("city")).fill()
    city.issue(3)
    city.parts = city.install(*BOARDS)
    city.take_back()
    city.vault("certificate", "broker", "--role", "broker", "--host", "localhost", "-o",
               city.folder / "broker")  # fmt: skip
    city.vault("certificate", "sender", "--role", "vault", "-o", city.folder / "tls")
    city.vault("certificate", "collector-1", "--role", "collector", "--store", "home", "-o",
               city.folder / "tls")  # fmt: skip
    for parts in city.parts:
        parts.identity.save(city.folder / "tls", parts.ticket.node_id)
    return city


@pytest.fixture
def broker(city):
    """Starts a mosquitto in the place of the last: (host, port). The first of a test knows no
    session; those that follow have what the one before has kept."""
    shutil.rmtree(city.folder / "state", ignore_errors=True)
    with contextlib.ExitStack() as stack:

        def start(change=lambda: None) -> tuple[str, int]:
            stack.close()
            return stack.enter_context(city_broker(city, change))

        yield start


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

    def say(self, topic, *payloads):
        for said in [self._client.publish(topic, payload, 1) for payload in payloads]:
            said.wait_for_publish(10)

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


def test_it_speaks_no_tls_1_3_for_which_nodes_have_no_suites(city, broker):
    address, tls = broker(), city.folder / "tls"
    name = city.parts[0].ticket.node_id
    paths = tls / "ca.pem", tls / f"{name}.pem", tls / f"{name}.key"
    context = mutual_tls(*paths, "localhost")
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    with (
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        assert wrapped.version() == "TLSv1.2"
    head = (city.folder / "broker" / "mosquitto.conf").read_text()
    folder = city.folder / "broker"
    assert f"OPENSSL_CONF={folder}/openssl.cnf mosquitto -c {folder}/mosquitto.conf" in head


def send(city, address, *more) -> tuple[int, dict, str]:
    path = city.folder / "b.commands"
    city.vault("commands", "-o", path)
    where = ("--broker", f"localhost:{address[1]}", "--tls-dir", city.folder / "tls")
    code, out, err = lamppost("send", path, *where, "--name", "sender", *more)
    return code, json.loads(out) if more else {}, err


def test_what_the_broker_keeps_for_nobody_is_not_sent(city, broker):
    """It drops what is for a node without a session, and says so in MQTT 5 alone."""
    address = broker()
    nodes = [parts.ticket.node_id for parts in city.parts]
    code, told, err = send(city, address, "--json")
    assert code == 1 and told["sent"] == 0 and sorted(told["not_kept"]) == sorted(nodes)
    assert f"node {nodes[0]}: the broker keeps nothing for it: it was never connected" in err
    assert "hint: have it connect" in err and "then send the file again" in err
    Client(city, address, nodes[0], f"lp/{nodes[0]}/down").end()  # a session stays
    code, told, _ = send(city, address, "--json")
    assert code == 1 and told["sent"] == 1 and list(told["not_kept"]) == nodes[1:]
    Client(city, address, nodes[1], f"lp/{nodes[1]}/down").end()
    assert send(city, address)[0] == 0


def test_each_node_gets_its_commands_in_order_and_none_behind_a_lost_one(
    city, broker, monkeypatch
):
    """A node refuses for good what comes behind a higher number."""
    address, path = broker(), city.folder / "many.commands"
    nodes = [parts.ticket.node_id for parts in city.parts]
    wanted = [b"%d" % number for number in range(200)]
    path.write_bytes(command_file.encode([(n, one) for one in wanted for n in nodes]))
    tried, publish = [], mqtt.Client.publish

    def noted(client, topic, *args, **options):
        tried.append(topic.split("/")[1])
        return publish(client, topic, *args, **options)

    monkeypatch.setattr(mqtt.Client, "publish", noted)
    client = Client(city, address, nodes[0], f"lp/{nodes[0]}/down")
    where = ("--broker", f"localhost:{address[1]}", "--tls-dir", city.folder / "tls")
    code, out, _ = lamppost("send", path, *where, "--name", "sender", "--json")
    told = json.loads(out)
    assert code == 1 and told["sent"] == 200 and list(told["not_kept"]) == nodes[1:]
    assert tried.count(nodes[1]) == 1  # and not the later ones, for which it may be there
    assert [client.heard.get(timeout=10).payload for _ in wanted] == wanted
    client.end()


def test_ids_of_packets_come_round(city, broker, monkeypatch):
    """What became of one is not taken for what became of another that had its id before."""
    address, ids = broker(), itertools.cycle(range(1, 20))
    monkeypatch.setattr(mqtt.Client, "_mid_generate", lambda client: next(ids))
    node = city.parts[0].ticket.node_id
    Client(city, address, node, f"lp/{node}/down").end()
    lost = ["0000000000", "0000000001", "0000000002"]
    messages = [(one, b"x") for one in lost] + [(node, b"x")] * 100
    tls = [city.folder / "tls" / name for name in ("ca.pem", "sender.pem", "sender.key")]
    done = give(messages, ("localhost", address[1]), *tls)
    assert done.count == 100 and sorted(done.not_kept) == lost


def test_an_id_that_comes_round_before_its_answer_ends_it():
    class Silent:
        """A connection to a broker that answers all but the first."""

        def __init__(self):
            self.answers, self._ids = queue.SimpleQueue(), itertools.cycle(range(1, 20))

        def publish(self, topic, message, qos):
            mid = next(self._ids)
            if "first" not in topic:
                self.answers.put((mid, SimpleNamespace(value=0)))
            return SimpleNamespace(mid=mid)

    client, messages = Silent(), [("first", b"x")] + [("second", b"x")] * 100
    with pytest.raises(ToolError, match="without an answer"):
        _publish(client, client.answers, messages, "broker", 1)


def test_what_the_rules_refuse_is_not_sent(city, broker):
    def forget_the_sender():
        acl = city.folder / "broker" / "acl"
        before = acl.read_text()
        acl.write_text(before.replace("user sender", "user another"))
        assert acl.read_text() != before

    address = broker(forget_the_sender)
    code, told, err = send(city, address, "--json")
    assert code == 1 and told["sent"] == 0 and told["not_kept_count"] == 2
    assert "the broker's rules do not let us write to it" in err


def test_a_reader_writes_to_no_node(city, broker):
    """Nor with a certificate that an earlier version gave the role of a collector."""
    make = "vault", "certificate", city.path, *city.opening(), "-o", city.folder / "tls"
    city.ok(*make, "roads-3", "--role", "reader", "--store", "roads")
    city.ok(*make, "roads-4", "--role", "reader", "--store", "roads")
    with city.open() as file, file.change("as an older version", {}):
        file.db.execute("UPDATE certificates SET role = 'collector' WHERE name = 'roads-4'")
    node, address = city.parts[0].ticket.node_id, broker()
    clients = [Client(city, address, name, "lp/+/up") for name in ("roads-3", "roads-4")]
    clients += [Client(city, address, "collector-1", "lp/+/up")]
    clients += [Client(city, address, node, f"lp/{node}/down")]
    try:
        for client, said in zip(clients, (b"no", b"nor this", b"receipt"), strict=False):
            client.say(f"lp/{node}/down", said)
        assert clients[3].heard.get(timeout=10).payload == b"receipt"
        clients[3].say(f"lp/{node}/up", b"sealed")
        assert {client.heard.get(timeout=10).payload for client in clients[:3]} == {b"sealed"}
    finally:
        for client in clients:
            client.end()


def test_what_waits_for_a_node_outlasts_the_broker(city, broker):
    address, node = broker(), city.parts[0].ticket.node_id
    topic = f"lp/{node}/down"
    Client(city, address, node, topic).end()
    sender = Client(city, address, "collector-1", "lp/+/up")
    wanted = [b"%d" % number for number in range(1500)]  # by itself it keeps 1,000
    sender.say(topic, *wanted)
    sender.end()
    client = Client(city, broker(), node, topic)
    try:
        assert [client.heard.get(timeout=10).payload for _ in wanted] == wanted
    finally:
        client.end()


def test_nobody_is_let_in_without_a_certificate_of_the_city(city, broker):
    address = broker()
    stranger = Authority.create()
    stranger.issue(city.parts[0].ticket.node_id, "node").save(city.folder / "tls", "stranger")
    assert "unknown ca" in handshake(city, address, "stranger")
    context = ssl.create_default_context(cafile=city.folder / "tls" / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError), socket.create_connection(address, 5) as plain:
        context.wrap_socket(plain, server_hostname="localhost").recv(1)


@pytest.mark.parametrize("option, value", [
    ("--at", "relative"), ("--at", "/etc/x\nallow_anonymous true"), ("--state", ""),
    ("--name", "../broker"), ("--user", "root\nallow_anonymous true"),
])  # fmt: skip
def test_what_mosquitto_would_read_as_something_else(city, tmp_path, option, value):
    words = ("vault", "broker", city.path, *city.opening(), "-o", tmp_path / "x")
    refused(*words, option, value, code=2)
    assert not (tmp_path / "x").exists()


def test_the_place_on_the_brokers_machine(city, tmp_path):
    city.vault("broker", "-o", tmp_path, "--at", "/etc/mosquitto/city", "--name", "b1")
    lines = (tmp_path / "mosquitto.conf").read_text().splitlines()
    for line in ("listener 8883", "keyfile /etc/mosquitto/city/b1.key",
                 "crlfile /etc/mosquitto/city/crl.pem", "acl_file /etc/mosquitto/city/acl",
                 "persistence_location /var/lib/mosquitto/"):  # fmt: skip
        assert line in lines
    told = city.vault("broker", "-o", tmp_path)  # as after each accept and revoke
    assert sorted(told["files"]) == ["acl", "ca.pem", "crl.pem", "openssl.cnf"]
    assert (tmp_path / "mosquitto.conf").read_text().splitlines() == lines
    city.vault("broker", "-o", tmp_path, "--state", "/srv")
    assert "listener 8883" in (tmp_path / "mosquitto.conf").read_text()
    assert f"certfile {tmp_path}/broker.pem" in (tmp_path / "mosquitto.conf").read_text()


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
    write_files(city)
    crl = x509.load_pem_x509_crl((city.folder / "broker" / "crl.pem").read_bytes())
    numbers.append(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    assert numbers[1] > numbers[0]


def test_a_clock_that_is_ahead_takes_nothing_from_the_list(city, tmp_path, monkeypatch):
    """Certificates seem to have ended then; and a list from the future shuts everybody out."""
    real_s = time.time()
    city.vault("certificate", "s9", "--role", "vault", "-o", tmp_path)
    city.vault("revoke", "certificate", "s9")

    def listed(*more, days=0):
        monkeypatch.setattr(time, "time", lambda: real_s + days * 86_400)
        city.vault("broker", "-o", tmp_path, *more)
        crl = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
        assert crl.last_update_utc.timestamp() <= real_s + 60
        assert crl.next_update_utc.timestamp() > real_s + 399 * 86_400
        return {one.serial_number for one in crl}

    revoked = listed()
    assert revoked and listed(days=399) == revoked
    words = "vault", "broker", city.path, *city.opening(), "-o", tmp_path
    monkeypatch.setattr(time, "time", lambda: real_s + 401 * 86_400)
    before = (tmp_path / "crl.pem").read_bytes()
    err = refused(*words, code=2)
    assert "was last changed on" in err and "--yes" in err
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr(console, "ask_yes", lambda question: False)
    assert lamppost(*words)[0] == 1 and (tmp_path / "crl.pem").read_bytes() == before
    ten_years = 3650
    assert listed("--yes", days=401) == listed("--yes", days=ten_years + 360) == revoked
    assert listed("--yes", days=ten_years + 370) == set()


def test_certificates_of_others_than_nodes_are_revoked_by_name(city, broker):
    make = "vault", "certificate", city.path, *city.opening(), "-o", city.folder / "tls"
    for name, store in (("roads-1", "roads"), ("roads-2", "roads")):
        city.ok(*make, name, "--role", "reader", "--store", store)
    city.ok(*make, "sender-2", "--role", "vault")
    with city.open() as file, file.change("as an older version", {}):
        file.db.execute("UPDATE certificates SET store = NULL WHERE name = 'roads-1'")
    city.vault("broker", "-o", city.folder / "broker")
    address = broker()
    for name in ("roads-1", "roads-2", "sender", "sender-2"):
        assert handshake(city, address, name) is None
    for name in ("roads-1", "sender"):
        told = city.vault("revoke", "certificate", name)
        assert (told["certificates"], told["nodes"], told["mixed"]) == (1, [], [])
    city.vault("broker", "-o", city.folder / "broker")
    address = broker()
    for name in ("roads-1", "sender"):
        assert "revoked" in handshake(city, address, name)
    assert handshake(city, address, "roads-2") is handshake(city, address, "sender-2") is None
    acl = (city.folder / "broker" / "acl").read_text()
    assert "roads-2" in acl and "roads-1" not in acl and "user sender\n" not in acl
    revoke = "vault", "revoke", city.path, "certificate", *city.opening()
    node = city.parts[1].ticket.node_id
    for name, said in (("sender", "sender is revoked"), ("eve", "was not given out by this vault"),
                       (node, f"{node} is a node's")):  # fmt: skip
        assert said in refused(*revoke, name)


def test_both_certificates_of_a_name_end(city):
    make = "vault", "certificate", city.path, *city.opening(), "--role", "requester", "office"
    city.ok(*make, "-o", city.folder / "first")
    city.ok(*make, "-o", city.folder / "second")
    assert city.vault("revoke", "certificate", "office")["certificates"] == 2


def test_nodes_whose_tickets_are_out(city):
    waiting = next(n for n, row in city.nodes().items() if row["state"] == "issued")
    folder = city.folder / "more"
    assert city.vault("broker", "-o", folder)["shut_out"] == 1
    assert waiting not in (folder / "acl").read_text()
    _, _, err = lamppost("vault", "broker", city.path, *city.opening(), "-o", folder)
    assert "1 issued nodes are shut out" in err and f"--with-issued -o {folder}" in err
    assert city.vault("broker", "--with-issued", "-o", folder)["shut_out"] == 0
    assert waiting in (folder / "acl").read_text()


def test_the_list_names_nodes_only():
    with pytest.raises(ValueError):
        mosquitto_acl({}, ["collector-1\ntopic readwrite #"])
    assert "pattern" not in mosquitto_acl({}, [])


def test_names_of_certificates(city):
    words = ("vault", "certificate", city.path, *city.opening(), "-o", city.folder / "x")
    collector = "--role", "collector", "--store", "home"
    assert "could be a node's id" in refused(*words, "0123456789", *collector)
    assert "another role" in refused(*words, "sender", *collector)
    for role in ("broker", "controller"):
        assert "--host is for a broker" in refused(*words, "b2", "--role", role, code=2)
    err = refused(*words, "c2", "--role", "collector", code=2)
    assert "--store is for a collector or reader, which needs one" in err
    assert "needs one" in refused(*words, "r2", "--role", "reader", code=2)
    err = refused(*words, "r2", "--role", "collector", "--store", "roads")
    assert "roads is a reader, and sends no receipts" in err and "--role reader" in err
    assert "--store is for a collector" in refused(*words, "s2", "--role", "vault", "--store",
                                                   "home", code=2)  # fmt: skip
    assert "no store or reader eve" in refused(*words, "c2", "--role", "collector", "--store",
                                               "eve")  # fmt: skip
    for name in ("ca", "CA"):
        assert "the authority's name" in refused(*words, name, *collector)
    assert not Path(city.folder / "x").exists()


def test_another_authority_is_not_written_over(city):
    words = ("vault", "certificate", city.path, *city.opening(), "--role", "vault", "-o")
    folder = city.folder / "elsewhere"
    Authority.create().save(folder, "ca")
    before = (folder / "ca.pem").read_bytes()
    assert "is another authority's" in refused(*words, folder, "sender-2")
    (folder / "ca.pem").write_bytes(b"rubbish")
    assert "is another authority's" in refused(*words, folder, "sender-2")
    (folder / "ca.pem").unlink()
    (folder / "ca.pem").symlink_to(folder / "nowhere")
    refused(*words, folder, "sender-2")
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem"]
    assert len(before) and not (folder / "nowhere").exists()
    own = (city.folder / "tls" / "ca.pem").read_bytes()
    (folder / "ca.pem").unlink()
    (folder / "ca.pem").write_bytes(b"as openssl writes it\n" + own)
    city.ok(*words, folder, "sender-2")
    assert (folder / "ca.pem").read_bytes().endswith(own)


def test_a_key_that_others_can_read_is_not_used(city):
    make = "vault", "certificate", city.path, *city.opening(), "--role", "vault", "-o"
    city.ok(*make, city.folder / "tls", "sender-3")
    city.vault("commands", "-o", city.folder / "some.commands")
    send = ("send", city.folder / "some.commands", "--broker", "localhost:1", "--name", "sender-3",
            "--tls-dir", city.folder / "tls")  # fmt: skip
    (city.folder / "tls" / "sender-3.key").chmod(0o640)
    assert "sender-3.key can be read by others" in refused(*send)


def test_a_technicians_reader_looks_and_ends_with_them(city, broker):
    city.vault("certificate", "bob-2", "--role", "reader", "--technician", "bob", "-o",
               city.folder / "tls")  # fmt: skip
    make = "vault", "certificate", city.path, *city.opening(), "-o", city.folder / "tls", "bob-3"
    assert "--technician is for a reader" in refused(
        *make, "--role", "collector", "--store", "home", "--technician", "bob", code=2
    )
    assert "in the place of --store" in refused(
        *make, "--role", "reader", "--store", "home", "--technician", "bob", code=2
    )
    assert "no technician eve" in refused(*make, "--role", "reader", "--technician", "eve")
    (row,) = [one for one in city.vault("certificates")["certificates"] if one["name"] == "bob-2"]
    assert (row["role"], row["owner"], row["revoked_s"]) == ("reader", "bob", None)
    assert handshake(city, broker(), "bob-2") is None
    acl = (city.folder / "broker" / "acl").read_text()
    assert "lp/+/down" not in acl.split("user bob-2\n")[1].split("user ")[0]
    assert city.vault("revoke", "technician", "bob")["certificates"] == 1
    assert "revoked" in handshake(city, broker(), "bob-2")
    _, out, _ = lamppost("vault", "certificates", city.path, *city.opening())
    assert "bob-2" in out and "reader" in out
