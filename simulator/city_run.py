# SPDX-License-Identifier: MIT
"""A whole city for `lamppost demo`: keys, broker, collector, nodes, and the account at the end.

    CityRun(plan): start() ─▶ run() ─▶ account(); stop() ends all that was started

The folder holds tls/, nodes/<node>/, keyring.json and city.json; the same folder can be used for
another run, which begins where the last one ended. Only one run at a time has it.
"""

import contextlib
import dataclasses
import datetime
import sys
import time
from pathlib import Path

from host_tools.child_environment import child_environment
from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.firmware import firmware_root
from host_tools.provisioning.kit import Kit, load_board, load_kit
from host_tools.state_folder import SUFFIX, stores_folder
from host_tools.umqtt_source import umqtt_path
from node.policy.rules import Policy
from simulator.city_folder import BROKER_NAME, COLLECTOR, CityFolder
from simulator.city_services import CityServices
from simulator.conductor import Conductor, NodeProcess
from simulator.world.city import City
from simulator.world.replay import Replay

BOARD = "esp32-devkitc"
USUAL_KITS = ("air", "energy", "traffic")
_HOUR_S = 3600
_DRAIN_PATIENCE_S = 30
_EARLIEST_S, _LATEST_S = 1_577_836_800, 2_082_758_400  # 2020 to 2036, where SNTP's era ends


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
    queue_limit: int = 100_000  # messages that a broker of ours keeps for one client
    roles: dict = dataclasses.field(default_factory=dict)  # {CN: role} of further clients


def choose_kits(names: tuple, count: int | None) -> list[Kit]:
    """The kit of each node: those named, or the usual ones, again and again up to `count`."""
    board = load_board(BOARD)
    kits = [load_kit(name, board) for name in names or USUAL_KITS]
    return [kits[i % len(kits)] for i in range(count or len(kits))]


def _new_store_path() -> Path:
    """A store of this moment in the user's state folder; it outlives the temporary keys."""
    stem = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path, count = stores_folder() / (stem + SUFFIX), 1
    while path.exists():
        count += 1
        path = stores_folder() / f"{stem}-{count}{SUFFIX}"
    return path


class CityRun:
    """One run of a plan. start() raises ToolError and leaves nothing half made.

    services: what the nodes reach, and how to make it fail.
    """

    services_class = CityServices

    def __init__(self, plan: Plan):
        self.plan = plan
        self.nodes: list[NodeProcess] = []
        self.conductor = None
        self.services = None
        self.store_path = None
        self.drained = False
        self._running = False
        self._open = contextlib.ExitStack()
        self._kits = {}  # node id: name of its kit
        self._shortest_s = {}  # node id: its shortest window
        self._before = {}  # node id: (envelopes stored, numbers settled) before this run
        self._samples = {}  # node id: how many there were when sampling was over
        self._began = self._ended = 0.0
        self._folder = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts broker, collector and nodes; ToolError if something asked for is wrong."""
        try:
            self._start()
        except BaseException:
            if self._folder is not None:
                self._open.callback(self._folder.undo)  # first of all that is undone
            raise

    def _start(self):
        self._began = time.monotonic()
        plan, board = self.plan, load_board(BOARD)
        wanted = [(kit, compile_policy(kit.policy_path, kit)) for kit in plan.kits]
        command, broker_name = self._node_command(), self._broker_name()
        self._folder = CityFolder(plan.folder)
        self._open.callback(self._folder.close)
        self._folder.lock()
        start_s = self._start_s()
        world = City(plan.seed, start_s, plan.mood)
        if plan.replay is not None:
            world = Replay(plan.replay, start_s, plan.seed, world)
        city_nodes = self._folder.nodes(wanted, board, start_s, broker_name, plan.tls_dir)
        own = plan.broker in ("embedded", "mosquitto")
        self.services = self.services_class(
            self._make_broker, own, self._folder.path, lambda: self.conductor.now_s(), self._woken
        )
        self._open.callback(self.services.access_point.stop)
        self.services.access_point.start()
        self._open.callback(self.services.stop_broker)  # before it starts: that may be interrupted
        self.services.start_broker()
        for node in city_nodes:
            self._add_node(node, command, board)
        windows_s = [w for _, policy in wanted for w in Policy(policy.rules).windows_s]
        self.conductor = Conductor(
            world, self.nodes, windows_s, start_s, plan.speed, self._settled, self._progress
        )
        self._start_collector()
        self._open.callback(self.conductor.stop)
        self.conductor.start()
        self._running = True

    def run(self, each_meeting=lambda: None) -> bool:
        """Runs the city for the plan's time, then drains. False when it was cut short."""
        end_ms = self.plan.for_s * 1000
        # One second more lets the windows close that end with the run; then nothing is counted.
        if self.conductor.run(end_ms, each_meeting) and self.conductor.run(end_ms + 1000):
            self._samples = {node.node_id: node.total("samples") for node in self.nodes}
            self.drained = self.conductor.drain(self.is_drained, _DRAIN_PATIENCE_S)
            each_meeting()
        self._ended = time.monotonic()
        return self.drained

    def stop(self):
        """Ends all that was started, in the opposite order."""
        if self._running:
            with contextlib.suppress(OSError, ToolError):
                self._folder.remember_end(self.conductor.now_s())
        self._open.close()

    def _start_s(self) -> int:
        """The present hour, or where the folder's last run ended, or what the plan says."""
        last_s = -(-self._folder.last_end_s() // _HOUR_S) * _HOUR_S
        if self.plan.start is None:
            return max(int(time.time()) // _HOUR_S * _HOUR_S, last_s)
        if not _EARLIEST_S <= self.plan.start < _LATEST_S:
            raise ToolError("--start is out of reach", "take a time from 2020 to 2035", 2)
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
            return lambda folder: ([*module, str(folder), *paths], child_environment())
        from simulator.micropython_tree import (
            micropython_command,
            micropython_environment,
            micropython_tree,
        )

        program = micropython_path()
        tree = micropython_tree(program)
        environment = micropython_environment()
        main = "from simulator.node_process import main; main({!r})"
        return lambda folder: (
            micropython_command(program, self.plan.heap, tree, main.format(str(folder.resolve()))),
            environment,
        )

    def _broker_name(self) -> str:
        if self.plan.broker in ("embedded", "mosquitto"):
            if self.plan.tls_dir is not None:
                hint = "leave it out, or give --broker HOST:PORT"
                raise ToolError("--tls-dir is for a broker that runs", hint, 2)
            return BROKER_NAME
        from host_tools.collector.broker_address import parse_address

        name = parse_address(self.plan.broker, "embedded, mosquitto, or ")[0]
        if self.plan.tls_dir is None:
            hint = "its ca.pem and ca.key make the city's certificates: --tls-dir DIR"
            raise ToolError("a broker that runs needs --tls-dir", hint, 2)
        return name

    def _make_broker(self):
        tls = self._folder.tls
        ca, certificate, key = tls / "ca.pem", tls / "broker.pem", tls / "broker.key"
        if self.plan.broker == "embedded":
            from simulator.world.broker_embedded import EmbeddedBroker

            return EmbeddedBroker(ca, certificate, key, self._on_publish, self.plan.queue_limit)
        if self.plan.broker == "mosquitto":
            from simulator.world.broker_mosquitto import MosquittoBroker

            folder = self._folder.path / "mosquitto"
            roles = {COLLECTOR: "collector", **self.plan.roles}
            return MosquittoBroker(folder, ca, certificate, key, roles, self.plan.queue_limit)
        from simulator.world.broker_external import ExternalBroker

        own = tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
        return ExternalBroker(self.plan.broker, ca, *own)

    def _on_publish(self, topic: str, payload: bytes):
        if self.plan.on_publish is not None:
            self.plan.on_publish(topic, payload, self.conductor.now_s())

    def _add_node(self, node, command, board):
        node_id = node.node_id
        self.services.connect(node_id)
        folder = self._folder.path / "nodes" / node_id
        line, environment = command(folder)
        self.nodes.append(
            NodeProcess(
                node_id, folder, node.kit.data, board, line, environment,
                lambda: self.services.access_point.air(node_id),
            )
        )  # fmt: skip
        self._kits[node_id] = node.kit.name
        self._shortest_s[node_id] = Policy(node.policy).windows_s[0]

    def _start_collector(self):
        services = self.services
        self.store_path = self.plan.folder and self._folder.path / f"store{SUFFIX}"
        if self.store_path is None:
            self.store_path = _new_store_path()
        self._open.callback(self._drop_empty_store)
        self._open.callback(services.stop_collector)
        settled = {
            state.node_id: state.settled for state in services.open_store(self.store_path).logs()
        }
        stored = services.stored()
        self._before = {
            node.node_id: (stored[node.node_id], settled.get(node.node_id, 0))
            for node in self.nodes
        }
        services.start_collector()

    def _drop_empty_store(self):
        """A run that stored nothing leaves no store, which would be taken for the newest."""
        if self.store_path.exists() and not self.services.stored():
            for suffix in ("", ".lock", "-wal", "-shm"):
                Path(f"{self.store_path}{suffix}").unlink(missing_ok=True)

    def _woken(self, _result):
        with self.conductor.changed:
            self.conductor.changed.notify_all()

    # what is known while it runs

    @property
    def folder(self) -> CityFolder:
        """The folder of this run."""
        return self._folder

    @property
    def collector(self):
        """The worker that runs, or ran last."""
        return self.services.collector

    def _settled(self) -> bool:
        return all(
            self.collector.settled.get(node.node_id, 0) >= node.status["newest"]
            for node in self.nodes
        )

    def _progress(self):
        return self.collector.received, sum(self.collector.settled.values())

    def is_drained(self) -> bool:
        """Whether all that was sealed is settled, and the nodes know it."""
        return self._settled() and all(node.status["waiting"] == 0 for node in self.nodes)

    def account(self) -> dict:
        """What was done, as `lamppost demo --json` prints it."""
        ended = self._ended or time.monotonic()
        stored = self.services.stored()
        nodes = [self._node_account(node, stored[node.node_id]) for node in self.nodes]
        return {
            "simulated_s": min(self.conductor.now_ms // 1000, self.plan.for_s),
            "wall_s": round(ended - self._began, 3),
            "broker": self.plan.broker,
            "interpreter": self.plan.interpreter,
            "nodes": nodes,
            "lost": sum(node["lost"] for node in nodes),
            "store": str(self.store_path),
        }

    def _node_account(self, node: NodeProcess, stored: int) -> dict:
        node_id = node.node_id
        stored_before, settled_before = self._before[node_id]
        settled = self.collector.settled.get(node_id, 0)
        return {
            "node": node_id,
            "kit": self._kits[node_id],
            "samples": self._samples.get(node_id, node.total("samples")),
            "records": node.total("records"),
            # what an interrupted run left on the node is this run's to deliver
            "envelopes": max(0, node.status["newest"] - settled_before),
            "opened": self.services.count("opened", node_id),
            "receipted": settled - settled_before,
            "lost": max(0, (settled - stored) - (settled_before - stored_before)),
            "duplicates": self.services.count("duplicates", node_id),
            "faults": node.total("faults"),
            "wire_bytes": sum(self.services.access_point.wire_bytes(node_id)),
            "heap_peak_bytes": node.heap_peak,
        }

    def complete(self, account: dict) -> bool:
        """Whether all that was sealed is opened, stored and receipted, and the nodes know it."""
        whole = all(
            node["envelopes"] == node["opened"] == node["receipted"] > 0
            for node in account["nodes"]
        )
        return self.drained and whole and account["lost"] == 0

    def is_running(self) -> bool:
        """Whether it was started whole."""
        return self._running

    def trouble(self) -> tuple[str, str]:
        """Why the run did not come out whole, and what to do."""
        for node in self.nodes:
            if node.ended:
                last = node.log[-1] if node.log else "it said nothing"
                hint = "give more: --heap 128k" if "Memory" in last else "its last line says why"
                return f"node {node.node_id} ended by itself: {last}", hint
        reason = self.collector.trouble or self.services.broker.trouble()
        if reason:
            return reason, "look after the broker and the disk"
        hint = "the account above says which node"
        if not self.drained:
            return "envelopes still wait on the nodes", hint
        if not all(node.status["newest"] for node in self.nodes):
            return "a node sealed nothing", "give it more time: --for 1h"
        return "not every envelope was opened and receipted", hint

    def first_values_s(self, node_id: str) -> int:
        """When the first window ends that this node sees whole, in Unix time."""
        window_s = self._shortest_s[node_id]
        return (self.conductor.start_s // window_s + 2) * window_s
