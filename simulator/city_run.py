# SPDX-License-Identifier: MIT
"""A whole city for `lamppost demo`: keys, broker, collector, nodes, and the account at the end.

    CityRun(plan): start() ─▶ run() ─▶ account(); stop() ends all that was started

The folder holds tls/, nodes/<node>/, keyring.json and city.json; the same folder can be used for
another run, which begins where the last one ended. Only one run at a time has it.
"""

import contextlib
import dataclasses
import datetime
import os
import sys
import time
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.provisioning.compile_policy import compile_policy
from host_tools.provisioning.firmware import firmware_root
from host_tools.provisioning.kit import Kit, kit_names, load_board, load_kit
from host_tools.state_folder import SUFFIX, stores_folder
from host_tools.umqtt_source import umqtt_path
from node.policy.rules import Policy
from simulator.city_folder import BROKER_NAME, COLLECTOR, PASSWORD, SSID, CityFolder
from simulator.conductor import Conductor, NodeProcess
from simulator.world.access_point import AccessPoint
from simulator.world.city import City
from simulator.world.replay import Replay

BOARD = "esp32-devkitc"
_HOUR_S = 3600
_DRAIN_PATIENCE_S = 30


@dataclasses.dataclass
class Plan:
    """What to run. Times are simulated; speed None is as fast as it goes."""

    kits: list[Kit]
    for_s: int = 3600
    speed: float | None = None
    seed: int = 1
    mood: str = "normal"
    replay: Path | None = None
    broker: str = "embedded"  # or "mosquitto", or HOST:PORT
    tls_dir: Path | None = None
    interpreter: str = "cpython"
    heap: str = "512k"
    folder: Path | None = None
    start: int | None = None  # Unix s
    on_publish: object = None  # called with (topic, payload, Unix s) by the embedded broker


def choose_kits(names: tuple, count: int | None) -> list[Kit]:
    """The kit of each node: those named, or all, again and again up to `count`."""
    board = load_board(BOARD)
    kits = [load_kit(name, board) for name in names or kit_names()]
    return [kits[i % len(kits)] for i in range(count or len(kits))]


class CityRun:
    """One run of a plan. start() raises ToolError and leaves nothing half made."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.nodes: list[NodeProcess] = []
        self.conductor = None
        self.collector = None
        self.store_path = None
        self.drained = False
        self._open = contextlib.ExitStack()
        self._kits = {}  # node id: name of its kit
        self._began = self._ended = 0.0
        self._access_point = self._broker = self._folder = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts broker, collector and nodes; ToolError if anything that was asked for is wrong."""
        self._began = time.monotonic()
        plan, board = self.plan, load_board(BOARD)
        wanted = [(kit, compile_policy(kit.policy_path, kit)) for kit in plan.kits]
        command = self._node_command()
        self._folder = CityFolder(plan.folder)
        self._open.callback(self._folder.close)
        self._folder.lock()
        start_s = self._start_s()
        world = City(plan.seed, start_s, plan.mood)
        if plan.replay is not None:
            world = Replay(plan.replay, start_s, plan.seed, world)
        city_nodes = self._folder.nodes(
            wanted, board, start_s, self._broker_name(), plan.tls_dir
        )
        self._broker = self._make_broker()
        address = self._broker.start()
        self._open.callback(self._broker.stop)
        self._access_point = AccessPoint(SSID, PASSWORD)
        self._access_point.start()
        self._open.callback(self._access_point.stop)
        for node in city_nodes:
            self._add_node(node, address, command, board)
        windows_s = [w for _, policy in wanted for w in Policy(policy).windows_s]
        self.conductor = Conductor(
            world, self.nodes, windows_s, start_s, plan.speed, self._settled, self._progress
        )
        self._start_collector(address)
        self._open.callback(self.conductor.stop)
        self.conductor.start()

    def run(self, each_meeting=lambda: None) -> bool:
        """Runs the city for the plan's time, then drains. False when it was cut short."""
        if self.conductor.run(self.plan.for_s * 1000, each_meeting):
            self.drained = self.conductor.drain(self._drained, _DRAIN_PATIENCE_S)
            each_meeting()
        self._ended = time.monotonic()
        return self.drained

    def stop(self):
        """Ends all that was started, in the opposite order."""
        if self.conductor is not None:
            with contextlib.suppress(OSError):
                self._folder.remember_end(self.conductor.now_s())
        self._open.close()

    def _start_s(self) -> int:
        """The present hour, or where the folder's last run ended, or what the plan says."""
        last_s = -(-self._folder.last_end_s() // _HOUR_S) * _HOUR_S
        if self.plan.start is None:
            return max(int(time.time()) // _HOUR_S * _HOUR_S, last_s)
        if self.plan.start < last_s:
            raise ToolError(
                f"{self._folder.path}: its last run ended later than --start",
                "leave --start out, or name a new --dir",
            )
        return self.plan.start

    # what is started

    def _node_command(self):
        """Function of a node's folder that gives its command line."""
        if self.plan.interpreter == "cpython":
            paths = [str(firmware_root()), str(umqtt_path())]
            module = [sys.executable, "-P", "-m", "simulator.node_process"]
            return lambda folder: ([*module, str(folder), *paths], dict(os.environ))
        from simulator.micropython_tree import micropython_environment, micropython_tree

        program = [micropython_path(), "-X", f"heapsize={self.plan.heap}", "-c"]
        environment = micropython_environment(micropython_tree())
        main = "from simulator.node_process import main; main({!r})"
        return lambda folder: ([*program, main.format(str(folder))], environment)

    def _broker_name(self) -> str:
        if self.plan.broker in ("embedded", "mosquitto"):
            return BROKER_NAME
        from simulator.world.broker_external import parse_address

        if self.plan.tls_dir is None:
            hint = "its ca.pem and ca.key make the city's certificates: --tls-dir DIR"
            raise ToolError("a broker that runs needs --tls-dir", hint, 2)
        return parse_address(self.plan.broker)[0]

    def _make_broker(self):
        tls = self._folder.tls
        ca, certificate, key = tls / "ca.pem", tls / "broker.pem", tls / "broker.key"
        if self.plan.broker == "embedded":
            from simulator.world.broker_embedded import EmbeddedBroker

            return EmbeddedBroker(ca, certificate, key, self._on_publish)
        if self.plan.broker == "mosquitto":
            from simulator.world.broker_mosquitto import MosquittoBroker

            folder = self._folder.path / "mosquitto"
            return MosquittoBroker(folder, ca, certificate, key, {COLLECTOR: "collector"})
        from simulator.world.broker_external import ExternalBroker

        own = tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
        return ExternalBroker(self.plan.broker, ca, *own)

    def _on_publish(self, topic: str, payload: bytes):
        if self.plan.on_publish is not None:
            self.plan.on_publish(topic, payload, self.conductor.now_s())

    def _add_node(self, node, address, command, board):
        node_id = node.node_id
        self._access_point.connect(node_id, self._broker.host_name, address)
        folder = self._folder.path / "nodes" / node_id
        line, environment = command(folder)
        self.nodes.append(
            NodeProcess(
                node_id, folder, node.kit.data, board, line, environment,
                lambda: self._access_point.air(node_id),
            )
        )  # fmt: skip
        self._kits[node_id] = node.kit.name
