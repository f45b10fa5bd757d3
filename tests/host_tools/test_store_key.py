# SPDX-License-Identifier: MIT
"""collector/store_key.py: of grants that are taken at once, the newest counts."""

import json
import multiprocessing
import shutil

from host_tools.collector.keyring import Keyring
from host_tools.collector.store_key import take_grant
from host_tools.errors import ToolError
from tests.host_tools.city_place import City
from tests.host_tools.vault_place import argon2id  # noqa: F401

WAIT_S = 2  # the second is given that long to overtake the first


def _take(keyring, grant, done):
    try:
        take_grant(keyring, grant)
        done.put((grant.name, "taken"))
    except ToolError as err:
        done.put((grant.name, err.message))


def _take_slowly(keyring, grant, done, has_compared, may_go):
    whole = Keyring.take

    def take(self, *arguments):
        has_compared.set()
        may_go.wait(WAIT_S)
        whole(self, *arguments)

    Keyring.take = take
    _take(keyring, grant, done)


def test_an_older_grant_does_not_win_by_being_slow(tmp_path):
    city = City(tmp_path)
    city.fill()
    city.issue(2)
    city.install("24:0a:c4:11:22:33", "24:0a:c4:11:22:34")
    city.take_back()
    older, newer = city.folder / "older.grant", city.folder / "newer.grant"
    shutil.copy(city.keys, older)
    city.ok("keyring", "take", city.home, older)
    (gone, stays) = sorted(city.nodes())
    city.vault("revoke", "node", gone)
    city.vault("update", "--to", "home", "-o", newer)
    fork = multiprocessing.get_context("fork")
    done, has_compared, may_go = fork.Queue(), fork.Event(), fork.Event()
    slow = fork.Process(target=_take_slowly, args=(city.home, older, done, has_compared, may_go))
    fast = fork.Process(target=_take, args=(city.home, newer, done))
    slow.start()
    assert has_compared.wait(30)
    fast.start()
    first = done.get(timeout=30)
    may_go.set()
    told = dict([first, done.get(timeout=30)])
    for process in (slow, fast):
        process.join(30)
    assert Keyring(city.home).node_ids() == [stays]
    assert told["newer.grant"] == "taken"
    with city.open(read_only=True) as file:
        query = "SELECT serial FROM stores WHERE name = 'home'"
        newest = file.db.execute(query).fetchone()[0]
    assert json.loads((city.folder / "home.json.key").read_text())["serial"] == newest


def test_a_keyring_that_is_a_link_forgets_where_it_is(tmp_path):
    """As one that lies on another disk: what was forgotten may not stay there."""
    city = City(tmp_path)
    city.fill()
    city.issue(2)
    city.install("24:0a:c4:11:22:33", "24:0a:c4:11:22:34")
    city.take_back()
    real = tmp_path / "disk" / "ring.json"
    real.parent.mkdir()
    for ending in ("", ".key"):
        path = city.home.with_name(city.home.name + ending)
        if path.exists():
            path.rename(real.with_name(real.name + ending))
    city.home.symlink_to(real)
    city.ok("keyring", "take", city.home, city.keys)
    old = [Keyring(real).node(node).seal for node in Keyring(real).node_ids()]
    assert len(old) == 2
    ring = Keyring(city.home)
    ring.forget_before(dict.fromkeys(ring.node_ids(), 3))
    assert city.home.is_symlink()
    assert not any(seal.hex() in real.read_text() for seal in old)
    assert {Keyring(city.home).node(node).epoch for node in ring.node_ids()} == {3}
    assert json.loads(real.with_name("ring.json.key").read_text())["serial"] > 0
