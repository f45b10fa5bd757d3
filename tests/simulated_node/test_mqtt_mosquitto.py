# SPDX-License-Identifier: MIT
"""node/link/mqtt.py and tls_context.py over TCP and mutual TLS, against mosquitto; on MicroPython,
and on CPython with the simulator's look-alikes."""

import queue
import shutil
import threading
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.umqtt_source import umqtt_path
from tests.bench.mqtt import NODE, Authority, Broker

UP, DOWN = f"lp/{NODE}/up", f"lp/{NODE}/down"

@pytest.fixture
def broker(tmp_path):
    if not shutil.which("mosquitto"):
        pytest.skip("mosquitto is not installed")
    with Broker(tmp_path) as started:
        yield started


@contextmanager
def city(broker):
    """A paho client with the node's certificate and another id: (client, queue of messages)."""
    arrived = queue.Queue()
    ready = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "city")
    folder = broker.folder
    client.tls_set(folder / "ca.pem", folder / "node.pem", folder / "node.key.pem")
    client.on_message = lambda *args: arrived.put((args[2].topic, args[2].payload))
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", broker.port)
    client.subscribe(UP, 1)
    client.loop_start()
    assert ready.wait(10)
    try:
        yield client, arrived
    finally:
        client.loop_stop()
        client.disconnect()


class TestMosquitto:
    def test_messages_arrive_whole_and_in_order(self, run, broker):
        with city(broker) as (_, arrived):
            lines = run(
                """
client = make(PORT)
print(client.connect(clean_session=True), client.sock.cipher()[0])
for number in range(300):
    while not client.can_publish():
        client.poll(1000)
    client.publish_qos1(b"lp/0123456789/up", bytes([number & 255]) * (1 + 4 * number))
settle(client)
client.publish("lp/0123456789/up", "at most once")
client.publish("lp/0123456789/up", "at least once", qos=1)
client.disconnect()
""",
                broker.folder,
                PORT=broker.port,
            )
            assert lines[0].startswith("False ")
            assert "ECDHE-ECDSA" in lines[0] and "GCM" in lines[0]
            got = [arrived.get(timeout=10) for _ in range(302)]
        # MQTT 3.1.1 §4.6 orders QoS 1 among itself: QoS 0 may overtake what waits to be sent.
        assert got.count((UP, b"at most once")) == 1
        got.remove((UP, b"at most once"))
        assert got[:300] == [(UP, bytes([n & 255]) * (1 + 4 * n)) for n in range(300)]
        assert got[300:] == [(UP, b"at least once")]

    def test_the_session_keeps_what_comes_while_the_node_is_away(self, launch, broker):
        process = launch(
            """
heard = []
client = make(PORT)
client.set_callback(lambda topic, message: heard.append((topic, message)))
print(client.connect())
client.subscribe(b"lp/0123456789/down")
settle(client)
client.close()
print("away")
sys.stdin.readline()
print(client.connect())
while not heard:
    client.poll(1000)
client.tick()
client.disconnect()
print(heard)
""",
            broker.folder,
            PORT=broker.port,
        )
        assert [process.stdout.readline() for _ in range(2)] == ["False\n", "away\n"]
        with city(broker) as (client, _):
            client.publish(DOWN, b"a receipt", 1).wait_for_publish(10)
            output, _ = process.communicate("\n", timeout=60)
        assert output.splitlines() == ["True", f"[(b'{DOWN}', b'a receipt')]"]

    def test_a_restart_of_the_broker_is_survived(self, launch, broker):
        process = launch(
            """
client = make(PORT)
client.connect()
client.publish("lp/0123456789/up", "1", qos=1)
print("up")
sys.stdin.readline()
fails(lambda: [client.wait_msg() for _ in range(10)])
print(client.connected)
client.connect()
client.publish_qos1(b"lp/0123456789/up", b"2", 1)
settle(client)
print(client.pid)
client.disconnect()
""",
            broker.folder,
            PORT=broker.port,
        )
        assert process.stdout.readline() == "up\n"
        broker.stop()
        broker.start()
        output, _ = process.communicate("\n", timeout=60)
        reason, connected, packet_id = output.splitlines()
        assert reason.split()[0] in ("closed", "network")
        assert (connected, packet_id) == ("False", "1")

    def test_certificates_that_do_not_fit_are_link_errors(self, run, broker, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        Authority().issue(other, "node", NODE, "node")
        ca, cert, key = (other / name for name in ("ca.der", "node.der", "node.key.der"))
        lines = run(
            """
fails(make(PORT, ca=OTHER_CA).connect)
fails(make(PORT, cert=OTHER_CERT, key=OTHER_KEY).connect)
fails(make(PORT, host="localhost").connect)
fails(lambda: make(PORT, ca=b"not a certificate"))
fails(lambda: make(PORT, key=None))
make(PORT).connect()
""",
            broker.folder,
            PORT=broker.port,
            OTHER_CA=ca.read_bytes(),
            OTHER_CERT=cert.read_bytes(),
            OTHER_KEY=key.read_bytes(),
        )
        reasons = [line.split()[:-1] for line in lines]
        assert reasons[0] == ["certificate", "trusted", "CA"]
        # mosquitto hangs up behind its alert: which of them the node sees first is a matter of
        # luck (see test_tls_refused.py for the alert)
        assert reasons[1][0] == "tls"
        assert reasons[2] == ["certificate", "Common", "Name"]
        assert reasons[3:] == [["certificate"]] * 2

    def test_an_expired_broker_is_refused(self, run, tmp_path):
        if not shutil.which("mosquitto"):
            pytest.skip("mosquitto is not installed")
        with Broker(tmp_path, broker_days=-1) as broker:
            lines = run("fails(make(PORT).connect)", tmp_path, PORT=broker.port)
        assert lines[0].split()[:-1] == ["certificate", "expired"]

    def test_the_context_verifies_and_has_two_suites(self, run, broker):
        assert run(
            """
import tls
from node.link.tls_context import SUITES
context = make_context(CA, CERT, KEY)
print(context.verify_mode == tls.CERT_REQUIRED, tls.CERT_REQUIRED)
print(SUITES)
""",
            broker.folder,
        ) == [
            "True 2",
            "['TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256',"
            " 'TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384']",
        ]

    def test_more_messages_than_there_are_packet_ids(self, broker):
        try:
            micropython_path()
            umqtt_path()
        except ToolError as err:
            pytest.skip(f"{err}: {err.hint}")
        result = broker.run_node("ours", 71_000)
        assert result["taken"] == 71_000
        assert result["last_id"] == 71_000 - 65_535
