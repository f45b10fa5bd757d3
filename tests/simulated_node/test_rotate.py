# SPDX-License-Identifier: MIT
"""A node's certificate is rotated while it measures: a city's vault, a real mosquitto that has its
list of revoked certificates, a whole node under its kit's own policy. No window is lost, the old
certificate ends only when the new one serves, and one that does not serve is given up for the one
before."""

import json
import socket
import ssl
import time
import types

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
BROKEN = 99  # the serial of one that no broker takes
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

    def messages(self) -> list[bytes]:
        path = self.folder / "a.commands"
        self.vault("commands", "-o", path)
        return [message for _, message in read_commands(path)]


class RotatedCity(CityRun):
    """A city whose broker has the vault's list. play() does the office's part, at meetings."""

    def __init__(self, plan, monkeypatch):
        super().__init__(plan)
        self.office = self.provisioned = None
        self.log = []  # what the node says
        self._issued = []
        self._pending = [(2700, self._rotate), (7500, self._finish), (9000, self._break),
                         (10_500, self._cut)]  # fmt: skip
        issue = Authority.issue

        def noted(authority, name, role, *more):
            self._issued.append((name, role, issue(authority, name, role, *more)))
            return self._issued[-1][2]

        monkeypatch.setattr(Authority, "issue", noted)

    def _make_broker(self):
        if self.office is None:
            ((node_id, identity),) = [(n, one) for n, role, one in self._issued if role == "node"]
            self.provisioned = identity
            self.office = Office(self.plan.folder.parent / "office", self._folder.tls, node_id,
                                 self.plan.start // DAY_S, identity)  # fmt: skip
        self.office.vault("broker", "-o", self._folder.path / "mosquitto" / "lists")
        return super()._make_broker()

    def play(self):
        if self._pending and self.conductor.now_ms >= self._pending[0][0] * 1000:
            self._pending.pop(0)[1]()
            self.before = self.log.count("link: connected")

    def _rotate(self):
        (node,) = self.nodes
        assert self.office.vault("rotate", node.node_id)["certificates"] == {node.node_id: 1}
        assert self._done() == ([], [node.node_id])
        vault_sends(self, node.node_id, self.office.messages())

    def _finish(self):
        (node,) = self.nodes
        assert "certificate: 1" in self.log and self.log.count("link: connected") > self.before
        assert self.told() == 1
        assert self._done() == ([node.node_id], [])
        self.services.stop_broker()
        self.services.start_broker()
        with pytest.raises(ssl.SSLError, match="revoked"):
            self._connect(self.provisioned)

    def _done(self) -> tuple[list, list]:
        """The nodes whose rotation ends as the store has it, and those that go on."""
        now_s = self.plan.start + self.conductor.now_ms // 1000
        clock = types.SimpleNamespace(time=lambda: now_s)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("host_tools.commands.vault.rotate.time", clock)
            told = self.office.vault("rotate", "--done", "--from-store", self.store_path)
        return list(told["revoked"]), list(told["waiting"])

    def _break(self):
        (node,) = self.nodes
        assert self.log.count("link: connected") > self.before  # by the new one
        other = Authority.create().issue(node.node_id, "node")
        key = make_ticket(ROOT, node.node_id, 0).command
        parts = certificate_parts(key, node.node_id, BROKEN, cbor2.dumps(list(other.der())))
        vault_sends(self, node.node_id, parts[::-1])

    def _cut(self):
        """It starts with the newest again, which serves no better."""
        self.starts_at = len(self.log)
        self.conductor.cut_power(self.nodes[0])

    def told(self) -> int:
        """Which certificate the node has told last."""
        code, out, err = lamppost("read", "--store", self.store_path, "--quantity", "certificate",
                                  "--json")  # fmt: skip
        assert code == 0, err
        return json.loads(out)["values"][-1]["value"]

    def _connect(self, identity):
        files = identity.save(self.office.folder / "one", "node")
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
    plan = Plan(
        kits=[kit], for_s=14_400,
        folder=tmp_path / "city", interpreter=interpreter, heap="192k", broker="mosquitto",
        roles={"vault-1": "vault"}, start=int(time.time()) // 3600 * 3600,
    )  # fmt: skip
    with RotatedCity(plan, monkeypatch) as city:
        city.start()
        (node,) = city.nodes
        node.on_line = city.log.append
        assert city.run(city.play), city.trouble()
        assert city.complete(city.account()), (city.trouble(), city.log)
        assert (node.status["unsealed"], city.told(), city._pending) == (0, 1, [])
    broken_at = city.log.index(f"certificate: {BROKEN}")
    for at, upto in ((broken_at, city.starts_at), (city.starts_at, None)):
        refused, connected = [line for line in city.log[at:upto] if line.startswith("link: ")]
        assert refused.startswith("link: ('tls', ") and connected == "link: connected"
    assert not [line for line in city.log if "emory" in line or line.startswith("app: ")]
