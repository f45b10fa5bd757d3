# SPDX-License-Identifier: MIT
"""Messages per second of one collector and of two that share, on mosquitto over mutual TLS: from
the first publish until the last envelope is committed and receipted. Publisher, broker and
collectors have the machine together."""

import tempfile
import time
from pathlib import Path

from host_tools.provisioning.certificates import Authority
from simulator.world.broker_mosquitto import MosquittoBroker
from tests.host_tools.reliable_nodes import (
    IDS,
    ReliableNode,
    Worker,
    all_receipted,
    check_whole,
    make_keyring,
)
from tests.host_tools.reliable_nodes import (
    run as run_nodes,
)

EACH = 2000  # envelopes per node: their slots end before a week from now
WORKERS = ("collector-1", "collector-2")
WITHIN_S = 300


def run() -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        authority = Authority.create()
        authority.save(folder, "ca")
        authority.issue("broker", "broker", ["broker.test", "127.0.0.1"]).save(folder, "broker")
        for name, role in (*((w, "collector") for w in WORKERS), *((n, "node") for n in IDS)):
            authority.issue(name, role).save(folder, name)
        rates = {count: _rate(folder, count) for count in (1, 2)}
    figures = [
        {"figure": f"{count} collector{'s that share' if count > 1 else ''}",
         "measured": f"{rate:.0f} messages/s"}
        for count, rate in rates.items()
    ]  # fmt: skip
    return {"messages": EACH * len(IDS), "rates": rates, "figures": figures}


def _rate(tls: Path, count: int) -> float:
    folder = tls / str(count)
    folder.mkdir()
    make_keyring(folder)
    files = tls / "ca.pem", tls / "broker.pem", tls / "broker.key"
    roles = dict.fromkeys(WORKERS, "collector")
    broker = MosquittoBroker(folder / "broker", *files, roles)
    try:
        address = broker.start()
        group = "collectors" if count > 1 else ""
        workers = [Worker(folder, tls, address, name, group) for name in WORKERS[:count]]
        nodes = []
        try:
            store = folder / "a.sqlite"
            nodes = [ReliableNode(tls, address, i, store, WITHIN_S, check=False) for i in IDS]
            for worker in workers:
                worker.listens()
            for node in nodes:
                node.seal(EACH)
            began = time.monotonic()
            if not run_nodes(nodes, lambda: all_receipted(nodes), WITHIN_S):
                raise RuntimeError("not all was receipted")
            spent_s = time.monotonic() - began
            check_whole(store, nodes)
        finally:
            for node in nodes:
                node.leave()
            for worker in workers:
                worker.end()
    finally:
        broker.stop()
    return EACH * len(IDS) / spent_s
