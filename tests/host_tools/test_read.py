# SPDX-License-Identifier: MIT
"""`lamppost read` and the command line around it: results on stdout, trouble in two lines on
stderr, exit codes 0, 1 and 2."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import time

import pytest

from host_tools.cli import run
from host_tools.collector.events import KINDS
from host_tools.collector.keyring import Keyring
from host_tools.collector.read_store import Series, StoreReader
from host_tools.collector.store import Store
from host_tools.commands.read import sparkline
from host_tools.provisioning.ticket import make_ticket
from host_tools.state_folder import newest_store, stores_folder
from host_tools.times import iso
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import masked, policy, stream, with_version

NODE, OTHER = "0123456789", "abcdefghjk"
ROOT = bytes(range(32))
DAY0 = 20_500
NOW = DAY0 * 86_400 + 43_200
DAY_S = 86_400
LINES = (
    stream(1, "co2_ppm", 300, ["mean", "count"], 10, 350, 5000),
    stream(2, "temperature_mc", 300, ["mean"], 100, -40_000, 60_000),
)
POLICY, TERMS = policy(*LINES, keep_days={1: 2, 2: 365})


@pytest.fixture
def path(tmp_path):
    """A store of one hour of two nodes; of the second, number 3 is lost."""
    keyring = Keyring(tmp_path / "keyring.json")
    batch = []
    for node_id in (NODE, OTHER):
        keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
        node = ref.ReferenceNode(ROOT, node_id, DAY0, POLICY)
        for n in range(1, 13):
            slot = NOW // 300 + n - 1
            node.floor = 1 if n < 6 or node_id == NODE else 4
            records = [[1, slot, 40 + n, 10], [2, slot, None if n == 5 else -5 - n]]
            message = node.seal(records, NOW + n * 300)
            if (n, node_id) != (3, OTHER):
                batch.append((node.topic, message))
    with Store(tmp_path / "a.sqlite", keyring) as store:
        store.take_batch(batch, NOW + 3600)
        store.take_batch([(f"lp/{OTHER}/up", b"noise"), ("nonsense", b"")], NOW + 7200)
    return tmp_path / "a.sqlite"


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def lamppost(capsys):
    def call(*words):
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def refused(result, code, *words):
    """Exit code, nothing on stdout, and two lines on stderr with these words."""
    assert (result[0], result[1]) == (code, "")
    lines = result[2].splitlines()
    assert len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("hint: ")
    for word in words:
        assert word in result[2]


# what is shown


def test_the_table(lamppost, path):
    code, out, err = lamppost("read", "--store", path)
    assert (code, err) == (0, f"{path}\n")
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"{NODE}  12 envelopes  last {iso(NOW + 3600)[:16].replace('T', ' ')} UTC"
    assert "1 lost  1 refused" in out
    began = iso(NOW + 11 * 300)[:16].replace("T", " ").split()
    assert lines[2].split() == ["co2_ppm", "mean", "520", "ppm", *began, "▁▁▂▂▃▄▄▅▆▆▇█"]
    assert lines[3].split() == ["count", "10", "samples", *began, "▁" * 12]
    cold = next(line for line in lines if "temperature_mc" in line).split()
    assert cold[1:4] == ["mean", "-1.7", "°C"] and cold[-1][4] == "·" and cold[-1][0] == "█"


def test_csv(lamppost, path):
    code, out, _ = lamppost("read", "--store", path, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and len(rows) == 3 * (12 + 11)
    assert rows[0] == {
        "node": NODE, "stream": "1", "quantity": "co2_ppm", "statistic": "mean",
        "unit": "ppm", "slot_start": iso(NOW), "window_s": "300", "value": "410",
    }  # fmt: skip
    values = [r["value"] for r in rows if r["quantity"] == "temperature_mc" and r["node"] == NODE]
    assert values[:6] == ["-0.6", "-0.7", "-0.8", "-0.9", "", "-1.1"]


def test_json(lamppost, path):
    code, out, _ = lamppost("read", "--store", path, "--json")
    content = json.loads(out)
    assert code == 0 and content["store"] == str(path)
    assert content["nodes"][1] == {
        "node": OTHER, "opened": 11, "duplicates": 0, "refused": 1, "kept_sealed": 0, "lost": 1,
        "lost_numbers": [[3, 3]], "heard": iso(NOW + 3600),
    }  # fmt: skip
    values = [v["value"] for v in content["values"] if v["quantity"] == "temperature_mc"]
    assert values[3:6] == [-0.9, None, -1.1]
    assert {type(v["value"]) for v in content["values"] if v["statistic"] == "count"} == {int}


def test_choices(lamppost, path):
    def rows(*words):
        code, out, err = lamppost("read", "--store", path, "--csv", *words)
        assert code == 0, err
        return list(csv.DictReader(io.StringIO(out)))

    assert {row["node"] for row in rows("--node", OTHER)} == {OTHER}
    assert {row["quantity"] for row in rows("--quantity", "co2_ppm")} == {"co2_ppm"}
    both = rows("--quantity", "co2_ppm", "--quantity", "temperature_mc")
    assert {row["quantity"] for row in both} == {"co2_ppm", "temperature_mc"}
    expected = {iso(NOW + 10 * 300), iso(NOW + 11 * 300)}
    for since in ("10m", "600s", iso(NOW + 10 * 300), iso(NOW + 9 * 300 + 1)[:-1]):
        assert {row["slot_start"] for row in rows("--since", since)} == expected
    assert len(rows("--since", "1d")) == len(rows("--since", "24h")) == len(rows())


def test_refused_and_events(lamppost, path):
    code, out, _ = lamppost("read", "--store", path, "--refused")
    assert code == 0 and f"lp/{OTHER}/up" in out and "not an envelope" in out
    _, out, _ = lamppost("read", "--store", path, "--refused", "--json", "--node", OTHER)
    assert json.loads(out)["refused"] == [{
        "time": iso(NOW + 7200), "node": OTHER, "topic": f"lp/{OTHER}/up",
        "reason": "not an envelope", "size": 5,
    }]  # fmt: skip
    _, out, _ = lamppost("read", "--store", path, "--events", "--csv")
    row = next(row for row in csv.DictReader(io.StringIO(out)) if row["kind"] == "lost")
    meaning = row.pop("meaning")
    assert row == {"time": iso(NOW + 3600), "node": OTHER, "kind": "lost", "detail": "4c4f4730 3"}
    assert "its outbox was full" in meaning
    _, out, _ = lamppost("read", "--store", path, "--events", "--json")
    events = json.loads(out)["events"]
    assert [event["kind"] for event in events] == ["new outbox", "new outbox", "lost"]
    assert events[2] == {**row, "meaning": meaning}
    _, out, err = lamppost("read", "--store", path, "--events", "--since", "2030-01-01")
    assert out == "" and "no events" in err


def test_every_event_in_words(lamppost, tmp_path):
    """Each kind that a store tells of is played, and read as a table, as CSV and as JSON."""
    keyring = Keyring(tmp_path / "keyring.json")
    keyring.add_node(make_ticket(ROOT, NODE, DAY0), POLICY, TERMS)
    higher, unknown = with_version(POLICY, 2), with_version(POLICY, 3)
    ending, ending_terms = policy(*LINES, version=4, days=(0, DAY0 + 29), keep_days=1)
    keyring.add_policy(NODE, higher, TERMS)
    keyring.add_policy(NODE, ending, ending_terms)
    hiding, hiding_terms = policy(masked(7, "energy_mwh", 300, ["count"], 1, 0, 9), version=5)
    keyring.add_policy(NODE, hiding, hiding_terms)
    node = ref.ReferenceNode(ROOT, NODE, DAY0, POLICY)

    def sealed(number, policy=POLICY, floor=1, instant_s=None, epoch=0):
        node.number, node.policy, node.floor, node.epoch = number - 1, policy, floor, epoch
        instant_s = instant_s or NOW + number * 300
        return node.topic, node.seal(node.due(instant_s, 40), instant_s)

    def hidden(number, c):
        node.number, node.policy, slot = number - 1, hiding, NOW // 300 - 1
        return node.topic, node.seal([[7, slot, slot, c * 8]], NOW)

    def full_disk():
        raise sqlite3.OperationalError("database or disk is full")

    early = sealed(2)
    batches = [
        [sealed(1), sealed(6, floor=5)],  # a new outbox; 2 to 4 are lost
        [early],  # found
        [sealed(6, instant_s=NOW + 3000)],  # other bytes
        [sealed(7, instant_s=NOW + 300)],  # the slot came again
        [sealed(8, higher), sealed(9)],  # policy lowered
        [sealed(9, unknown)],  # kept sealed
        [sealed(9, ending, instant_s=NOW)],  # the policy ends
        [hidden(12, b"1"), hidden(13, b"2")],  # masked ranges overlap
    ]
    with Store(tmp_path / "a.sqlite", keyring) as store:
        for at, batch in enumerate(batches):
            store.take_batch(batch, NOW + 3600 + at)
        store.take_batch([sealed(10, ending)], NOW + 3 * DAY_S)  # too late
        store.delete_expired(NOW + 3 * DAY_S)
        store._file.rewrite = full_disk
        store.delete_expired(NOW + 401 * DAY_S)
        keyring.forget_before({NODE: 1})
        store.take_batch([sealed(11)], NOW + 402 * DAY_S)
    expected = [
        ("new outbox", "4c4f4730"), ("lost", "4c4f4730 2–4"), ("found", "4c4f4730 2"),
        ("other bytes", "4c4f4730 6"), ("slot came again", "4c4f4730 7"),
        ("policy lowered", "2 to 1"), ("kept sealed", "unknown policy"),
        ("policy ends", "4 2026-03-17"), ("masked ranges overlap", "4c4f4730 13"),
        ("came too late", "4c4f4730"),
        ("deleted", "2026-02-19 1 10"), ("deleted", "2026-02-19 2 1"),
        ("deleted", "2027-03-24 2 4"), ("deleted", "2027-03-24 7 2"),
        ("deleted sealed", "2027-03-24 1"), ("not rewritten", "2027-03-24"),
        ("epoch forgotten", "epoch 0"),
    ]  # fmt: skip
    assert {kind for kind, _ in expected} == set(KINDS)
    words = ("read", "--store", tmp_path / "a.sqlite", "--events")
    _, out, _ = lamppost(*words, "--json")
    told = json.loads(out)["events"]
    assert [(event["kind"], event["detail"]) for event in told] == expected
    assert all(len(event["meaning"]) > 40 for event in told)
    _, out, _ = lamppost(*words, "--csv")
    assert list(csv.DictReader(io.StringIO(out))) == told
    code, out, _ = lamppost(*words)
    text = " ".join(out.split())
    assert code == 0
    for phrase in (
        "new outbox: outbox 4c4f4730", "lost: outbox 4c4f4730, envelopes 2–4",
        "found: outbox 4c4f4730, envelope 2", "other bytes: outbox 4c4f4730, envelope 6",
        "policy lowered: from version 2 to 1", "kept sealed: unknown policy",
        "epoch forgotten: epoch 0", "Two boards may have the same keys",
        "add the rules and terms of that one", "policy ends: version 4, last day 2026-03-17",
        "all deleted: 10 values of stream 1 on 2026-02-19",
        "deleted sealed: 1 envelopes on 2027-03-24",
        "masked ranges overlap: outbox 4c4f4730, envelope 13", "the first stays",
    ):  # fmt: skip
        assert phrase in text, phrase


# masked streams


def test_masked_streams_are_named_and_their_values_are_not_shown(lamppost, tmp_path):
    rules, terms = policy(masked(7, "energy_mwh", 300, ["count"], 1, 0, 9), version=2)
    keyring = Keyring(tmp_path / "keyring.json")
    keyring.add_node(make_ticket(ROOT, NODE, DAY0), rules, terms)
    node = ref.ReferenceNode(ROOT, NODE, DAY0, rules)
    slot = NOW // 300 - 1
    with Store(tmp_path / "m.sqlite", keyring) as store:
        store.take_batch([(node.topic, node.seal([[7, slot, slot, b"eightish"]], NOW))], NOW)
    words = ("read", "--store", tmp_path / "m.sqlite")
    code, out, _ = lamppost(*words)
    assert code == 0
    assert "energy_mwh: 1 masked values; see `lamppost sum`" in out and "eightish" not in out
    _, out, _ = lamppost(*words, "--json", "--quantity", "energy_mwh")
    content = json.loads(out)
    assert content["values"] == []
    assert content["masked"] == [{
        "node": NODE, "stream": 7, "quantity": "energy_mwh", "policy": "test", "version": 2,
        "values": 1,
    }]  # fmt: skip
    refused(lamppost(*words, "--quantity", "co2_ppm"), 1, "there are energy_mwh")
    _, out, _ = lamppost(*words, "--retention", "--json")
    (held,) = json.loads(out)["retention"]
    assert (held["stream"], held["values"], held["oldest"]) == (7, 1, iso(slot * 300))
    assert held["goes"] == iso(NOW + 365 * DAY_S)


# what is kept, for how long, and why


def test_retention(lamppost, path):
    words = ("read", "--store", path, "--retention")
    code, out, err = lamppost(*words)
    assert (code, err) == (0, f"{path}\n")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    text = " ".join(out.split())
    oldest, goes = (iso(at)[:10] for at in (NOW, NOW + 300 + 2 * DAY_S))
    assert f"{NODE} 1 co2_ppm 24 {oldest} 2 days {goes}" in text
    assert f"{OTHER} 1 co2_ppm 22 {oldest} 2 days {goes}" in text
    assert "test version 1, streams 1 and 2: dpv:PublicBenefit, eu-gdpr:A6-1-e" in text
    code, out, _ = lamppost(*words, "--json")
    held = json.loads(out)["retention"]
    assert code == 0 and len(held) == 4
    assert held[1] == {
        "node": NODE, "stream": 2, "quantity": "temperature_mc", "policy": "test", "version": 1,
        "values": 12, "oldest": iso(NOW), "retention_days": 365,
        "goes": iso(NOW + 300 + 365 * DAY_S), "purpose": "dpv:PublicBenefit",
        "legal_basis": "eu-gdpr:A6-1-e",
    }  # fmt: skip
    _, out, _ = lamppost(*words, "--csv", "--node", OTHER, "--quantity", "co2_ppm")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row == {key: str(value) for key, value in held[2].items()}


def test_retention_is_by_policy_and_goes_with_the_values(lamppost, path):
    keyring = Keyring(path.with_name("keyring.json"))
    later, later_terms = policy(*LINES, id="later", version=2, keep_days=9)
    keyring.add_policy(NODE, later, later_terms)
    node = ref.ReferenceNode(ROOT, NODE, DAY0, later)
    node.number = 12
    words = ("read", "--store", path, "--retention")
    with Store(path, keyring) as store:
        store.take_batch([(node.topic, node.seal(node.due(NOW + 7200, 40), NOW + 7200))], NOW)
        _, out, _ = lamppost(*words, "--json", "--node", NODE, "--quantity", "co2_ppm")
        held = [(one["policy"], one["values"]) for one in json.loads(out)["retention"]]
        assert held == [("test", 24), ("later", 2)]
        store.delete_expired(NOW + 2 * DAY_S + 601)  # two windows have gone
        _, out, _ = lamppost(*words, "--json", "--node", NODE, "--quantity", "co2_ppm")
        held = [(one["values"], one["oldest"]) for one in json.loads(out)["retention"]]
        assert held == [(20, iso(NOW + 600)), (2, iso(NOW + 6900))]
        store.delete_expired(NOW + 400 * DAY_S)
    code, out, err = lamppost(*words)
    assert (code, out) == (0, "") and "no values are held" in err
    # nothing of it makes the store look empty, or the envelopes lost
    code, out, _ = lamppost("read", "--store", path)
    assert code == 0 and f"{NODE}  13 envelopes" in out and "nothing to show" in out


def test_retention_has_no_since(lamppost, path):
    refused(lamppost("read", "--store", path, "--retention", "--since", "1d"), 2, "--since")


@pytest.mark.parametrize("two", [
    ("--retention", "--events"), ("--events", "--refused"), ("--refused", "--retention"),
])  # fmt: skip
def test_two_answers_at_once_are_refused(lamppost, path, two):
    code, out, err = lamppost("read", "--store", path, *two)
    assert (code, out) == (2, "") and "do not go together" in err


def test_the_newest_store_is_read(lamppost, path):
    stores_folder().mkdir(parents=True)
    for name, age_s in (("old", 100), ("new", 10), ("older", 1000)):
        copy = stores_folder() / f"{name}.sqlite"
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (time.time() - age_s,) * 2)
    assert newest_store().name == "new.sqlite"
    log = stores_folder() / "older.sqlite-wal"
    log.touch()  # what was committed last lies beside it
    assert newest_store().name == "older.sqlite"
    log.unlink()
    code, _, err = lamppost("read")
    assert code == 0 and "new.sqlite" in err


def test_while_a_collector_writes(lamppost, path):
    with Store(path, Keyring(path.with_name("keyring.json"))) as store:
        store._db.execute("BEGIN IMMEDIATE")
        assert lamppost("read", "--store", path)[0] == 0
        store._db.execute("ROLLBACK")


def test_reading_changes_nothing(path):
    before = path.read_bytes()
    with StoreReader(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM value")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "scale", "resolution", "text"),
    [
        (20_100, 1000, 100, "20.1"), (-500, 1000, 100, "-0.5"), (0, 1000, 100, "0.0"),
        (20_000, 1000, 1000, "20"), (-99, 1000, 1, "-0.099"), (101_310, 100, 10, "1013.1"),
        (12, 1, 1, "12"), (None, 1, 1, ""), (2500, 1000, 2500, "2.5"), (250, 1000, 250, "0.25"),
    ],
)  # fmt: skip
def test_digits_follow_the_resolution(value, scale, resolution, text):
    assert Series("", 1, "", "", 1, "", scale, resolution, []).shown(value) == text


def test_sparklines():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([3, None, 3]) == "▁·▁"
    assert sparkline([300, 200, 300], 100) == "▂▁▂"
    assert sparkline([None, None]) == "··"
    assert sparkline([]) == ""
    assert len(sparkline(list(range(100)))) == 24


# what is wrong


def test_bad_paths(lamppost, tmp_path, path):
    refused(lamppost("read"), 1, "there is no store in", "lamppost demo")
    refused(lamppost("read", "--store", tmp_path / "no.sqlite"), 1, "no such store")
    refused(lamppost("read", "--store", tmp_path), 1, "no such store")
    (tmp_path / "text").write_text("not a store\n" * 100)
    refused(lamppost("read", "--store", tmp_path / "text"), 1, "is not a store")
    (tmp_path / "nothing").touch()
    refused(lamppost("read", "--store", tmp_path / "nothing"), 1, "is not a store")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    refused(lamppost("read", "--store", path), 1, "a store of version 99")


def test_an_empty_store(lamppost, tmp_path):
    Store(tmp_path / "b.sqlite", Keyring(tmp_path / "k.json")).close()
    refused(lamppost("read", "--store", tmp_path / "b.sqlite"), 1, "the store is empty")
    code, out, err = lamppost("read", "--store", tmp_path / "b.sqlite", "--refused")
    assert (code, out) == (0, "") and "nothing refused" in err


def test_bad_choices(lamppost, path):
    store = ("read", "--store", path)
    refused(lamppost(*store, "--node", "zzz"), 1, "no node 'zzz'", NODE)
    refused(lamppost(*store, "--quantity", "co2"), 1, "no quantity 'co2'", "co2_ppm")
    for since in ("yesterday", "2h30m", "-1h", "2026-13-01", "", "99999999999d"):
        refused(lamppost(*store, "--since", since), 2, "--since", "30m, 2h, 1d")


def test_bad_usage(lamppost):
    refused(lamppost("read", "--colour"), 2, "--colour", "lamppost read --help")
    refused(lamppost("raed"), 2, "raed", "lamppost --help")
    refused(lamppost("read", "surplus"), 2, "surplus")
    refused(lamppost("read", "--store"), 2, "--store")


def test_help(lamppost):
    for words in ((), ("--help",), ("read", "--help"), ("read", "-h")):
        code, out, err = lamppost(*words)
        assert code == (2 if not words else 0)
        assert "Usage" in out + err
    assert "--since" in lamppost("read", "--help")[1]
    assert lamppost("--version")[1].startswith("lamppost ")


def test_help_imports_no_verb():
    script = (
        "import sys; from host_tools.cli import run; run(['--help']);"
        "print([m for m in sys.modules if m.startswith(('host_tools.', 'cryptography', 'paho'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    modules = eval(done.stdout.splitlines()[-1])
    names = ("cli", "console", "errors", "verbs")
    assert set(modules) == {f"host_tools.{name}" for name in names}


def test_a_reader_that_has_seen_enough(path):
    command = [sys.executable, "-m", "host_tools.cli", "read", "--store", str(path), "--csv"]
    with sqlite3.connect(path) as db:  # more than a pipe holds
        db.executemany(
            "INSERT INTO value VALUES (?, 1, ?, 'mean', 300, 'co2_ppm', 'ppm', 1, 10, 1, 1)",
            [(NODE, n) for n in range(5000)],
        )
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    for words, lines in (((), 1), (("--since", "5m"), 0)):
        with subprocess.Popen(
            command + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered
        ) as process:
            for _ in range(lines):
                process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 1
