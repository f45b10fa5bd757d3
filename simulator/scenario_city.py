# SPDX-License-Identifier: MIT
"""The city of a scenario: one whose services and boards can fail in more ways than a demo's.

The collector is a process of its own, what passes the broker is seen, and each node has its own
view of the air, of which faults may change what AccessPoint has as attributes.
"""

import contextlib
import dataclasses
import shutil
import sqlite3
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.tls_probe import mutual_tls
from host_tools.errors import ToolError
from host_tools.provisioning.certificates import Authority
from simulator.city_folder import COLLECTOR
from simulator.city_run import CityRun
from simulator.city_services import CityServices
from simulator.collector_process import CollectorProcess
from simulator.conductor import NodeProcess
from simulator.ledger import Ledger
from simulator.world.nvs import NvsPartition

OBSERVER, VAULT = "observer-1", "vault-1"
ROLES = {OBSERVER: "collector", VAULT: "vault"}
_PATIENCE_S = 1.0  # real time that a meeting waits while things move …
_NO_PATIENCE_S = 0.03  # … and when nothing moved at the last one
_WITHIN_S = 20
_NEVER_MS = 1 << 60


class ScenarioServices(CityServices):
    """The collector in a process, which can be killed; a client that sees what passes mosquitto;
    and one that sends what the vault has sealed."""

    def __init__(self, *args):
        super().__init__(*args)
        self.broker_up = False
        self.ledger = Ledger()
        self.observed = None  # the observing client
        self._wanted = False  # whether a collector should run
        self._authority = None

    def start_broker(self):
        super().start_broker()
        self.broker_up = True
        if self.observed is None and hasattr(self.broker, "_process"):
            self._observe()

    def stop_broker(self, kill: bool = False):
        self.broker_up = False
        super().stop_broker(kill)

    def collects(self) -> bool:
        return self._wanted

    def start_collector(self):
        if self.store is not None:
            self.store.close()  # CityRun has looked into it
            self.store = None
        tls = self._folder / "tls"
        files = tls / "ca.pem", tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
        self.collector = CollectorProcess(
            self._store_path, self._folder / "keyring.json", self._collector_at, files,
            self.broker.host_name, self._clock, self._woken,
        )  # fmt: skip
        self.collector.start(wait=self.broker_up)
        self._wanted = True

    def stop_collector(self, kill: bool = False):
        if self.store is not None:
            self.store.close()
            self.store = None
        if self.collector is None:
            return
        self._wanted = False
        (self.collector.kill if kill else self.collector.stop)()
        for name, counts in self.collector.counts.items():
            self._ended[name].update(counts)
        self.collector.counts.clear()

    def stop(self):
        """Ends the clients of this run."""
        if self.observed is not None:
            self.observed.disconnect()
            self.observed.loop_stop()

    # what passes

    def _files(self, name: str) -> tuple[Path, Path, Path]:
        tls = self._folder / "tls"
        if self._authority is None:
            self._authority = Authority.load(tls)
        if not (tls / f"{name}.pem").exists():
            self._authority.issue(name, ROLES[name]).save(tls, name)
        return tls / "ca.pem", tls / f"{name}.pem", tls / f"{name}.key"

    def _client(self, name: str) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=True)
        client.tls_set_context(mutual_tls(*self._files(name), self.broker.host_name))
        client.reconnect_delay_set(0.05, 0.4)
        return client

    def _observe(self):
        """Subscribes to all that nodes send, through a wire: its address outlives the broker."""
        self._nodes.append(OBSERVER)
        port = self.access_point.connect(OBSERVER, self.broker.host_name, self.broker_at)
        client = self.observed = self._client(OBSERVER)
        client.on_connect = lambda *_: client.subscribe("lp/+/up", qos=1)
        client.on_message = lambda *event: self.see(event[2].topic, event[2].payload)
        client.connect("127.0.0.1", port)
        client.loop_start()

    def see(self, topic: str, payload: bytes):
        """Something that passed the broker."""
        parts = topic.split("/")
        if len(parts) == 3 and parts[2] == "up":
            self.ledger.see(parts[1], payload)

    def send(self, node_id: str, message: bytes):
        """Gives the broker a command of the vault; ToolError when it does not take it."""
        client = self._client(VAULT)
        client.connect(*self.broker_at)
        client.loop_start()
        sent = client.publish(f"lp/{node_id}/down", message, qos=1)
        try:
            sent.wait_for_publish(_WITHIN_S)
        finally:
            client.disconnect()
            client.loop_stop()
        if not sent.is_published():
            raise ToolError("the broker does not take a command", "look after the broker")


class ScenarioCity(CityRun):
    """A CityRun for scenarios. nodes: with second boards, which are at the end."""

    services_class = ScenarioServices

    def __init__(self, plan):
        super().__init__(dataclasses.replace(plan, on_publish=self._see, roles=ROLES))
        self.views = {}  # node: {attribute of AccessPoint: what this node sees of it}
        self.off = set()  # nodes without power, until somebody gives it
        self.count = 0  # of nodes, without second boards
        self._commands = 0

    def start(self):
        super().start()
        self.count = len(self.nodes)
        self._open.callback(self.services.stop)
        for node in self.nodes:
            self._give_view(node)
        self.conductor.patience_s = _PATIENCE_S

    def _see(self, topic: str, payload: bytes, _now_s):
        self.services.see(topic, payload)

    def _give_view(self, node: NodeProcess):
        node.air = lambda: self._air(node)

    def _air(self, node: NodeProcess) -> dict:
        access_point, view = self.services.access_point, self.views.get(node, {})
        before = {name: getattr(access_point, name, None) for name in view}
        try:
            for name, value in view.items():
                setattr(access_point, name, value)
            return access_point.air(node.node_id)
        finally:
            for name, value in before.items():
                setattr(access_point, name, value)

    # pace

    def _settled(self) -> bool:
        """Whether there is nothing at this meeting that could still arrive."""
        if not (self.services.broker_up and self.collector.runs()):
            return True
        return all(
            node in self.off
            or not node.status.get("online")
            or self.collector.settled.get(node.node_id, 0) >= node.status["newest"]
            for node in self.nodes
        )

    def after_meeting(self):
        """Gives the collector the time, and the next meeting more or less patience."""
        self.collector.tell_clock()
        self.conductor.patience_s = _PATIENCE_S if self._settled() else _NO_PATIENCE_S

    def all_delivered(self) -> bool:
        """Whether every node knows that all it sealed is stored."""
        return self.collector.runs() and all(
            node in self.off or node.status["waiting"] == 0 for node in self.nodes[: self.count]
        ) and self._settled()  # fmt: skip

    # power

    def switch_off(self, node: NodeProcess):
        """Takes a node's power until switch_on()."""
        if node not in self.off:
            node.switch_off()
            node.nvs.close()
            node.status["online"] = 0
            node.wakes_ms = _NEVER_MS
            node.arrived = True
            self.off.add(node)

    def switch_on(self, node: NodeProcess, in_ms: int = 0):
        if node in self.off:
            self.off.discard(node)
            self.conductor.switch_on(node, in_ms)

    @contextlib.contextmanager
    def opened(self, node: NodeProcess, off_ms: int):
        """Within, the board is off and its images are ours; then it has power after `off_ms`. One
        that was off stays so."""
        was_off = node in self.off
        self.switch_off(node)
        self.services.ledger.harvest(node.node_id, node.folder / "data.img")
        yield node.folder
        if not was_off:
            self.switch_on(node, off_ms)

    def add_board(self, node: NodeProcess, folder: Path) -> NodeProcess:
        """A second board with the identity of `node`, from images in `folder`, which it takes."""
        index = len(self.nodes)
        own = node.folder.parent / f"{node.node_id}-{index}"
        shutil.copytree(folder, own)
        command = [word.replace(str(node.folder), str(own)) for word in map(str, node._command)]
        board = NodeProcess(node.node_id, own, node.kit, node.board, command, node._environment,
                            node.air)  # fmt: skip
        self.nodes.append(board)
        self._give_view(board)
        board.power_up(self.conductor.start_s, self.conductor.now_ms, "power",
                       self.conductor.changed)  # fmt: skip
        return board

    # the vault

    def command_key(self, node: NodeProcess) -> bytes:
        return NvsPartition(node.nvs.flash).get("lamppost", "command", "blob")

    def next_command(self) -> int:
        self._commands += 1
        return self._commands

    def newest_log(self, node_id: str) -> bytes | None:
        """The outbox of a node that the store heard last."""
        query = "SELECT log FROM log WHERE node = ? ORDER BY heard DESC LIMIT 1"
        with contextlib.closing(sqlite3.connect(self.store_path)) as db:
            row = db.execute(query, (node_id,)).fetchone()
        return row and bytes(row[0])
