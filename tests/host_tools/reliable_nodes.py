# SPDX-License-Identifier: MIT
"""Nodes that keep what they sealed until a receipt settles it, and send it again until then, as a
board does: with reference_sealer.py and paho, so that collectors can be tried under load.

Each receipt is held against the store when it comes: it must not say more than is committed.
"""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.keyring import Keyring
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import policy, stream

ROOT = bytes(range(32))
IDS = ("0123456789", "abcdefghjk", "zyxwvtsrqp", "hjkmnpqrst")
DAY0 = int(time.time()) // 86_400 - 1
START_S = DAY0 * 86_400
WINDOW_S = 300
POLICY, TERMS = policy(stream(1, "co2_ppm", WINDOW_S, ["mean"], 1, 350, 5000))
LONG_S = 120  # far more than a busy machine needs


def make_keyring(folder) -> Path:
    keyring = Keyring(folder / "keyring.json")
    for node_id in IDS:
        keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
    return keyring.path


def value_of(number: int) -> int:
    return 350 + number % 4000


class ReliableNode:
    """store: path, which need not be there yet; again_s: after that long without a receipt, an
    envelope goes out again; check: whether each receipt is held against the store."""

    def __init__(self, tls, address, node_id, store, again_s=2.0, check=True):
        self.node_id = node_id
        self.receipts = 0
        self.beyond = []  # receipts that said more than was committed
        self._waiting = {}  # number: envelope
        self._sent_s = {}
        self._lock = threading.Lock()
        self._again_s = again_s
        self._store = store
        self._check = check
        self._sealer = ref.ReferenceNode(ROOT, node_id, DAY0, POLICY)
        self._key = ref.derive(ROOT, "lp1 receipt", node_id)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, node_id, clean_session=False)
        self._client.tls_set(tls / "ca.pem", tls / f"{node_id}.pem", tls / f"{node_id}.key")
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.max_inflight_messages_set(1000)
        self._client.on_socket_open = lambda _c, _d, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect(*address)
        self._client.loop_start()

    def _on_connect(self, client, *_):
        client.subscribe(f"lp/{self.node_id}/down", qos=1)
        with self._lock:
            self._sent_s.clear()

    def _on_message(self, _client, _data, message):
        fields = ref.open_down(self._key, self.node_id, "receipt", message.payload)
        _, log, upto, ranges = fields
        assert log == self._sealer.log
        with self._lock:
            self.receipts += 1
            settled = [n for n in self._waiting if n <= upto]
            settled += [n for n in self._waiting for a, b in ranges if a <= n <= b]
            for number in settled:
                self._waiting.pop(number, None)
        if not self._check:
            return
        claimed = set(range(1, upto + 1)).union(*(range(a, b + 1) for a, b in ranges))
        if not claimed <= set(numbers(self._store, self.node_id)):
            self.beyond.append(fields)

    def seal(self, count: int):
        """Seals `count` envelopes; step() sends them."""
        with self._lock:
            for _ in range(count):
                number = self._sealer.number + 1
                instant_s = START_S + number * WINDOW_S
                records = [[1, instant_s // WINDOW_S - 1, value_of(number)]]
                self._waiting[number] = self._sealer.seal(records, instant_s)

    def step(self):
        """Sends what is new, and what had no receipt for too long."""
        now_s = time.monotonic()
        with self._lock:
            if not self._client.is_connected():
                return
            due = [
                number for number in self._waiting
                if now_s - self._sent_s.get(number, -1e9) > self._again_s
            ]  # fmt: skip
            for number in due:
                self._sent_s[number] = now_s
                self._client.publish(self._sealer.topic, self._waiting[number], qos=1)

    @property
    def sealed(self) -> int:
        return self._sealer.number

    def waiting(self) -> int:
        return len(self._waiting)

    def unacknowledged(self) -> int:
        """How many messages have no PUBACK yet."""
        return len(self._client._out_messages)

    def leave(self):
        self._client.disconnect()
        self._client.loop_stop()


def run(nodes, until, within_s=LONG_S) -> bool:
    """Steps the nodes until until() holds; whether it does in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for node in nodes:
            node.step()
        if until():
            return True
        time.sleep(0.01)
    return False


def all_receipted(nodes) -> bool:
    return not any(node.waiting() for node in nodes)


def numbers(store, node_id) -> list:
    """The numbers that are committed, rising."""
    if not Path(store).exists():
        return []
    with contextlib.closing(sqlite3.connect(store, timeout=30)) as db:
        rows = db.execute(
            "SELECT number FROM envelope WHERE node = ? ORDER BY number", (node_id,)
        ).fetchall()
    return [row[0] for row in rows]


def check_whole(store, nodes):
    """All that was sealed is stored, once, in order, receipted, and nothing more was receipted."""
    assert all_receipted(nodes), [node.waiting() for node in nodes]
    with contextlib.closing(sqlite3.connect(store)) as db:
        for node in nodes:
            assert numbers(store, node.node_id) == list(range(1, node.sealed + 1))
            rows = db.execute(
                "SELECT slot_start_s, value FROM value WHERE node = ? ORDER BY slot_start_s",
                (node.node_id,),
            ).fetchall()
            expected = [
                (START_S + (n - 1) * WINDOW_S, value_of(n)) for n in range(1, node.sealed + 1)
            ]
            assert rows == expected
            assert node.beyond == []
        assert db.execute("SELECT reason FROM refused").fetchall() == []
        kinds = [row[0] for row in db.execute("SELECT DISTINCT kind FROM event")]
        assert kinds == ["new outbox"]
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tally = db.execute("SELECT sum(opened) FROM tally").fetchone()[0]
        assert tally == sum(node.sealed for node in nodes)


class Worker:
    """`lamppost collect` as a process of its own; or another module, which takes the same."""

    def __init__(self, folder, tls, address, name="collector-1", share="", module=None, words=()):
        command = [sys.executable, "-m", *(module or ("host_tools.cli", "collect"))]
        command += ["--store", folder / "a.sqlite", "--keyring", folder / "keyring.json"]
        command += ["--broker", "{}:{}".format(*address), "--tls-dir", tls, "--name", name]
        command += ["--share", share] if share else []
        self._process = subprocess.Popen(
            [str(word) for word in (*command, "--json", *words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self.said = []
        self._listens = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stderr:
            self.said.append(line)
            if "listens at" in line:
                self._listens.set()
        self._listens.set()

    def listens(self):
        assert self._listens.wait(LONG_S) and self._process.poll() is None, self.said
        return self

    def listened(self) -> int:
        """How often it has said that it listens."""
        return sum("listens at" in line for line in self.said)

    def kill(self):
        os.kill(self._process.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Its exit code."""
        code = self._process.wait(LONG_S)
        self._reader.join(LONG_S)
        self._process.stdout.close()
        self._process.stderr.close()
        return code

    def stop(self, signum=signal.SIGTERM) -> dict:
        """Its account, after a signal."""
        self._process.send_signal(signum)
        text = self._process.stdout.read()
        assert self.wait() == 0, self.said
        return json.loads(text)

    def end(self):
        """Ends what is left of it."""
        if self._process.poll() is None:
            self.kill()
