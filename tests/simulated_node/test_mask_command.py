# SPDX-License-Identifier: MIT
"""A node whose policy masked nothing: it refuses one that does, the vault gives it the roots, and
then it takes the policy, which is in force from midnight on."""

import json

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.provisioning.command import mask, policy_parts
from host_tools.provisioning.ticket import make_ticket
from node.device.clock import DAY_S
from simulator import city_folder
from simulator.city_run import CityRun, Plan, choose_kits
from tests.host_tools import reference_sealer as ref
from tests.simulated_node.vault_sends import vault_sends
from tests.soak import masked_world as world

START_S = 1_780_000_000 // DAY_S * DAY_S + 22 * 3600
MIDNIGHT_S = START_S + 7200
ROOT = bytes(range(32))


class Vault:
    """At meetings of the conductor: the policy, the roots, and the policy again."""

    def __init__(self, city, masked: bytes):
        self._city, self._masked = city, masked
        node_id = city.nodes[0].node_id
        self.ticket = make_ticket(ROOT, node_id, START_S // DAY_S, (1, 2))
        self._pending = [(1800, self._policy), (2400, self._roots), (3000, self._policy)]

    def play(self):
        if self._pending and self._city.conductor.now_ms >= self._pending[0][0] * 1000:
            self._pending.pop(0)[1]()

    def _policy(self):
        key, node_id = self.ticket.command, self.ticket.node_id
        signed = self._city.folder.sign(self._masked)
        self._send(policy_parts(key, node_id, signed))

    def _roots(self):
        key, node_id = self.ticket.command, self.ticket.node_id
        roots = self.ticket.masks.items()
        self._send([mask(key, node_id, n, stream, root) for n, (stream, root) in
                    enumerate(roots, 1)])  # fmt: skip

    def _send(self, messages: list):
        vault_sends(self._city, self.ticket.node_id, messages)


@pytest.fixture
def known_root(monkeypatch):
    monkeypatch.setattr(city_folder, "new_root", lambda: ROOT)


def test_refused_given_and_taken(known_root, tmp_path):
    sent = {}
    plan = Plan(
        kits=choose_kits(["energy"], None), for_s=4 * 3600, folder=tmp_path / "city",
        start=START_S, on_publish=lambda topic, payload, _: sent.setdefault(payload, topic),
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        (node,) = city.nodes
        plain = rules_of(city)
        fields = ref.dumps_back(plain)
        streams = [[*stream[:3], ["count", "sum"], *stream[4:], []] if stream[0] < 3 else stream
                   for stream in fields[6]]  # fmt: skip
        masked = ref.dumps([*fields[:2], fields[2] + 1, *fields[3:6], streams, fields[7]])
        keyring_learns(city, masked)
        vault, log = Vault(city, masked), []
        node.on_line = log.append
        assert city.run(vault.play), city.trouble()
        status = node.status
    assert any("(9, 'there is no tree for a stream that it masks')" in line for line in log)
    assert status["unsealed"] == 0
    opened = [world.opened(payload, [plain, masked], vault.ticket) for payload, topic in
              sent.items() if topic.endswith("/up")]  # fmt: skip
    after = [records for policy, (_, _, _, records) in opened if policy == masked]
    chain = sorted(r for records in after for r in records if r[0] == 1)
    assert len(chain) >= 7
    assert all((record[1] + 1) * 900 > MIDNIGHT_S for record in chain)
    for record in chain:
        assert world.unmasked(1, 900, record, vault.ticket)[0] == 60
    assert any(policy == plain and records for policy, (_, _, _, records) in opened)


def rules_of(city) -> bytes:
    content = json.loads((city.plan.folder / "city.json").read_text())
    return bytes.fromhex(content["nodes"][0]["policy"])


def keyring_learns(city, masked: bytes):
    """The terms name the same streams, so they are those of the policy before."""
    keyring = Keyring(city.plan.folder / "keyring.json")
    node_id = city.nodes[0].node_id
    terms = keyring.node(node_id).policies[0].encoded_terms
    keyring.add_policy(node_id, masked, terms)
