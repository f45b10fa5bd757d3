# SPDX-License-Identifier: MIT
"""A peer that falls silent at each step, or drips byte by byte for ever: every call ends within
its deadline, on MicroPython and on CPython with the look-alikes, over real TCP and TLS.

Most cases have shortened deadlines; test_with_the_deadlines_of_a_node has those of a node, and
tests/portable/test_mqtt.py has them all on a clock of its own.
"""

import itertools
import socket
import ssl
import struct
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from tests.bench.mqtt import NODE, Authority

_HOLD_S = 40  # longer than any call may take


def _client_hello_only(connection):
    """Says nothing at all."""
    time.sleep(_HOLD_S)


def _trickle(connection):
    """Begins a TLS record and sends it a byte at a time."""
    connection.sendall(b"\x16\x03\x03\x02\x00")
    while True:
        connection.sendall(b"\x00")
        time.sleep(0.2)


def _mqtt(answers, drip=None):
    """A broker that answers the n-th packet with answers[n], and then falls silent, or sends
    `drip` and zeros, a byte at a time."""

    def serve(connection):
        for answer in answers:
            connection.recv(4096)
            connection.sendall(answer)
        if drip is None:
            time.sleep(_HOLD_S)
            return
        for byte in itertools.chain(drip, itertools.repeat(0)):
            connection.sendall(bytes([byte]))
            time.sleep(0.03)

    serve.tls = True
    return serve


def _context(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "broker.pem", folder / "broker.key.pem")
    return context


@contextmanager
def server(folder, serve):
    """A server of one connection on 127.0.0.1; its port. No thread outlives its connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted = []

    def accept():
        try:
            connection, _ = listener.accept()
            accepted.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(serve, "tls"):
                connection = _context(folder).wrap_socket(connection, server_side=True)
                accepted.append(connection)
            serve(connection)
            connection.close()
        except OSError:
            pass  # the client hung up

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for opened in [*accepted, listener]:
            opened.close()


@pytest.fixture
def certificates(tmp_path):
    authority = Authority()
    authority.issue(tmp_path, "broker", "broker", "broker", "127.0.0.1")
    authority.issue(tmp_path, "node", NODE, "node")
    return tmp_path


def _half_a_flight(folder):
    """Sends one half of what a TLS server answers to the ClientHello."""

    def serve(connection):
        context = _context(folder)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(connection.recv(65536))
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            flight = outgoing.read()
        connection.sendall(flight[: len(flight) // 2])
        time.sleep(_HOLD_S)

    return serve


def _closes(connection):
    """Ends the connection in the middle of the handshake."""
    connection.recv(4096)


def _resets(connection):
    """The same, with RST."""
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def full_backlog():
    """The port of a server that accepts nobody and has no room for more: SYN is not answered."""
    with ExitStack() as opened, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


CONNACK = b"\x20\x02\x00\x00"
LONG = b"\x32\xff\xff\xff\x7f\x00\x01t\x00\x07"  # a message of 256 MiB, its first bytes
CONNECT = "client = make(PORT, connect_ms=700, answer_ms=400)\nfails(client.connect)"
LATER = """
client = make(PORT, connect_ms=700, answer_ms=400)
client.connect()
def later():
    while True:
        client.poll(50)
        client.tick()
"""
PUBLISH = LATER + "client.publish_qos1(b't', b'm')\nfails(later)"
PUBLISH_AND_WAIT = LATER + "fails(lambda: client.publish(b't', b'm', qos=1))"
FLOOD = """
client = make(PORT, answer_ms=400, max_in_flight=100000)
client.connect()
def flood():
    while True:
        client.publish_qos1(b't', bytes(1400))
fails(flood)
"""
# (what the server does, what the node does, why it ends, within these ms)
STEPS = {
    "connect": (_client_hello_only, CONNECT, "tls", 650, 2000),
    "a byte of the handshake, and one more, …": (_trickle, CONNECT, "tls", 650, 2000),
    "half of the handshake": (_half_a_flight, CONNECT, "tls", 650, 2000),
    "TLS": (_mqtt([]), CONNECT, "no", 500, 2000),
    "a part of CONNACK": (_mqtt([CONNACK[:3]]), CONNECT, "no", 500, 2000),
    "CONNACK, drip": (_mqtt([b""], b"\x20\xff\x01"), CONNECT, "no", 500, 2000),
    "PUBLISH": (_mqtt([CONNACK]), PUBLISH, "puback", 350, 1200),
    "PUBLISH, drip": (_mqtt([CONNACK], LONG), PUBLISH, "puback", 350, 1200),
    "a part of PUBACK": (_mqtt([CONNACK, b"\x40\x02\x00"]), PUBLISH_AND_WAIT, "no", 350, 1200),
    "a part of PUBACK, drip": (
        _mqtt([CONNACK], b"\x30\x7f"), PUBLISH_AND_WAIT, "no", 350, 1200),
    "SUBSCRIBE": (
        _mqtt([CONNACK]), LATER + "client.subscribe('t')\nfails(later)", "suback", 350, 1200),
    "UNSUBSCRIBE": (
        _mqtt([CONNACK]), LATER + "client.unsubscribe('t')\nfails(later)", "suback", 350, 1200),
    "PINGREQ": (_mqtt([CONNACK]), LATER + "client.ping()\nfails(later)", "pingresp", 350, 1200),
    "PINGREQ, drip": (
        _mqtt([CONNACK], LONG), LATER + "client.ping()\nfails(later)", "pingresp", 350, 1200),
    "all buffers are full": (_mqtt([CONNACK]), FLOOD, "write", 400, 20_000),
    "closed in the handshake": (_closes, CONNECT, "tls", 0, 2000),
    "reset in the handshake": (_resets, CONNECT, "tls", 0, 2000),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_silence_after(run, certificates, step):
    serve, script, reason, low_ms, high_ms = STEPS[step]
    if serve is _half_a_flight:
        serve = serve(certificates)
    with server(certificates, serve) as port:
        lines = run(script, certificates, PORT=port)
    words = lines[-1].split()
    assert words[0] == reason, lines
    assert low_ms <= int(words[-1]) <= high_ms


def test_syn_is_not_answered(run, certificates):
    with full_backlog() as port:
        lines = run("fails(make(PORT, connect_ms=2000).connect)", certificates, PORT=port)
    assert lines[-1].split()[:-1] == ["network", "110"]
    assert 1900 <= int(lines[-1].split()[-1]) <= 6000


def test_with_the_deadlines_of_a_node(launch, certificates):
    """Those of the constructor, and all at the same time: each call ends within 30 s."""
    connect = "fails(make(PORT).connect)"
    publish = """
client = make(PORT)
client.connect()
client.publish_qos1(b't', b'm')
def later():
    while True:
        client.poll(1000)
        client.tick()
fails(later)
"""
    cases = (
        (full_backlog(), connect),
        (server(certificates, _client_hello_only), connect),
        (server(certificates, _half_a_flight(certificates)), connect),
        (server(certificates, _mqtt([])), connect),
        (server(certificates, _mqtt([CONNACK], LONG)), publish),
    )
    with ExitStack() as servers:
        processes = []
        for peer, script in cases:
            port = servers.enter_context(peer)
            processes.append(launch(script, certificates, PORT=port))
        ends = [process.communicate(timeout=90)[0].splitlines()[-1] for process in processes]
    spent_ms = [int(end.split()[-1]) for end in ends]
    assert all(9000 <= each <= 30_000 for each in spent_ms), ends
