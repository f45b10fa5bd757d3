# SPDX-License-Identifier: MIT
"""A node whose policy masked nothing: it refuses one that does, the vault gives it the roots, and
then it takes the policy, which is in force from midnight on."""

import json
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector import open_envelope, store
from host_tools.collector.keyring import Keyring
from host_tools.collector.tls_probe import mutual_tls
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.command import mask, policy_parts
from host_tools.provisioning.ticket import make_ticket
from node.device.clock import DAY_S
from simulator import city_folder
from simulator.city_run import CityRun, Plan, choose_kits
from tests.host_tools import reference_sealer as ref
from tests.soak import masked_world as world

START_S = 1_780_000_000 // DAY_S * DAY_S + 22 * 3600
MIDNIGHT_S = START_S + 7200
ROOT = bytes(range(32))
WITHIN_S = 60


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
        city, tls = self._city, self._city.plan.folder / "tls"
        Authority.load(tls).issue("vault-1", "vault").save(tls, "vault-1")
        files = tls / "ca.pem", tls / "vault-1.pem", tls / "vault-1.key"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, "vault-1")
        client.tls_set_context(mutual_tls(*files, city.services.broker.host_name))
        connected = threading.Event()
        client.on_connect = lambda *_: connected.set()
        client.connect(*city.services.broker_at)
        client.loop_start()
        assert connected.wait(WITHIN_S)
        for message in messages:
            topic = f"lp/{self.ticket.node_id}/down"
            client.publish(topic, message, qos=1).wait_for_publish(WITHIN_S)
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def keeps_only(monkeypatch):
    """What a store makes of masked records is for its own tests."""
    monkeypatch.setattr(city_folder, "new_root", lambda: ROOT)
    monkeypatch.setattr(open_envelope, "_check_values", lambda *_: None)
    monkeypatch.setattr(store.Store, "_keep_values", lambda *_: None)


def test_refused_given_and_taken(keeps_only, tmp_path):
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
