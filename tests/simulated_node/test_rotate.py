# SPDX-License-Identifier: MIT
"""A node's certificate is rotated while it measures: a city's vault, a real mosquitto with its list
of revoked certificates, a whole node. No window is lost, the old certificate ends only when the
new one serves, and one that does not serve is given up for the one before."""

import dataclasses
import json
import socket
import ssl
import time

import cbor2
import pytest

from host_tools.city.vault_keys import note_certificate
from host_tools.handover.command_file import read_commands
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.command import certificate_parts
from host_tools.provisioning.ticket import make_ticket
from node.device.clock import DAY_S
from simulator import city_folder
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.world import broker_mosquitto
from tests.host_tools.city_place import City, lamppost
from tests.host_tools.vault_place import Place, remember_argon2id
from tests.simulated_node.vault_sends import vault_sends

ROOT = bytes(range(32))
BROKEN = 99  # a serial
CERTIFICATE = """
[[stream]]
number = 250
quantity = "certificate"
statistics = ["last"]
window_s = 900
resolution = 1
range = [0, 99]
unit = { en = "none", de = "keine" }
why = { en = "See that a new one serves.", de = "Erkennen, dass ein neues dient." }
purpose = "dpv:RepairImpairments"
"""
pytestmark = pytest.mark.skipif(
    broker_mosquitto.mosquitto_path() is None, reason="mosquitto is not installed"
)


class Office(City):
    """A vault that knows the node of a simulated city, and whose authority is the city's."""

    def __init__(self, folder, tls, node_id, day0, provisioned):
        folder.mkdir()
        super().__init__(folder)
        Place.fill(self)
        (folder / "policy.key").write_bytes(bytes(60))
        self.vault("setup", "--name", "office", "--broker", "broker.test:8883", "--sntp",
                   "time.test", "--policy-key", folder / "policy.key", "--tls-dir", tls, "-o",
                   folder / "city.office")  # fmt: skip
        with self.open() as file, file.change("take over", {}):
            row = node_id, ROOT, day0, "air", "active"
            file.db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
            note_certificate(file, provisioned, node_id, "node")

    def messages(self, node_id) -> list[bytes]:
        path = self.folder / "a.commands"
        self.vault("commands", "-o", path)
        return [message for node, message in read_commands(path) if node == node_id]


class RotatedCity(CityRun):
    """A city whose broker has the vault's list; play() does the office's part, at meetings."""

    def __init__(self, plan, monkeypatch):
        super().__init__(plan)
        self.office, self.node_id, self.log, self.issued = None, "", [], {}
        issue = Authority.issue

        def noted(authority, name, role, *more):
            identity = issue(authority, name, role, *more)
            self.issued.setdefault((name, role), identity)
            return identity

        monkeypatch.setattr(Authority, "issue", noted)
        self._pending = [(2700, self._rotate), (7200, self._finish), (9900, self._break)]

    def _make_broker(self):
        """The vault's list goes where monkeypatched settings of mosquitto look for it."""
        if self.office is None:
            ((self.node_id, _), provisioned), = (
                row for row in self.issued.items() if row[0][1] == "node"
            )
            self.issued.clear()
            self.office = Office(self.plan.folder.parent / "office", self._folder.tls,
                                 self.node_id, self.plan.start // DAY_S, provisioned)  # fmt: skip
            self.provisioned = provisioned
        lists = self._folder.path / "mosquitto"
        self.office.vault("broker", "-o", lists / "lists")
        return super()._make_broker()

    def play(self):
        if self._pending and self.conductor.now_ms >= self._pending[0][0] * 1000:
            self._pending.pop(0)[1]()

    def connections(self) -> int:
        return self.log.count("link: connected")

    def _rotate(self):
        self.before = self.connections()
        assert self.office.vault("rotate", self.node_id)["certificates"] == {self.node_id: 1}
        vault_sends(self, self.node_id, self.office.messages(self.node_id))

    def _finish(self):
        assert "certificate: 1" in self.log and self.connections() == self.before + 1
        assert self.told() == 1
        self.office.vault("rotate", self.node_id, "--done")
        self.services.stop_broker()
        self.services.start_broker()
        with pytest.raises(ssl.SSLError, match="revoked"):
            self._connect(self.provisioned)
        self.before = self.connections()

    def _break(self):
        assert self.connections() == self.before + 1  # by the new one: the old one is revoked
        other = Authority.create().issue(self.node_id, "node")
        content = cbor2.dumps(list(other.der()))
        ticket = make_ticket(ROOT, self.node_id, 0)
        parts = certificate_parts(ticket.command, self.node_id, BROKEN, content)
        vault_sends(self, self.node_id, parts[::-1])

    def told(self) -> int:
        """Which certificate the node has told last, in the city's own words."""
        code, out, err = lamppost("read", "--store", self.store_path, "--quantity", "certificate",
                                  "--json")  # fmt: skip
        assert code == 0, err
        return [value["value"] for value in json.loads(out)["values"]][-1]

    def _connect(self, identity):
        files = identity.save(self.office.folder / "one", self.node_id)
        context = ssl.create_default_context(cafile=self._folder.tls / "ca.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*files)
        with socket.create_connection(self.services.broker_at, 5) as connection:
            context.wrap_socket(connection, server_hostname="localhost").close()


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_rotated_while_it_measures(interpreter, tmp_path, monkeypatch):
    remember_argon2id(monkeypatch)
    monkeypatch.setattr(city_folder, "new_root", lambda: ROOT)
    config = broker_mosquitto._CONFIG + "crlfile {folder}/lists/crl.pem\n"
    monkeypatch.setattr(broker_mosquitto, "_CONFIG", config)
    (kit,) = choose_kits(["air"], None)
    policy = tmp_path / "policy.toml"
    policy.write_text(kit.policy_path.read_text() + CERTIFICATE)
    plan = Plan(
        kits=[dataclasses.replace(kit, policy_path=policy)], for_s=4 * 3600,
        folder=tmp_path / "city", interpreter=interpreter, heap="128k", broker="mosquitto",
        roles={"vault-1": "vault"}, start=int(time.time()) // 3600 * 3600,
    )  # fmt: skip
    with RotatedCity(plan, monkeypatch) as city:
        city.start()
        (node,) = city.nodes
        node.on_line = city.log.append
        assert city.run(city.play), city.trouble()
        assert not city._pending
        account = city.account()
        assert city.complete(account), (city.trouble(), city.log)
        assert node.status["unsealed"] == 0
        told = city.told()
    print("\n".join(city.log))
    assert told == 1
    at = city.log.index(f"certificate: {BROKEN}")
    assert [line for line in city.log[at:] if line.startswith("link: (")][0].startswith("link: ('tls'")
    assert "link: connected" in city.log[at:]
    assert not any("Memory" in line or "certificate: (" in line for line in city.log)
