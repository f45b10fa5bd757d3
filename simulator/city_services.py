# SPDX-License-Identifier: MIT
"""What a city's nodes reach: the access point, and behind it the broker and the collector. Each
can fail at a meeting of the city, and come back at a later one; the nodes notice nothing else.

    services.stop_broker(); services.start_broker()          one that forgets all it had
    services.stop_collector(); services.start_collector()    the broker keeps what comes meanwhile
    services.access_point.cut(node)                          and its other faults
"""

import collections
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from host_tools.collector.keyring import Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.store import Store
from simulator.city_folder import COLLECTOR, PASSWORD, SNTP_HOST, SSID
from simulator.world.access_point import AccessPoint

_BACK_WITHIN_S = 5


class CityServices:
    """make_broker: makes one that start() and stop() can be asked of; own: whether it is ours to
    stop; folder: holds tls/ and keyring.json; clock: Unix time; woken: called with each batch."""

    def __init__(self, make_broker: Callable, own: bool, folder: Path, clock: Callable, woken):
        self.access_point = AccessPoint(SSID, PASSWORD)
        self.access_point.hosts[SNTP_HOST] = ("192.168.4.1", 123)
        self.broker = None
        self.collector = None  # the one that runs, or ran last
        self.store = None
        self._make_broker = make_broker
        self._own = own
        self._folder = folder
        self._clock = clock
        self._woken = woken
        self._nodes = []
        self._store_path = None
        self.broker_at = self._collector_at = None  # addresses
        self._ended = collections.defaultdict(collections.Counter)  # counts of earlier collectors

    def connect(self, node_id: str):
        """Lays a node's wire to the broker."""
        self._nodes.append(node_id)
        self.access_point.connect(node_id, self.broker.host_name, self.broker_at)

    # the broker

    def start_broker(self):
        """Starts a broker, and leads all wires to it. When this returns, the collector has it."""
        self.broker = self._make_broker()
        self.broker_at = self._collector_at = self.broker.start()
        for node_id in self._nodes:
            self.access_point.connect(node_id, self.broker.host_name, self.broker_at)
        if self._own:  # through a wire, so that its address stays when another broker starts
            port = self.access_point.connect(COLLECTOR, self.broker.host_name, self.broker_at)
            self._collector_at = "127.0.0.1", port
        if self.collects() and not self._is_back():
            self.stop_collector()  # it waits ever longer: somebody starts it again
            self.start_collector()

    def stop_broker(self, kill: bool = False):
        """Ends the broker, which forgets all that it had; `kill`: without a word (kill -9)."""
        if self.broker is not None:
            (self.broker.kill if kill else self.broker.stop)()

    def collects(self) -> bool:
        """Whether a collector runs."""
        return self.store is not None and self.collector is not None

    def _is_back(self) -> bool:
        return self.collector.wait_for(lambda: self.collector.connected, _BACK_WITHIN_S)

    # the collector

    def open_store(self, path: Path) -> Store:
        """Where the collector will keep what comes. stop_collector() closes it."""
        self._store_path = path
        self.store = Store(path, Keyring(self._folder / "keyring.json"))
        return self.store

    def start_collector(self):
        """Listens; ToolError says why it cannot."""
        tls = self._folder / "tls"
        if self.store is None:
            self.open_store(self._store_path)
        self.collector = MqttWorker(
            self.store, self._collector_at, tls / "ca.pem", tls / f"{COLLECTOR}.pem",
            tls / f"{COLLECTOR}.key", self.broker.host_name, self._clock, self._woken,
        )  # fmt: skip
        self.collector.start()

    def stop_collector(self):
        """Ends it in good order: what it has is stored."""
        store, self.store = self.store, None
        if store is None:
            return
        if self.collector is not None:
            self.collector.stop()
            for name, counts in self.collector.counts.items():
                self._ended[name].update(counts)
                counts.clear()
        store.close()

    def count(self, name: str, node_id: str) -> int:
        """A count of MqttWorker for this node, of all collectors of this run."""
        return self._ended[name][node_id] + self.collector.counts[name][node_id]

    def stored(self) -> collections.Counter:
        """Envelopes in the store, by node."""
        query = "SELECT node, count(*) FROM envelope GROUP BY node"
        with contextlib.closing(sqlite3.connect(self._store_path)) as db:
            return collections.Counter(dict(db.execute(query)))
