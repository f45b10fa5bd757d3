# SPDX-License-Identifier: MIT
"""host_tools/city/store_tells.py: a store that anybody may have made, given to a vault."""

import shutil
import sqlite3

import pytest

from host_tools.city import store_tells
from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.errors import ToolError
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.city_place import City, lamppost
from tests.host_tools.vault_place import argon2id  # noqa: F401

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
LOG = "INSERT INTO log VALUES ('0a1b2c3d4e', x'01020304', 3, '[[1,2],[5,7]]', 1, 1, 9, {heard})"
VALUE = (
    "INSERT INTO value VALUES ('0a1b2c3d4e', 1, {start_s}, 'last', 3600, 'certificate', '', 1, 1,"
    " {serial}, 1)"
)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    return City(tmp_path_factory.mktemp("made")).fill()


@pytest.fixture(scope="module")
def sound(city):
    path = city.folder / "sound.sqlite"
    with Store(path, Keyring(city.home)):
        pass
    change(path, f"{LOG.format(heard=2)}; {VALUE.format(start_s=0, serial=1)};"
                 f"{VALUE.format(start_s=3600, serial=2)};"
                 f"{VALUE.format(start_s=7200, serial='NULL')}")  # fmt: skip
    return path


@pytest.fixture
def store(sound, tmp_path):
    return shutil.copy(sound, tmp_path / "home.sqlite")


def change(path, script: str):
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()


def test_a_sound_one(store):
    assert store_tells.outboxes(store) == {"0a1b2c3d4e": (b"\x01\x02\x03\x04", 3)}
    assert store_tells.certificates(store, 7200) == {"0a1b2c3d4e": (7200, 2)}
    assert store_tells.certificates(store, 7199) == {"0a1b2c3d4e": (3600, 1)}
    assert store_tells.certificates(store, 3599) == {}


@pytest.mark.parametrize("script", [
    "UPDATE log SET node = x'07'", "UPDATE log SET log = 'abcd'", "UPDATE log SET log = x'01'",
    "UPDATE log SET floor = 'x'", "UPDATE log SET floor = 0", "UPDATE log SET floor = 9000000000",
    "UPDATE log SET stored = '[['", "UPDATE log SET stored = '7'", "UPDATE log SET stored = '{}'",
    "UPDATE log SET stored = x'5b5d'||x'ff'", "UPDATE log SET stored = '[[2, 1]]'",
    "UPDATE log SET stored = '[[1, 2.5]]'", "UPDATE log SET stored = '[[1, 2, 3]]'",
    "UPDATE log SET stored = '[[5, 6], [1, 2]]'", "UPDATE log SET stored = '[[1, 1e999]]'",
    f"UPDATE log SET stored = '{'[' * 200_000}'", "DROP TABLE log",
    "UPDATE log SET stored = zeroblob(20000000)",
    "ALTER TABLE log DROP COLUMN heard",
    "ALTER TABLE log ADD COLUMN more GENERATED ALWAYS AS (hex(zeroblob(9000000)))",
    f"DROP TABLE log; CREATE VIEW log AS {ENDLESS} SELECT '0a1b2c3d4e' AS node,"
    " x'01020304' AS log, 1 AS floor, '[]' AS stored, x AS heard FROM c",
])  # fmt: skip
def test_outboxes_that_no_collector_writes(store, script):
    change(store, script)
    with pytest.raises(ToolError, match="it holds what no collector writes") as caught:
        store_tells.outboxes(store)
    assert caught.value.hint and str(store) in caught.value.message


@pytest.mark.parametrize("script", [
    "UPDATE value SET value = 'x'", "UPDATE value SET value = -1",
    "UPDATE value SET value = 65536", "UPDATE value SET window_s = -90000", "DROP TABLE value",
    "UPDATE value SET node = x'00'",
    f"DROP TABLE value; CREATE VIEW value AS {ENDLESS} SELECT '0a1b2c3d4e' AS node,"
    " 'certificate' AS quantity, 'last' AS statistic, 1 AS resolution, x AS slot_start_s,"
    " 1 AS window_s, 1 AS value FROM c",
])  # fmt: skip
def test_certificates_that_no_collector_writes(store, script):
    change(store, script)
    with pytest.raises(ToolError, match="it holds what no collector writes"):
        store_tells.certificates(store, 7200)


def test_a_query_has_an_end(store, monkeypatch):
    monkeypatch.setattr(store_tells, "_STEPS", 0)
    monkeypatch.setattr(store_tells, "_STEPS_PER_BYTE", 0)
    monkeypatch.setattr(store_tells, "_STEPS_AT_ONCE", 1)
    with pytest.raises(ToolError):
        store_tells.outboxes(store)


def test_it_is_read_before_the_vault_is_opened(city, store, monkeypatch):
    change(store, "DROP TABLE log; DROP TABLE value")
    opened = []
    monkeypatch.setattr(SealedFile, "open", lambda *a, **k: opened.append(a))
    for words in (("resend", city.path), ("rotate", city.path, "--done")):
        code, _, err = lamppost("vault", *words, "--from-store", store, *city.opening())
        assert code == 1 and "it holds what no collector writes" in err
    assert opened == []
