# SPDX-License-Identifier: MIT
"""The whole loop after a disaster: store and keyring are set back to an older backup, the vault's
command has the node send again what it still holds, and every record is there again, once."""

import contextlib
import shutil
import sqlite3

from host_tools.collector.keyring import Keyring
from host_tools.provisioning.command import resend
from host_tools.provisioning.ticket import make_ticket
from simulator.city_run import CityRun, Plan, choose_kits
from tests.simulated_node.vault_sends import vault_sends

DAY_S = 86_400
START_S = 1_780_000_000 // DAY_S * DAY_S + 20 * 3600  # midnight is four hours later
BACKUP_S, RESTORE_S, COMMAND_S, END_S = 7200, 16_200, 17_400, 19_800
ROOT = bytes(range(32))


def rows(path, query):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def stored(path):
    return [row[0] for row in rows(path, "SELECT number FROM envelope ORDER BY number")]


def values(path):
    query = "SELECT * FROM value ORDER BY node, stream, slot_start_s, statistic"
    return rows(path, query)


def back_up(store, keyring, target):
    """Both are copied while a collector may write: to `target`, and beside it with .json."""
    shutil.copy(keyring, target.with_suffix(".json"))
    with (
        contextlib.closing(sqlite3.connect(store)) as db,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        db.backup(copy)


class Disaster:
    """What happens to the city's store, at meetings of the conductor."""

    def __init__(self, city, folder):
        self._city = city
        self._backup = folder / "backup.sqlite"
        self._pending = [
            (BACKUP_S, self._back_up), (RESTORE_S, self._restore), (COMMAND_S, self._command),
        ]  # fmt: skip
        self.missing = []  # numbers that only the node still has

    def play(self):
        if self._pending and self._city.conductor.now_ms >= self._pending[0][0] * 1000:
            self._pending.pop(0)[1]()

    @property
    def _keyring(self):
        return self._city.plan.folder / "keyring.json"

    def _back_up(self):
        back_up(self._city.store_path, self._keyring, self._backup)

    def _restore(self):
        city = self._city
        city.services.stop_collector()
        self.before = values(city.store_path)
        self.missing = sorted(set(stored(city.store_path)) - set(stored(self._backup)))
        assert len(self.missing) > 20
        assert Keyring(self._keyring).node(city.nodes[0].node_id).epoch == 1
        shutil.copy(self._backup, city.store_path)
        shutil.copy(self._backup.with_suffix(".json"), self._keyring)
        city.services.start_collector()

    def _command(self):
        """The vault's: nothing has come back without it."""
        city, node_id = self._city, self._city.nodes[0].node_id
        assert not set(self.missing) & set(stored(city.store_path))
        ((log,),) = rows(city.store_path, "SELECT log FROM log")
        key = make_ticket(ROOT, node_id, START_S // DAY_S).command
        message = resend(key, node_id, 1, log, self.missing[0])
        vault_sends(city, node_id, [message])


def test_a_store_set_back_gets_every_record_again(tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.city_folder.new_root", lambda: ROOT)  # the vault knows it
    plan = Plan(
        kits=choose_kits(("air",), None), for_s=END_S, folder=tmp_path / "city", start=START_S,
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        disaster = Disaster(city, tmp_path)
        assert city.run(disaster.play), city.trouble()
        newest = city.nodes[0].status["newest"]
        assert city.collector.settled[city.nodes[0].node_id] == newest
        path = city.store_path
        counts = city.collector.counts
    assert len(disaster.missing) > 20
    assert stored(path) == list(range(1, newest + 1))
    whole = values(path)
    assert len(set(whole)) == len(whole) > len(disaster.before)
    assert set(disaster.before) < set(whole), "a record has another value than before"
    assert counts["refused"] == {}
    assert rows(path, "SELECT reason FROM refused") == []
    assert rows(path, "SELECT DISTINCT kind FROM event") == [("new outbox",)]
