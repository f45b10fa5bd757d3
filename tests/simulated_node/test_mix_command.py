# SPDX-License-Identifier: MIT
"""The vault mixes into a node's next day: from 00:00 on the keyring that has it opens what comes,
and a copy from before, as whoever was revoked has one, opens nothing."""

import shutil

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.open_envelope import Opened, open_envelope
from host_tools.provisioning.command import mix
from host_tools.provisioning.ticket import make_ticket
from node.device.clock import DAY_S
from node.pipeline import envelope
from simulator import city_folder
from simulator.city_run import CityRun, Plan, choose_kits
from tests.simulated_node.vault_sends import vault_sends

START_S = 1_780_000_000 // DAY_S * DAY_S + 22 * 3600
ROOT = bytes(range(32))
A, B = bytes(range(100, 132)), bytes(range(132, 164))


class Vault:
    """At meetings of the conductor: a mix for the next day; and on that day one that is late."""

    def __init__(self, city):
        self._city = city
        self.ticket = make_ticket(ROOT, city.nodes[0].node_id, START_S // DAY_S)
        self.keyring = Keyring(city.plan.folder / "keyring.json")
        self.revoked = city.plan.folder / "revoked.json"
        self._pending = [(1800, self._mix), (10_000, self._late)]

    def play(self):
        if self._pending and self._city.conductor.now_ms >= self._pending[0][0] * 1000:
            self._pending.pop(0)[1]()

    def _mix(self):
        shutil.copy(self.keyring.path, self.revoked)
        self.keyring.add_mix(self.ticket.node_id, 1, A)
        self._send(1, 1, A)

    def _late(self):
        self._send(2, 1, B)

    def _send(self, number, epoch, a):
        key, node_id = self.ticket.command, self.ticket.node_id
        vault_sends(self._city, node_id, [mix(key, node_id, number, epoch, a)])


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_who_was_revoked_opens_nothing_from_midnight_on(interpreter, tmp_path, monkeypatch):
    monkeypatch.setattr(city_folder, "new_root", lambda: ROOT)
    sent, log = {}, []
    plan = Plan(
        kits=choose_kits(["air"], None), for_s=4 * 3600, folder=tmp_path / "city",
        interpreter=interpreter, start=START_S,
        on_publish=lambda topic, payload, _: sent.setdefault(payload, topic),
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        vault, (node,) = Vault(city), city.nodes
        node.on_line = log.append
        assert city.run(vault.play), city.trouble()
        status, counts = node.status, city.collector.counts
        assert city.collector.settled[node.node_id] == status["newest"]
    assert [line for line in log if "its epoch has begun" in line] == [
        "publish: (2, 'its epoch has begun: 1')"
    ]
    assert (status["unsealed"], status["old_seals"], counts["refused"]) == (0, 0, {})
    revoked, keyring = Keyring(vault.revoked), Keyring(vault.keyring.path)
    days = {0: [], 1: []}
    for payload, topic in sent.items():
        if topic.endswith("/up"):
            found = open_envelope(revoked, node.node_id, payload, START_S + DAY_S)
            days[envelope.unpack(payload)[1]].append(isinstance(found, Opened))
    assert len(days[0]) > 20 and all(days[0])
    assert len(days[1]) > 20 and not any(days[1])
    keys = keyring.node(node.node_id)
    assert (keys.epoch, keys.mixes) == (1, {})
    assert A.hex() not in keyring.path.read_text()
    assert not any(A.hex() in line or B.hex() in line for line in log)
