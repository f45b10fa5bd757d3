# SPDX-License-Identifier: MIT
"""One air node in a city whose every envelope is looked into, and what it would have told if
nothing had happened to it."""

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

from host_tools.collector.keyring import Keyring
from host_tools.collector.open_envelope import Opened, open_envelope
from simulator.city_run import CityRun, Plan, choose_kits

START_S = 1_780_000_000 // 3600 * 3600


class WatchedCity:
    """folder: where it may write; outbox_kib: another size of the outbox than the kit's; options:
    of the plan."""

    def __init__(self, folder: Path, for_s: int, outbox_kib: int | None = None, **options):
        self.published = []  # (topic, payload), as the embedded broker takes them
        self.folder = folder / "city"
        kits = choose_kits(["air"], None)
        kits[0].data["outbox_kib"] = outbox_kib or kits[0].data["outbox_kib"]
        plan = Plan(
            kits=kits, for_s=for_s, folder=self.folder, start=START_S,
            on_publish=lambda topic, payload, _now_s: self.published.append((topic, payload)),
            **options,
        )  # fmt: skip
        self.run = CityRun(plan)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run.stop()

    def start(self):
        self.run.start()
        keyring = self.folder.parent / "keyring.json"  # as it is before any seal is forgotten
        shutil.copy(self.folder / "keyring.json", keyring)
        self.keyring = Keyring(keyring)
        self.node = self.run.nodes[0]
        self.services = self.run.services
        self.air = self.services.access_point

    def until(self, to_s: int, step_s: int = 300, patience_s: float = 2.0):
        """Runs up to `to_s` of simulated time; RuntimeError when the node ends by itself."""
        conductor = self.run.conductor
        conductor.patience_s = patience_s
        while conductor.now_ms < to_s * 1000:
            if not conductor.run(min(conductor.now_ms + step_s * 1000, to_s * 1000)):
                raise RuntimeError(self.run.trouble()[0])

    def drain(self) -> dict:
        """Lets all be delivered that can be; the account, with `complete`."""
        self.run.conductor.patience_s = 2.0
        self.run.drained = self.run.conductor.drain(self.run.is_drained)
        account = self.run.account()
        return {**account, "complete": self.run.complete(account)}

    def opened(self) -> list[Opened]:
        """All envelopes, in the order of their arrival at the broker, repetitions too."""
        results = []
        for topic, payload in self.published:
            if topic.endswith("/up"):
                result = open_envelope(self.keyring, self.node.node_id, payload, 1 << 40)
                if not isinstance(result, Opened):
                    raise RuntimeError(f"an envelope does not open: {result.reason}")
                results.append(result)
        return results

    def query(self, text: str) -> list:
        with contextlib.closing(sqlite3.connect(self.run.store_path)) as db:
            return db.execute(text).fetchall()

    def values(self) -> dict:
        """{(stream, start of the slot, statistic): value} in the store."""
        query = "SELECT stream, slot_start_s, statistic, value FROM value"
        return {tuple(row[:3]): row[3] for row in self.query(query)}

    def events(self) -> dict:
        """{kind: [detail, …]}"""
        found = {}
        for kind, detail in self.query("SELECT kind, detail FROM event"):
            found.setdefault(kind, []).append(detail)
        return found


_undisturbed = {}


def undisturbed(for_s: int) -> dict:
    """The values of a node that nothing happens to."""
    if not any(known >= for_s for known in _undisturbed):
        with tempfile.TemporaryDirectory() as folder, WatchedCity(Path(folder), for_s) as city:
            city.start()
            city.until(for_s)
            city.drain()
            _undisturbed[for_s] = city.values()
    return _undisturbed[max(_undisturbed)]
