# SPDX-License-Identifier: MIT
"""`lamppost verify`: at a real broker over mutual TLS, in a real store, at a serial port."""

import fcntl
import json
import os
import queue
import sys
import termios
import threading
import time
from types import SimpleNamespace

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from serial import serialposix

from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.collector.tls_probe import mutual_tls
from host_tools.flashing import serial_lines
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.node_parts import write_parts
from host_tools.provisioning.ticket import make_ticket
from simulator.serial_board.board import Board
from simulator.serial_board.chips import CHIPS
from simulator.serial_board.flash_chip import FlashChip
from simulator.serial_board.rfc2217 import Rfc2217Server
from simulator.world import broker_embedded
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path
from tests.esp_image_builder import micropython
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import lamppost, refused
from tests.host_tools.prepared_fixture import make_parts
from tests.host_tools.reference_policy import masked, policy, stream

NODE, OTHER = "0123456789", "abcdefghjk"
ROOT, WRONG = bytes(range(32)), bytes(32)
DAY0 = int(time.time()) // 86_400 - 1  # masks begin with it
POLICY, TERMS = policy(
    stream(1, "temperature_mc", 300, ["mean", "max"], 100, -40_000, 60_000),
    stream(2, "co2_ppm", 300, ["mean"], 10, 350, 5000),
    stream(3, "humidity_mpct", 3600, ["mean"], 1000, 0, 100_000),
)
MASKED, MASKED_TERMS = policy(masked(1, "energy_mwh", 60, ["count", "sum"], 1, 0, 1000), id="m")
ROLES = {"collector-1": "collector", "anna-2": "reader"}


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.create()
    authority.save(folder, "ca")
    authority.issue("broker", "broker", ["broker.test"]).save(folder, "broker")
    for name, role in ROLES.items():
        authority.issue(name, role).save(folder, name)
    for node_id in (NODE, OTHER):
        authority.issue(node_id, "node").save(folder, node_id)
    Authority.create().issue("anna-2", "collector").save(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def address(tls, tmp_path_factory):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    files = [tls / name for name in ("ca.pem", "broker.pem", "broker.key")]
    broker = MosquittoBroker(tmp_path_factory.mktemp("broker"), *files, ROLES)
    yield broker.start()
    broker.stop()


class Sender:
    """Sends as a node does, again and again, until it ends; down: what it is sent."""

    def __init__(self, tls, address, make, node_id=NODE):
        self.down = queue.SimpleQueue()
        self._topic, self._make = f"lp/{node_id}/up", make
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, node_id, clean_session=False)
        files = [tls / name for name in ("ca.pem", f"{node_id}.pem", f"{node_id}.key")]
        self._client.tls_set_context(mutual_tls(*files, "broker.test"))
        self._client.on_connect = lambda *_: self._client.subscribe(f"lp/{node_id}/down", qos=1)
        self._client.on_message = lambda *args: self.down.put(args[2])
        self._client.connect(*address)
        self._client.loop_start()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def _send(self):
        while not self._over.wait(0.1):
            self._client.publish(self._topic, self._make(), qos=1)

    def pause(self):
        """Sends no more."""
        self._over.set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.pause()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()


def sealer(root=ROOT, node_id=NODE, rules=POLICY) -> ref.ReferenceNode:
    return ref.ReferenceNode(root, node_id, DAY0, rules)


def window_end_s() -> int:
    """When the last window ended."""
    return int(time.time()) // 300 * 300


def sealed(step=50, end_s=None, **options):
    """Makes an envelope whose windows ended at `end_s`."""
    node = sealer(**options)
    end_s = window_end_s() if end_s is None else end_s
    return lambda: node.seal(node.due(end_s, step), end_s)


@pytest.fixture
def keyring(tmp_path):
    keyring = Keyring(tmp_path / "keyring.json")
    for node_id in (NODE, OTHER):
        keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
    return keyring


@pytest.fixture
def at_broker(tls, address, keyring):
    """Runs the command: (exit code, the nodes of its --json, stderr)."""

    def call(*words, nodes=(NODE,), within="20s", source=None, **changes):
        options = {
            "broker": "{}:{}".format(*address), "server-name": "broker.test", "tls-dir": tls,
            "name": "anna-2", "within": within, **(source or {"keyring": keyring.path}), **changes,
        }  # fmt: skip
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        code, out, err = lamppost("verify", *nodes, *given, *words, "--json")
        return code, json.loads(out)["nodes"] if out else [], err

    return call


# at the broker


def test_what_comes_is_opened_and_shown_and_nothing_else_happens(tls, address, at_broker, keyring):
    before = keyring.path.read_bytes()
    with Sender(tls, address, sealed()) as sender:
        code, (told,), err = at_broker()
        time.sleep(0.3)
        assert sender.down.empty(), "it sent something to the node"
    assert code == 0 and told["verified"] and told["node"] == NODE, err
    record = told["record"]
    assert (record["quantity"], record["statistic"]) == ("temperature_mc", "mean")
    assert (record["value"], record["unit"], record["window_s"]) == (5.0, "°C", 300)
    assert keyring.path.read_bytes() == before


def test_a_person_reads_one_line_of_each_node(tls, address, keyring):
    words = ["verify", NODE, OTHER, "--broker", "{}:{}".format(*address), "--server-name",
             "broker.test", "--tls-dir", tls, "--name", "anna-2", "--keyring", keyring.path,
             "--within", "2s"]  # fmt: skip
    with Sender(tls, address, sealed()):
        code, out, err = lamppost(*words)
    first, second = out.splitlines()
    assert code == 1 and second == f"{OTHER}  not verified"
    assert first.startswith(f"{NODE}  temperature_mc mean 5.0 °C, window ")
    assert " UTC, opened " in first and " old; waited " in first
    assert f"error: node {OTHER}: nothing came at all within 2 s" in err
    assert "--with-issued" in err


def test_values_that_were_withheld_prove_the_way_as_well(tls, address, at_broker):
    with Sender(tls, address, sealed(step=None)):
        code, (told,), _ = at_broker()
    assert code == 0 and told["record"]["value"] is None
    assert told["record"]["why_none"] == "no value: withheld, or not measured"


def test_a_value_that_nobody_can_read_is_named(tls, address, at_broker, keyring):
    keyring.add_policy(NODE, MASKED, MASKED_TERMS)
    node, end_s = sealer(rules=MASKED), int(time.time()) // 60 * 60
    record = [1, end_s // 60 - 1, end_s // 60 - 1, bytes(16)]
    with Sender(tls, address, lambda: node.seal([record], end_s)):
        code, (told,), err = at_broker()
    assert code == 0 and told["record"]["why_none"].startswith("masked"), err


def test_what_came_before_its_key_opens_when_the_key_comes(tls, address, at_broker, tmp_path):
    late = Keyring(tmp_path / "late.json")
    late.add_node(make_ticket(ROOT, OTHER, DAY0), POLICY, TERMS)
    message, keys = sealed()(), (make_ticket(ROOT, NODE, DAY0), POLICY, TERMS)
    with Sender(tls, address, lambda: message) as sender:
        stop = threading.Timer(2, sender.pause)
        comes = threading.Timer(3, lambda: Keyring(late.path).add_node(*keys))
        for timer in (stop, comes):
            timer.start()
        code, (told,), err = at_broker(source={"keyring": late.path})
    assert code == 0 and told["record"]["value"] == 5.0, err
    assert told["waited_s"] > 2


@pytest.mark.parametrize(("options", "message", "hint"), [
    ({"root": WRONG}, "refused: does not open", "flashed with its present ticket"),
    ({"rules": MASKED, "end_s": int(time.time()) // 60 * 60}, "does not open: unknown policy",
     "lamppost keyring take"),
    ({"end_s": (DAY0 + 31) * 86_400}, "refused: slot in the future", "set the clock"),
])  # fmt: skip
def test_the_most_telling_reason(tls, address, at_broker, options, message, hint):
    step = None if "rules" in options else 50
    with Sender(tls, address, sealed(step, **options)):
        code, (told,), err = at_broker(within="2s")
    assert code == 1 and not told["verified"] and "record" not in told
    assert message in told["error"] and hint in told["hint"], told
    assert "Traceback" not in err


def test_an_unknown_node_and_one_without_records(tls, address, at_broker, tmp_path, keyring):
    empty = Keyring(tmp_path / "empty.json")
    empty.add_node(make_ticket(ROOT, OTHER, DAY0), POLICY, TERMS)
    with Sender(tls, address, sealed()):
        code, (told,), _ = at_broker(source={"keyring": empty.path}, within="2s")
    assert code == 1 and "does not open: unknown node" in told["error"]
    assert "lamppost keyring take" in told["hint"]
    node = sealer()
    with Sender(tls, address, lambda: node.seal([], None)):
        code, (told,), _ = at_broker(within="2s")
    assert code == 1 and "none had a record yet" in told["error"]


def test_what_was_measured_before_does_not_count_as_fresh(tls, address, at_broker):
    with Sender(tls, address, sealed(end_s=window_end_s() - 600)):
        code, (told,), _ = at_broker("--fresh", within="2s")
        assert code == 1 and "none had a record yet" in told["error"]
        code, (told,), _ = at_broker(within="20s")
    assert code == 0 and told["record"]["age_s"] >= 600


def test_with_the_keys_of_the_node_itself(tls, address, at_broker, tmp_path):
    """As of who has flashed it: the office need not know it."""
    parts = make_parts("air", NODE, ROOT)
    write_parts(tmp_path / "nodes", parts)
    rules = parts.policy[:-2512]
    with Sender(tls, address, sealed(step=None, rules=rules)):
        code, (told,), err = at_broker(source={"nodes": tmp_path / "nodes"})
    assert code == 0 and told["record"]["quantity"] == "pm2_5_ngm3", err
    code, _, err = at_broker(source={"nodes": tmp_path / "nodes"}, nodes=(OTHER,))
    assert code == 1 and f"has no node {OTHER}" in err


def test_who_the_broker_does_not_know_is_told_at_once(at_broker, tls):
    code, _, err = at_broker(name="stranger")
    assert code == 1 and "hint: " in err and "authority" in err
    code, _, err = at_broker(name=NODE)
    assert code == 1 and "is not a collector's" in err
    code, _, err = at_broker(broker="127.0.0.1:1")
    assert code == 1 and "cannot be reached" in err


def test_a_broker_that_denies_the_subscription_is_not_waited_for(tls, monkeypatch, at_broker):
    monkeypatch.setattr(broker_embedded, "may_read", lambda *_: False)
    files = [tls / name for name in ("ca.pem", "broker.pem", "broker.key")]
    with broker_embedded.EmbeddedBroker(*files) as broker:
        port = broker._broker._servers["default"].instance.sockets[0].getsockname()[1]
        code, (told,), _ = at_broker(broker=f"127.0.0.1:{port}", within="9s")
    assert code == 1 and "may not read what nodes send" in told["error"]


# in a store


@pytest.fixture
def store(tmp_path, keyring):
    with Store(tmp_path / "city.sqlite", keyring) as store:
        yield store


def take(store, *messages, node_id=NODE, now_s=None):
    now_s = int(now_s or time.time())
    return store.take_batch([(f"lp/{node_id}/up", message) for message in messages], now_s)


def at_store(store, *words, nodes=(NODE,), within="1s"):
    command = ("verify", *nodes, "--store", store._file.path, "--within", within, "--json")
    code, out, err = lamppost(*command, *words)
    return code, json.loads(out)["nodes"] if out else [], err


def test_a_store_shows_the_newest_that_is_young_enough(store):
    node = sealer()
    now_s = window_end_s()
    for end_s, step in ((now_s - 300, 50), (now_s, 60)):
        take(store, node.seal(node.due(end_s, step), end_s))
    code, (told,), err = at_store(store, within="30m")
    assert code == 0 and told["record"]["value"] == 6.0, err
    assert told["record"]["opened"] and told["waited_s"] < 1
    code, (told,), _ = at_store(store, "--fresh")
    assert code == 1 and "its newest record is of " in told["error"]
    assert "--port PORT" in told["hint"]


def test_without_a_limit_the_policy_says_how_old_it_may_be(store):
    node, end_s = sealer(), window_end_s()
    take(store, node.seal(node.due(end_s, 50), end_s))
    way = ("verify", NODE, "--store", store._file.path, "--json")
    code, out, err = lamppost(*way)
    (told,) = json.loads(out)["nodes"]
    age_s = told["record"]["age_s"]
    assert code == 0 and 0 <= age_s < 720, err


def test_a_store_that_a_collector_fills_meanwhile(store):
    end_s = window_end_s() + 300
    timer = threading.Timer(1, lambda: take(store, sealed(end_s=end_s)()))
    timer.start()
    code, (told,), err = at_store(store, "--fresh", within="20s")
    timer.join()
    assert code == 0 and told["record"]["quantity"] == "temperature_mc", err


def test_what_a_store_could_not_open(store, keyring):
    code, (told,), _ = at_store(store)
    assert code == 1 and "nothing came at all" in told["error"]
    take(store, sealed(root=WRONG)())
    code, (told,), _ = at_store(store)
    assert code == 1 and "refused: does not open" in told["error"]
    take(store, sealed(rules=MASKED, step=None, end_s=int(time.time()) // 60 * 60)())
    code, (told,), _ = at_store(store)
    assert code == 1 and "1 envelopes came and do not open: unknown policy" in told["error"]
    assert "keyring take" in told["hint"]
    node = sealer(node_id=OTHER)
    take(store, node.seal([], None), node_id=OTHER)
    code, (told,), _ = at_store(store, nodes=(OTHER,))
    assert code == 1 and "none had a record yet" in told["error"]


def test_a_masked_value_in_a_store(store, keyring):
    keyring.add_policy(NODE, MASKED, MASKED_TERMS)
    end_s = int(time.time()) // 60 * 60
    first = end_s // 60 - 1
    take(store, sealer(rules=MASKED).seal([[1, first, first, bytes(16)]], end_s))
    code, (told,), err = at_store(store, within="90s")
    assert code == 0 and told["record"]["why_none"].startswith("masked"), err


# at a serial port


@pytest.fixture
def line():
    """(what the node says goes here, the port)"""
    ours, theirs = os.openpty()
    yield ours, os.ttyname(theirs)
    for fd in (ours, theirs):
        os.close(fd)


STATUS = "status envelopes=9 faults=0 newest={} old_seals=0 online={} records=4 waiting={}\r\n"


def at_port(line, *said, within="3s"):
    ours, port = line
    timer = threading.Timer(0.3, lambda: [os.write(ours, text.encode()) for text in said])
    timer.start()
    code, out, err = lamppost("verify", NODE, "--port", port, "--within", within, "--json")
    timer.join()
    (told,) = json.loads(out)["nodes"]
    return code, told, err


def test_a_node_whose_envelopes_have_receipts(line):
    code, told, err = at_port(line, STATUS.format(8, 1, 2), STATUS.format(9, 1, 0), within="20s")
    assert code == 0 and "all its 9 envelopes have a receipt" in told["told"], err


@pytest.mark.parametrize("cut", ["waiting=0", "=0", "records=4 waiting=0"])
def test_a_line_that_noise_has_cut_is_passed_over(line, cut):
    half = STATUS.format(9, 1, 0).replace(cut, "")
    code, told, _ = at_port(line, STATUS.format(9, 1, 2), half, within="1s")
    assert code == 1 and "2 of 9 envelopes have no receipt" in told["error"], told
    code, told, err = at_port(line, half, STATUS.format(9, 1, 0), within="20s")
    assert code == 0 and "all its 9 envelopes" in told["told"], err


@pytest.mark.parametrize(("said", "message"), [
    ((), "says nothing"),
    (("wifi: wrong password\r\n",), "has no connection: wifi"),
    (("bme280: found\r\n",), "has not said how it is"),
    ((STATUS.format(9, 1, 3),), "3 of 9 envelopes have no receipt"),
    ((STATUS.format(9, 0, 3),), "is not at its broker"),
    ((STATUS.format(0, 1, 0),), "has told no record yet"),
    (("Traceback (most recent call last):\r\n",), "does not run"),
])  # fmt: skip
def test_what_a_node_says_that_is_not_well(line, said, message):
    code, told, _ = at_port(line, *said, within="1s")
    assert code == 1 and message in told["error"] and told["hint"], told


class Counted:
    """An application that says that all is well, and counts its starts."""

    starts = 0

    def __init__(self, board, found):
        self._board = board
        self._over = threading.Event()

    def start(self):
        Counted.starts += 1
        threading.Thread(target=self._say, daemon=True).start()

    def _say(self):
        while not self._over.wait(0.2):
            self._board.emit(STATUS.format(9, 1, 0).encode())

    def receive(self, data):
        raise AssertionError("something was written to the board")

    def stop(self):
        self._over.set()


def test_a_board_that_runs_is_not_reset(tmp_path, monkeypatch):
    """Over RFC 2217, with the reset circuit of a development board."""
    flash = FlashChip(tmp_path / "flash.bin", 4 << 20)
    image = micropython()
    flash.program(0x1000, image)
    monkeypatch.setattr(Counted, "starts", 0)
    board = Board(CHIPS["esp32"], flash, Counted)
    held = []
    hold = board._hold
    server = Rfc2217Server(board, 0)
    port = server.start()
    threading.Thread(target=server.serve, args=(lambda text: None,), daemon=True).start()
    board.power_up()
    monkeypatch.setattr(board, "_hold", lambda: (held.append(1), hold()))
    try:
        assert Counted.starts == 1
        for _ in range(2):  # also where the lines are as another program left them
            code, out, err = lamppost("verify", NODE, "--port", port, "--within", "20s")
            assert code == 0 and "have a receipt" in out, err
        assert Counted.starts == 1 and not held
    finally:
        server.stop()
        board.power_down()
        flash.close()


@pytest.mark.parametrize("is_running", [True, False])
def test_the_lines_as_a_system_asserts_them_are_left(line, monkeypatch, is_running):
    """A system asserts both as it opens a port; EN is low while RTS alone is asserted."""
    states, lines = [], {"dtr": True, "rts": True}
    masks = {termios.TIOCM_DTR: "dtr", termios.TIOCM_RTS: "rts"}
    real = serialposix.fcntl.ioctl

    def ioctl(fd, what, value=0, *more):
        if what not in (termios.TIOCMBIS, termios.TIOCMBIC):
            return real(fd, what, value, *more)
        name = masks[int.from_bytes(value, sys.byteorder)]
        lines[name] = what == termios.TIOCMBIS
        states.append((lines["dtr"], lines["rts"]))

    monkeypatch.setattr(serialposix, "fcntl", SimpleNamespace(**vars(fcntl) | {"ioctl": ioctl}))
    for _ in serial_lines.read_lines(line[1], 0.3, False, is_running):
        pass
    assert ((False, True) in states) is not is_running
    assert len(states) == 2


# usage


@pytest.mark.parametrize("words", [
    (NODE,),
    (NODE, "--store", "x", "--port", "y"),
    (NODE, "--broker", "h:1"),
    (NODE, "--broker", "h:1", "--tls-dir", "x", "--name", "y"),
    (NODE, "--store", "x", "--name", "y"),
    (NODE, "--store", "x", "--keyring", "y"),
    (NODE, OTHER, "--port", "x"),
    (NODE, NODE, "--store", "x"),
    (NODE, "--store", "x", "--within", "soon"),
    ("anna", "--store", "x"),
])  # fmt: skip
def test_wrong_usage(words, monkeypatch):
    monkeypatch.delenv("LAMPPOST_NODES", raising=False)
    refused("verify", *words, code=2)


def test_a_store_that_is_not_there(tmp_path):
    assert "no such store" in refused("verify", NODE, "--store", tmp_path / "none.sqlite")
