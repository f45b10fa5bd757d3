# SPDX-License-Identifier: MIT
"""A node, its store and a city's office with its vault, over a mosquitto that runs with the file
which that vault writes, started as its README says: a new policy comes to the store and then to
the node, and is in force from midnight on; a store that is set back to a backup gets again what
the node still holds."""

import shutil

import cbor2

from host_tools.city.vault_keys import authority_of
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.signed import PublishedPolicy
from simulator.city_folder import COLLECTOR
from simulator.city_run import CityRun, Plan, choose_kits
from tests.host_tools.city_broker import city_broker
from tests.host_tools.city_place import City, published
from tests.host_tools.vault_place import Place, remember_argon2id
from tests.simulated_node.test_resend import back_up, rows, stored, values

DAY_S = 86_400
START_S = 1_780_000_000 // DAY_S * DAY_S + 20 * 3600
MIDNIGHT_S = START_S // DAY_S * DAY_S + DAY_S
POLICY_S, BACKUP_S, RESTORE_S, RESEND_S, END_S = 1800, 7200, 16_200, 17_400, 19_800
NODE, ROOT = "0123456789", bytes(range(32))


class Office(City):
    """The vault, which knows the simulated city's node as if it had issued it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.tls, self.simulated = folder / "tls", None
        self.home = folder.parent / "city" / "keyring.json"

    def fill(self):
        """Before the simulated city: its authority, its broker's files, its node's name."""
        Place.fill(self)
        (self.folder / "any.key").write_bytes(published()[1])
        self._set_up(self.folder / "any.key")
        with self.open() as file:
            authority_of(file).save(self.tls, "ca")  # which makes the simulated city's
            with file.change("know a node", {}):
                row = NODE, ROOT, START_S // DAY_S, "air", "active"
                file.db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
        self._add_store(self.folder / "first.json")  # whose collector the simulated city has
        for name, role, more, target in (
            ("broker", "broker", ("--host", "localhost"), self.folder / "broker"),
            ("sender", "vault", (), self.tls),
            (COLLECTOR, "collector", ("--store", "first"), self.tls),
        ):  # fmt: skip
            self.vault("certificate", name, "--role", role, *more, "-o", target)
        return self

    def _set_up(self, policy_key):
        self.vault("setup", "--name", "office", "--broker", "localhost:8883", "--sntp", "time",
                   "--policy-key", policy_key, "-o", self.folder / "city.office")  # fmt: skip

    def _add_store(self, keyring, name="first"):
        card = self.folder / f"{name}.card"
        self.ok("keyring", "init", keyring, "--name", name, "--office",
                self.folder / "city.office", "-o", card)  # fmt: skip
        self.vault("store", "add", card)

    def meet(self, simulated):
        """The simulated city is there: its policy key, its store."""
        self.simulated = simulated
        self._set_up(simulated.plan.folder / "signer")
        self._add_store(self.home, "home")
        self._know_the_ticket(self.publish(1))

    def publish(self, version: int):
        """Its kit's policy as this version, in VERSION.policy."""
        compiled = compile_policy(choose_kits(["air"], None)[0].policy_path)
        fields = cbor2.loads(compiled.rules)
        fields[2] = version
        rules = cbor2.dumps(fields, canonical=True)
        signature = self.simulated.folder.sign(rules)[len(rules) :]
        published = PublishedPolicy(rules, compiled.terms, signature)
        (self.folder / f"{version}.policy").write_bytes(published.encode())
        return published.policy().digest

    def _know_the_ticket(self, digest: bytes):
        key = (self.simulated.plan.folder / "signer" / "policy.key").read_bytes()
        policy = (self.folder / "1.policy").read_bytes()
        ticket = bytes(16), NODE, "anna", digest, key, 0, 1, "used", 1, bytes(16), 1
        with self.open() as file, file.change("know a ticket", {}):
            for table, row in (
                ("technicians", ("anna", bytes(32), bytes(32), "active")),
                ("policies", (digest, key, policy)),
                ("tickets", ticket),
                ("grants", (NODE, "home", 0)),
            ):
                marks = ", ".join("?" * len(row))
                file.db.execute(f"INSERT INTO {table} VALUES ({marks})", row)

    def send_policy(self, version: int):
        told = self.vault("policy", "--all", "--policy", self.folder / f"{version}.policy")
        assert told["nodes"] == [NODE] and told["stores"] == ["home"]
        grant = self.folder / "home.grant"
        self.vault("update", "--to", "home", "-o", grant)
        assert self.ok("keyring", "take", self.home, grant)["known"] == [NODE]
        self.send()

    def ask_again(self, store) -> dict:
        told = self.vault("resend", "--from-store", store)
        self.send()
        assert told["unheard"] == []
        return told["nodes"][NODE]

    def send(self):
        path = self.folder / "all.commands"
        count = self.vault("commands", "-o", path)["commands"]
        where = ("--broker", "localhost:{1}".format(*self.simulated.services.broker_at))
        told = self.ok("send", path, *where, "--tls-dir", self.tls, "--name", "sender")
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
        back_up(self._city.store_path, self._office.home, self._backup)

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
    remember_argon2id(monkeypatch)
    monkeypatch.setattr("simulator.city_folder.new_root", lambda: ROOT)  # the vault knows it
    monkeypatch.setattr("simulator.city_folder.new_node_id", lambda: NODE)
    (tmp_path / "office").mkdir()
    office, log = Office(tmp_path / "office").fill(), []
    with city_broker(office) as (_, port):
        plan = Plan(
            kits=choose_kits(["air"], None), for_s=END_S, folder=tmp_path / "city",
            start=START_S, broker=f"localhost:{port}", tls_dir=office.tls,
            interpreter="micropython",
        )  # fmt: skip
        with CityRun(plan) as city:
            city.start()
            office.meet(city)
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
