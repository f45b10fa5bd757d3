# SPDX-License-Identifier: MIT
"""A node, its store and a city's office with its vault, over a real mosquitto: a new policy comes
to the store and then to the node, and is in force from midnight on; a store that is set back to a
backup gets again what the node still holds."""

import contextlib
import shutil
import sqlite3

import cbor2
import pytest

from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.signed import PublishedPolicy
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.world.broker_mosquitto import mosquitto_path
from tests.host_tools.city_place import City
from tests.host_tools.vault_place import Place, remember_argon2id
from tests.simulated_node.test_resend import rows, stored, values

DAY_S = 86_400
START_S = 1_780_000_000 // DAY_S * DAY_S + 20 * 3600
MIDNIGHT_S = START_S // DAY_S * DAY_S + DAY_S
POLICY_S, BACKUP_S, RESTORE_S, RESEND_S, END_S = 1800, 7200, 16_200, 17_400, 19_800
ROOT = bytes(range(32))


class Office(City):
    """The vault, which knows the simulated city's node as if it had issued it."""

    def __init__(self, folder, city):
        super().__init__(folder)
        self._city, self._tls = city, folder / "tls"
        self.node_id, self.home = city.nodes[0].node_id, city.plan.folder / "keyring.json"

    def fill(self):
        Place.fill(self)
        simulated, card = self._city.plan.folder, self.folder / "city.office"
        self.vault("setup", "--name", "office", "--broker", "localhost:8883", "--sntp", "time",
                   "--policy-key", simulated / "signer", "--tls-dir", simulated / "tls", "-o",
                   card)  # fmt: skip
        self.vault("certificate", "sender", "--role", "vault", "-o", self._tls)
        self.ok("keyring", "init", self.home, "--name", "home", "--office", card, "-o",
                self.folder / "home.card")  # fmt: skip
        self.vault("store", "add", self.folder / "home.card")
        self.publish(1)
        self._know_the_node()
        return self

    def publish(self, version: int):
        """Its kit's policy as this version, in VERSION.policy."""
        compiled = compile_policy(choose_kits(["air"], None)[0].policy_path)
        fields = cbor2.loads(compiled.rules)
        fields[2] = version
        rules = cbor2.dumps(fields, canonical=True)
        signature = self._city.folder.sign(rules)[len(rules) :]
        published = PublishedPolicy(rules, compiled.terms, signature)
        (self.folder / f"{version}.policy").write_bytes(published.encode())
        return published.policy().digest

    def _know_the_node(self):
        key = (self._city.plan.folder / "signer" / "policy.key").read_bytes()
        published = (self.folder / "1.policy").read_bytes()
        digest, day0 = self.publish(1), START_S // DAY_S
        ticket = bytes(16), self.node_id, "anna", digest, key, 0, 1, "used", 1, bytes(16), 1
        with self.open() as file, file.change("know a node", {}):
            for table, row in (
                ("nodes", (self.node_id, ROOT, day0, "air", "active")),
                ("technicians", ("anna", bytes(32), bytes(32), "active")),
                ("policies", (digest, key, published)),
                ("tickets", ticket),
                ("grants", (self.node_id, "home", 0)),
            ):
                marks = ", ".join("?" * len(row))
                file.db.execute(f"INSERT INTO {table} VALUES ({marks})", row)

    def send_policy(self, version: int):
        told = self.vault("policy", "--all", "--policy", self.folder / f"{version}.policy")
        assert told["nodes"] == [self.node_id] and told["stores"] == ["home"]
        grant = self.folder / "home.grant"
        self.vault("update", "--to", "home", "-o", grant)
        assert self.ok("keyring", "take", self.home, grant)["known"] == [self.node_id]
        self.send()

    def ask_again(self, store) -> dict:
        told = self.vault("resend", "--from-store", store)
        self.send()
        assert told["unheard"] == []
        return told["nodes"][self.node_id]

    def send(self):
        path = self.folder / "all.commands"
        count = self.vault("commands", "-o", path)["commands"]
        where = ("--broker", "localhost:{1}".format(*self._city.services.broker_at))
        told = self.ok("send", path, *where, "--tls-dir", self._tls, "--name", "sender")
        assert told["sent"] == count > 0


class Story:
    """What happens, at meetings of the conductor."""

    def __init__(self, city, office, folder):
        self._city, self._office = city, office
        self._backup = folder / "backup.sqlite"
        self._pending = [
            (POLICY_S, lambda: office.send_policy(2)), (BACKUP_S, self._back_up),
            (RESTORE_S, self._restore), (RESEND_S, self._resend),
        ]  # fmt: skip

    def play(self):
        if self._pending and self._city.conductor.now_ms >= self._pending[0][0] * 1000:
            self._pending.pop(0)[1]()

    def _back_up(self):
        shutil.copy(self._office.home, self._backup.with_suffix(".json"))
        with (
            contextlib.closing(sqlite3.connect(self._city.store_path)) as db,
            contextlib.closing(sqlite3.connect(self._backup)) as copy,
        ):
            db.backup(copy)

    def _restore(self):
        city = self._city
        city.services.stop_collector()
        self.before = values(city.store_path)
        self.missing = sorted(set(stored(city.store_path)) - set(stored(self._backup)))
        shutil.copy(self._backup, city.store_path)
        shutil.copy(self._backup.with_suffix(".json"), self._office.home)
        city.services.start_collector()

    def _resend(self):
        path = self._city.store_path
        assert not set(self.missing) & set(stored(path))  # nothing comes by itself
        asked = self._office.ask_again(path)
        ((log,),) = rows(path, "SELECT log FROM log")
        assert asked == {"log": log.hex(), "from": self.missing[0]}


def test_a_policy_comes_and_a_store_that_was_set_back_is_whole_again(tmp_path, monkeypatch):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    remember_argon2id(monkeypatch)
    monkeypatch.setattr("simulator.city_folder.new_root", lambda: ROOT)  # the vault knows it
    plan = Plan(
        kits=choose_kits(["air"], None), for_s=END_S, folder=tmp_path / "city", start=START_S,
        broker="mosquitto", roles={"sender": "vault"},
    )  # fmt: skip
    (tmp_path / "office").mkdir()
    with CityRun(plan) as city:
        city.start()
        office, log = Office(tmp_path / "office", city).fill(), []
        city.nodes[0].on_line = log.append
        second = office.publish(2)
        story = Story(city, office, tmp_path)
        assert city.run(story.play), city.trouble()
        newest = city.nodes[0].status["newest"]
        path, counts = city.store_path, city.collector.counts
    assert [line for line in log if "is in force" in line]
    assert len(story.missing) > 20
    assert stored(path) == list(range(1, newest + 1))
    whole = values(path)
    assert set(story.before) < set(whole) and len(set(whole)) == len(whole)
    query = (
        "SELECT digest, min(slot_start_s), max(slot_start_s) FROM value"
        " JOIN policy ON policy.id = value.policy GROUP BY digest"
    )
    spans = {digest: span for digest, *span in rows(path, query)}
    (first,) = set(spans) - {second}
    assert spans[first][1] < MIDNIGHT_S <= spans[second][0]
    assert counts["refused"] == {} and rows(path, "SELECT reason FROM refused") == []
    assert rows(path, "SELECT DISTINCT kind FROM event") == [("new outbox",)]
