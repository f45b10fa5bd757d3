# SPDX-License-Identifier: MIT
"""72 hours without a broker, and then: how fast is the air kit's outbox drained?

The real outbox on LittleFS, client and publisher on 32-bit MicroPython, over mutual TLS through
mosquitto to the real collector, until each envelope has its receipt. Against umqtt.simple 1.3.4,
which sends the same outbox, to the same parts, until each has its PUBACK.
"""

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho

from host_tools.collector.keyring import Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.store import Store
from host_tools.micropython_path import micropython_path
from host_tools.policy.compile_policy import Compiled, compile_policy
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.kit import load_board, load_kit
from host_tools.provisioning.node_flash import DATA_BLOCKS, flash_image
from host_tools.provisioning.ticket import make_ticket
from host_tools.umqtt_source import umqtt_path
from node.policy.rules import Policy
from simulator.world.broker_mosquitto import MosquittoBroker
from tests.host_tools import reference_sealer as ref

ROOT = Path(__file__).resolve().parents[2]
NODE = "0123456789"
KEY_ROOT = bytes(range(32))
HOURS = 72
TIMES_STOCK = 20
HEAP = "160k"
COLLECTOR, WITNESS = "collector-1", "collector-2"


def envelopes(rules: bytes, hours: int, day0: int, start_s: int) -> list[bytes]:
    """What the kit's policy lets out in so many hours: an envelope for each instant."""
    node = ref.ReferenceNode(KEY_ROOT, NODE, day0, rules)
    streams = {stream.number: stream for stream in Policy(rules).streams}
    every_s = min(stream.window_s for stream in streams.values())
    sealed = []
    for instant_s in range(start_s, start_s + hours * 3600, every_s):
        records = []
        for number, slot, *_ in node.due(instant_s):
            stream = streams[number]
            middle = ref.rounded((stream.low + stream.high) // 2, stream.resolution)
            values = [10 if one == "count" else middle for one in stream.statistics]
            records.append([number, slot, *values])
        if records:
            sealed.append(node.seal(records, instant_s))
    return sealed


class _Scene:
    """A broker, a collector and a witness of the order, fresh for one way of sending."""

    def __init__(self, folder: Path, policy: Compiled, day0: int):
        self.folder = folder
        authority = Authority.create()
        ca_pem = authority.save(folder, "ca")[0]
        hosts = ["localhost", "127.0.0.1"]
        server = authority.issue("broker", "broker", hosts).save(folder, "broker")
        roles = {COLLECTOR: "collector", WITNESS: "collector"}
        self.broker = MosquittoBroker(folder / "broker", ca_pem, *server, roles)
        identity = authority.issue(NODE, "node")
        certificate, key = identity.der()
        for name, data in (
            ("ca.der", authority.der()[0]),
            ("node.der", certificate),
            ("node.key.der", key),
            ("receipt.key", ref.derive(KEY_ROOT, "lp1 receipt", NODE)),
        ):
            (folder / name).write_bytes(data)
        self._ca = ca_pem
        self._files = {
            name: authority.issue(name, "collector").save(folder, name)
            for name in (COLLECTOR, WITNESS)
        }
        keyring = Keyring(folder / "keyring.json")
        keyring.add_node(make_ticket(KEY_ROOT, NODE, day0), policy.rules, policy.terms)
        self._keyring = keyring
        self.heard = queue.SimpleQueue()

    @contextlib.contextmanager
    def running(self):
        """Yields (address, collector)."""
        address = self.broker.start()
        with contextlib.ExitStack() as opened:
            opened.callback(self.broker.stop)
            witness = self._witness(address)
            opened.callback(witness.loop_stop)
            opened.callback(witness.disconnect)
            store = Store(self.folder / "store.lpstore", self._keyring)
            opened.callback(store.close)
            files = self._files[COLLECTOR]
            worker = MqttWorker(store, address, self._ca, *files, "127.0.0.1")
            yield address, opened.enter_context(worker)

    def _witness(self, address):
        ready = threading.Event()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, WITNESS)
        certificate, key = self._files[WITNESS]
        client.tls_set(self._ca, certificate, key)
        client.on_message = lambda _c, _d, message: self.heard.put(message.payload)
        client.on_subscribe = lambda *_: ready.set()
        client.connect(*address)
        client.subscribe("lp/+/up", 1)
        client.loop_start()
        if not ready.wait(10):
            raise RuntimeError("the broker does not answer the witness")
        return client


def _run_node(mode: str, address, folder: Path) -> dict:
    done = subprocess.run(
        [micropython_path(), "-X", f"heapsize={HEAP}", ROOT / "tests/bench/catch_up_node.py",
         mode, NODE, address[0], str(address[1]), folder],
        env={"MICROPYPATH": f"{ROOT}/firmware:{umqtt_path()}"},
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _send(mode: str, folder: Path, policy: Compiled, day0: int, sealed: list[bytes]) -> dict:
    """One way of sending; what the node says, and what has arrived."""
    folder.mkdir()
    (folder / "data.img").write_bytes(flash_image({}, DATA_BLOCKS))
    (folder / "envelopes").write_bytes(
        b"".join(len(each).to_bytes(2, "big") + each for each in sealed)
    )
    scene = _Scene(folder, policy, day0)
    filled = _run_node("fill", ("", 0), folder)
    with scene.running() as (address, worker):
        result = _run_node(mode, address, folder)
        worker.wait_for(lambda: worker.counts["opened"][NODE] >= len(sealed), 60)
        result["opened"] = worker.counts["opened"][NODE]
        heard = []
        until = time.monotonic() + 30
        while len(heard) < len(sealed) and time.monotonic() < until:
            try:
                heard.append(scene.heard.get(timeout=1))
            except queue.Empty:
                continue
    numbers = {envelope: number for number, envelope in enumerate(sealed, 1)}
    result["order"] = [numbers[payload] for payload in heard]
    result["filled"] = filled["waiting"]
    result["per_s"] = result["sent"] * 1000 / result["took_ms"]
    return result


def run(hours: int = HOURS) -> dict:
    kit = load_kit("air", load_board("esp32-devkitc"))
    policy = compile_policy(kit.policy_path, kit)
    start_s = (int(time.time()) - hours * 3600) // 3600 * 3600
    day0 = start_s // 86_400
    sealed = envelopes(policy.rules, hours, day0, start_s)
    with tempfile.TemporaryDirectory() as folder:
        ours = _send("ours", Path(folder) / "ours", policy, day0, sealed)
        stock = _send("stock", Path(folder) / "stock", policy, day0, sealed)
    times = ours["per_s"] / stock["per_s"]
    order = ours.pop("order")
    stock.pop("order")
    kept = order == list(range(1, len(sealed) + 1))
    whole = ours["filled"] == ours["opened"] == len(sealed)
    return {
        "envelopes": len(sealed),
        "bytes": sum(map(len, sealed)),
        "ours": ours,
        "stock": stock,
        "times_stock": round(times, 1),
        "figures": [
            {
                "figure": f"{len(sealed)} envelopes of {hours} h, receipted, against umqtt.simple",
                "measured": f"{ours['per_s']:.0f} / {stock['per_s']:.1f} per s = {times:.0f} ×, "
                f"{ours['took_ms'] / 1000:.1f} s",
                "wanted": f"≥ {TIMES_STOCK} ×",
                "met": times >= TIMES_STOCK and whole,
            },
            {
                "figure": "order of arrival",
                "measured": "as numbered" if kept else "not as numbered",
                "wanted": "numbers rise, none lost",
                "met": kept,
            },
        ],
    }
