# SPDX-License-Identifier: MIT
"""The access point: what it tells a node's radio, and what its wires do to TCP."""

import json
import socket
import threading
import time

import pytest

from simulator.world.access_point import AccessPoint

NODE, OTHER = "0123456789", "abcdefghjk"
NAME = "broker.test"
WITHIN_S = 3


class Peer:
    """A server in place of the broker: keeps what comes in, echoes it if told to."""

    def __init__(self, echo=True):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.connections = []
        self._echo = echo
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            if self._echo:
                threading.Thread(target=self._repeat, args=[connection], daemon=True).start()

    def _repeat(self, connection):
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.close()
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def peer():
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def air(peer):
    with AccessPoint("city", "secret") as point:
        for node in (NODE, OTHER):
            point.connect(node, NAME, peer.address)
        yield point


def dial(point, node=NODE):
    connection = socket.create_connection(point.air(node)["hosts"][NAME], WITHIN_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def echo(connection, data):
    """Sends `data` and returns what comes back, as many bytes."""
    sender = threading.Thread(target=connection.sendall, args=[data], daemon=True)
    sender.start()
    back = b""
    while len(back) < len(data):
        part = connection.recv(65536)
        if not part:
            break
        back += part
    sender.join(WITHIN_S)
    return back


def eventually(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_the_radio_sees(air):
    seen = json.loads(json.dumps(air.air(NODE)))
    assert seen["ssid"] == "city" and seen["password"] == "secret" and seen["sntp"] is True
    assert list(seen["hosts"]) == [NAME]
    address, port = seen["hosts"][NAME]
    assert address == "127.0.0.1" and port != air.air(OTHER)["hosts"][NAME][1]
    air.hosts["time.test"] = ("192.168.4.1", 123)
    assert air.air(NODE)["hosts"]["time.test"] == ["192.168.4.1", 123]
    assert not {"dhcp", "channel", "drop_s"} & set(seen)  # all is as usual
    air.dhcp, air.channel, air.drop_s, air.password = False, 11, 60, "new"
    seen = air.air(NODE)
    assert (seen["dhcp"], seen["channel"], seen["drop_s"]) == (False, 11, 60)
    assert seen["password"] == "new"
    air.up, air.sntp = False, {"offset_ms": 5000}
    assert air.air(NODE)["ssid"] is None and air.air(NODE)["sntp"] == {"offset_ms": 5000}


def test_bytes_pass_and_are_counted_by_node(air):
    with dial(air) as one, dial(air, OTHER) as other:
        assert echo(one, b"hello") == b"hello"
        assert echo(other, b"you") == b"you"
        assert (air.wire_bytes(NODE), air.wire_bytes(OTHER)) == ((5, 5), (3, 3))
    with dial(air) as one:
        assert echo(one, b"again") == b"again"
    assert air.wire_bytes(NODE) == (10, 10)


def test_megabytes_pass_whole(air):
    data = bytes(range(256)) * 20_000
    with dial(air) as connection:
        assert echo(connection, data) == data
    assert air.wire_bytes(NODE) == (len(data), len(data))


def test_a_broker_that_does_not_read_holds_the_node_up():
    """What is under way is bounded: the wire does not swallow what nobody takes."""
    deaf = Peer(echo=False)
    with AccessPoint("city", "secret") as point:
        point.connect(NODE, NAME, deaf.address)
        with dial(point) as connection:
            connection.setblocking(False)
            sent = 0
            with pytest.raises(BlockingIOError):
                while sent < 100_000_000:
                    sent += connection.send(bytes(65536))
                    time.sleep(0.001)
            assert sent < 20_000_000
    deaf.close()


def test_an_end_on_either_side_reaches_the_other(air, peer):
    with dial(air) as connection:
        assert echo(connection, b"x") == b"x"
        peer.connections[-1].shutdown(socket.SHUT_RDWR)
        assert connection.recv(1) == b""
    with dial(air) as connection:
        assert echo(connection, b"x") == b"x"
    eventually(lambda: peer.connections[-1].fileno() == -1)


def test_delay_is_small(air):
    with dial(air) as connection:
        took_us = []
        for _ in range(300):
            began = time.perf_counter()
            echo_one(connection)
            took_us.append((time.perf_counter() - began) * 1e6)
    # Both ways, and the peer's thread; Nagle's algorithm alone would make it 40 000.
    assert sorted(took_us)[150] < 1500


def echo_one(connection):
    connection.sendall(b"p")
    assert connection.recv(1) == b"p"


def test_no_broker_behind_the_wire(air, peer):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    port = air.air(NODE)["hosts"][NAME][1]
    assert air.connect(NODE, NAME, nobody) == port
    with pytest.raises(ConnectionResetError), dial(air) as connection:
        connection.recv(1)
    assert air.connect(NODE, NAME, peer.address) == port
    with dial(air) as connection:
        assert echo(connection, b"back") == b"back"


def test_refuse(air):
    with dial(air) as standing:
        assert echo(standing, b"x") == b"x"
        air.refuse(NODE)
        with pytest.raises(ConnectionResetError), dial(air) as connection:
            connection.recv(1)
        assert echo(standing, b"y") == b"y"
        air.refuse(NODE, False)
        with dial(air) as connection:
            assert echo(connection, b"z") == b"z"


def test_cut(air, peer):
    with dial(air) as connection, dial(air, OTHER) as other:
        assert echo(connection, b"x") == b"x" and echo(other, b"x") == b"x"
        air.cut(NODE)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert echo(other, b"still here") == b"still here"
    with dial(air) as connection:
        assert echo(connection, b"x") == b"x"


def test_stall(air):
    with dial(air) as connection:
        assert echo(connection, b"x") == b"x"
        air.stall(NODE)
        connection.sendall(b"held up")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        with dial(air) as late:
            late.sendall(b"too")
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.recv(1)
            connection.settimeout(WITHIN_S)
            late.settimeout(WITHIN_S)
            air.stall(NODE, False)
            assert connection.recv(7) == b"held up" and late.recv(3) == b"too"


def test_stop_closes_everything(peer):
    threads = threading.active_count()
    point = AccessPoint("city", "secret")
    point.start()
    point.connect(NODE, NAME, peer.address)
    address = point.air(NODE)["hosts"][NAME]
    with dial(point) as connection:
        assert echo(connection, b"x") == b"x"
        point.stop()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    eventually(lambda: threading.active_count() <= threads + 1)


def test_an_access_point_that_was_never_started_stops():
    AccessPoint("city", "secret").stop()
