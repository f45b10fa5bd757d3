# SPDX-License-Identifier: MIT
"""host_tools/collector/retention.py: a store keeps each value as long as the policy says under
which it came, then it is gone from the files, and nothing else has changed."""

import contextlib
import hashlib
import random
import sqlite3
import struct
import threading

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import policy, stream

NODE, OTHER = "0123456789", "abcdefghjk"
ROOT = bytes(range(32))
DAY0, DAY_S = 20_500, 86_400
START_S = DAY0 * DAY_S
LINES = [
    stream(1, "co2_ppm", 300, ["mean", "count"], 10, 350, 5000),
    stream(2, "temperature_mc", 900, ["mean"], 100, -40_000, 60_000),
]
POLICY, TERMS = policy(*LINES, keep_days={1: 2, 2: 5})
SHORTER, SHORTER_TERMS = policy(*LINES, version=2, keep_days=1)
BIG = 0x1122334455660000  # eight bytes that nothing else has
MARKED, MARKED_TERMS = policy(
    stream(1, "co2_ppm", 300, ["last"], 1, 0, 2**62), id="marked", keep_days=1
)


@pytest.fixture
def keyring(tmp_path):
    keyring = Keyring(tmp_path / "keyring.json")
    for node_id in (NODE, OTHER):
        keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
        keyring.add_policy(node_id, SHORTER, SHORTER_TERMS)
        keyring.add_policy(node_id, MARKED, MARKED_TERMS)
    return keyring


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sqlite"


@pytest.fixture
def store(path, keyring):
    with Store(path, keyring) as store:
        yield store


def node(node_id=NODE, rules=POLICY):
    return ref.ReferenceNode(ROOT, node_id, DAY0, rules)


def sealed(sender, count, first=1):
    """What a node sends in `count` windows of 5 minutes."""
    instants = [START_S + n * 300 for n in range(first, first + count)]
    return [(sender.topic, sender.seal(sender.due(at, 40), at)) for at in instants]


def rows(path, query):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def slots(path, number):
    query = f"SELECT slot_start_s FROM value WHERE stream = {number} AND statistic = 'mean'"
    return sorted(row[0] - START_S for row in rows(path, query))


def told(path, *kinds):
    events = rows(path, "SELECT node, kind, detail FROM event ORDER BY id")
    return [event for event in events if event[1] in kinds]


def test_each_stream_for_its_days_and_not_a_second_longer(store, path):
    store.take_batch(sealed(node(), 6), START_S + 1800)
    end_s = START_S + 2 * DAY_S + 300  # of the first window's two days
    store.delete_expired(end_s)
    assert slots(path, 1) == [0, 300, 600, 900, 1200, 1500]
    store.delete_expired(end_s + 1)
    assert slots(path, 1) == [300, 600, 900, 1200, 1500]
    store.delete_expired(end_s + 600)
    assert slots(path, 1) == [600, 900, 1200, 1500]
    store.delete_expired(START_S + 5 * DAY_S + 900)
    assert (slots(path, 1), slots(path, 2)) == ([], [0, 900])
    store.delete_expired(START_S + 5 * DAY_S + 901)
    assert slots(path, 2) == [900]
    store.delete_expired(START_S + 9 * DAY_S)
    assert rows(path, "SELECT count(*) FROM value") == [(0,)]


def test_each_value_as_long_as_the_policy_says_under_which_it_came(store, path):
    sender = node()
    store.take_batch(sealed(sender, 2), START_S + 900)
    sender.policy = SHORTER
    store.take_batch(sealed(sender, 2, 3), START_S + 1800)
    assert rows(path, "SELECT rules, terms FROM policy ORDER BY id") == [
        (POLICY, TERMS), (SHORTER, SHORTER_TERMS)
    ]  # fmt: skip
    store.delete_expired(START_S + DAY_S + 1800)
    assert slots(path, 1) == [0, 300]
    store.delete_expired(START_S + 3 * DAY_S)
    assert slots(path, 1) == []


def test_a_policy_that_the_keyring_has_lost_still_rules_its_values(store, path, keyring):
    store.take_batch(sealed(node(), 1), START_S + 900)
    keyring.path.unlink()
    with Store(path, Keyring(keyring.path)) as bare:
        bare.delete_expired(START_S + 9 * DAY_S)
    assert slots(path, 1) == []


def test_numbers_stay_settled_and_what_comes_twice_is_known(store, path):
    sender = node()
    batch = sealed(sender, 6)
    late = batch.pop(3)
    store.take_batch(batch, START_S + 1800)
    logs = store.logs()
    assert [(log.upto, log.ranges) for log in logs] == [(3, [[5, 6]])]
    envelopes = rows(path, "SELECT * FROM envelope")
    store.delete_expired(START_S + 9 * DAY_S)
    assert store.logs() == logs and rows(path, "SELECT * FROM envelope") == envelopes
    result = store.take_batch(batch, START_S + 9 * DAY_S)
    assert (result.opened, result.duplicates, result.logs) == ({}, {NODE: 5}, logs)
    assert rows(path, "SELECT * FROM value") == []
    # what comes only now is receipted, and not stored
    result = store.take_batch([late], START_S + 9 * DAY_S)
    assert [(log.upto, log.ranges) for log in result.logs] == [(6, [])]
    assert (result.opened, result.refused) == ({NODE: 1}, {})
    assert rows(path, "SELECT * FROM value") == []
    assert told(path, "lost", "came too late") == [(NODE, "came too late", "4c4f4730")]


def test_of_an_envelope_that_comes_late_what_may_still_be_kept_is_stored(store, path):
    batch = sealed(node(), 3)
    store.take_batch(batch[2:], START_S + 3 * DAY_S)  # its streams 1 and 2, of 2 and 5 days
    assert (slots(path, 1), slots(path, 2)) == ([], [0])


def test_the_events_of_a_day_are_one_for_each_stream(store, path):
    for node_id in (NODE, OTHER):
        store.take_batch(sealed(node(node_id), 6), START_S + 1800)
    assert told(path, "deleted") == []
    noon = START_S + 2 * DAY_S
    for now_s in (noon + 301, noon + 301, noon + 901, noon + 3600, noon + 7200):
        store.delete_expired(now_s)
    assert told(path, "deleted") == [("", "deleted", "2026-02-18 1 24")]  # 2 nodes, 2 statistics
    store.delete_expired(START_S + 6 * DAY_S)
    assert told(path, "deleted")[1:] == [("", "deleted", "2026-02-22 2 4")]


def test_what_is_sealed_goes_after_400_days(store, path):
    unknown, _ = policy(*LINES, version=9)
    store.take_batch(sealed(node(rules=unknown), 2), START_S + 900)
    store.take_batch(sealed(node(OTHER, unknown), 1), START_S + 900 + DAY_S)
    message = sealed(node(rules=unknown), 1)[0][1]
    assert message in everything(path)
    store.delete_expired(START_S + 900 + 400 * DAY_S)
    assert rows(path, "SELECT count(*) FROM sealed") == [(3,)]
    store.delete_expired(START_S + 901 + 400 * DAY_S)
    assert rows(path, "SELECT node FROM sealed") == [(OTHER,)]
    assert message not in everything(path)
    assert told(path, "deleted sealed") == [(NODE, "deleted sealed", "2027-03-23 2")]
    assert [log.upto for log in store.logs()] == []  # nothing of it was ever receipted


# the bytes


def everything(path) -> bytes:
    """All bytes of a store's files."""
    files = sorted(path.parent.glob(path.name + "*"))
    assert {file.suffix for file in files} >= {".sqlite", ".sqlite-wal"}
    return b"".join(file.read_bytes() for file in files)


def marked(count):
    """Envelopes whose values are BIG + their number, in any order."""
    sender = node(rules=MARKED)
    batch = []
    for n in range(1, count + 1):
        at = START_S + n * 300
        batch.append((sender.topic, sender.seal([[1, at // 300 - 1, BIG + n]], at)))
    random.Random(1).shuffle(batch)
    return batch


def left(path) -> list:
    """The numbers of the marked values that are in a store's files."""
    data, found, at = everything(path), set(), -1
    while (at := data.find(struct.pack(">Q", BIG)[:6], at + 1)) >= 0:
        found.add(int.from_bytes(data[at + 6 : at + 8], "big"))
    return sorted(found)


def test_the_bytes_of_what_was_deleted_are_nowhere(store, path):
    """Rows come in any order, so that pages are split and joined; they go in many steps."""
    count = 2000
    batch = marked(count)
    for at in range(0, count, 100):
        store.take_batch(batch[at : at + 100], START_S + DAY_S)
    assert set(left(path)) >= set(range(1, count + 1))
    for gone in (1, 2, 50, 51, 700, 701, 1500, 1999, 2000):
        assert store.delete_expired(START_S + DAY_S + gone * 300 + 1)
        assert [n for n in left(path) if n <= gone] == []
        held = rows(path, f"SELECT value - {BIG} FROM value ORDER BY 1")
        assert [row[0] for row in held] == list(range(gone + 1, count + 1))
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_copies_that_sqlite_left_go_within_a_day(store, path):
    """Rows of three policies that go at different times, among each other: pages are joined."""
    lines = [policy(stream(1, "co2_ppm", 300, ["last"], 1, 0, 2**62), keep_days=n)
             for n in (1, 3, 7)]  # fmt: skip
    chance = random.Random(5)
    values = [
        (chance.choice((NODE, OTHER)), 1, START_S + n * 300, "last", 300, "co2_ppm", "ppm", 1, 1,
         BIG + n, chance.randint(1, 3))
        for n in range(12_000)
    ]  # fmt: skip
    chance.shuffle(values)
    with store._begun("BEGIN IMMEDIATE"):
        for rules, terms in lines:
            digest = hashlib.sha256(rules).digest()
            store._db.execute("INSERT INTO policy VALUES (NULL, ?, ?, ?)", (digest, rules, terms))
        for node_id in (NODE, OTHER):
            store._db.execute("INSERT INTO log VALUES (?, x'00', 1, '[]', 1, 1, 0, 1)", (node_id,))
        marks = ", ".join("?" * 11)
        for value in values:
            store._db.execute(f"INSERT INTO value VALUES ({marks})", value)
    for day in range(2, 50):
        for hour in (0, 8, 16):
            assert store.delete_expired(START_S + day * DAY_S + hour * 3600)
        if day % 6 == 1:
            assert store.delete_expired(START_S + (day + 1) * DAY_S)
            held = {row[0] for row in rows(path, f"SELECT value - {BIG} FROM value")}
            assert set(left(path)) <= held
    assert held == set()


def test_the_file_is_written_anew_once_a_day_if_anything_was_deleted(store, path, monkeypatch):
    at, times = None, []
    rewrite = store._file.rewrite
    monkeypatch.setattr(store._file, "rewrite", lambda: (times.append(at), rewrite()))
    store.take_batch(sealed(node(), 300), START_S + DAY_S)
    for hour in range(24 * 10):
        at = hour
        store.delete_expired(START_S + hour * 3600)
    # values go in the hours 49 to 74, and 121 to 146
    assert times == [49, 73, 97, 121, 145, 169]

    def full():
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store._file, "rewrite", full)
    sender = node()
    sender.number = 300
    store.take_batch(sealed(sender, 1, 301), START_S + DAY_S)
    assert store.delete_expired(START_S + 20 * DAY_S)
    assert told(path, "not rewritten") == [("", "not rewritten", "2026-03-08")]
    monkeypatch.setattr(store._file, "rewrite", rewrite)
    assert rows(path, "SELECT deleted > swept FROM sweep") == [(1,)]
    store.delete_expired(START_S + 21 * DAY_S)
    assert rows(path, "SELECT deleted > swept FROM sweep") == [(0,)]


def test_bytes_that_a_reader_holds_up_go_the_next_time(store, path, monkeypatch):
    monkeypatch.setattr("host_tools.collector.store_file._READERS_S", 0.1)
    store.take_batch(marked(3), START_S + 900)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM value").fetchone() == (3,)
        assert not store.delete_expired(START_S + 9 * DAY_S)
        assert rows(path, "SELECT * FROM value") == []  # for everybody who looks now
        assert left(path) == [1, 2, 3]
        reader.execute("COMMIT")
        assert store.delete_expired(START_S + 9 * DAY_S)
    assert left(path) == []


def test_several_workers_delete_while_they_store(path, keyring):
    """Each value is counted once, whoever deletes it."""
    senders = {node_id: sealed(node(node_id), 60) for node_id in (NODE, OTHER)}
    end_s = START_S + 10 * DAY_S
    failures = []

    def work(batch):
        try:
            with Store(path, Keyring(keyring.path)) as store:
                for n, message in enumerate(batch, 1):
                    store.take_batch([message], START_S + n * 300)
                    store.delete_expired(START_S + 2 * DAY_S + n * 300)
                store.delete_expired(end_s)
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=work, args=(batch,)) for batch in senders.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(path, "SELECT * FROM value") == []
    sums = {}
    for _, _, detail in told(path, "deleted"):
        _, number, count = detail.split(" ")
        sums[int(number)] = sums.get(int(number), 0) + int(count)
    assert sums == {1: 2 * 60 * 2, 2: 2 * 20}
    assert rows(path, "SELECT count(*) FROM envelope") == [(120,)]


# a policy that ends


def test_a_policy_that_ends_soon_is_told_of_once(path, keyring):
    ending, terms = policy(*LINES, version=3, days=(DAY0, DAY0 + 40))
    following, _ = policy(*LINES, version=4)
    keyring.add_policy(NODE, ending, terms)
    keyring.add_policy(NODE, following, policy(*LINES)[1])
    sender = node(rules=ending)
    with Store(path, keyring) as store:
        batch = sealed(sender, 4)
        until_s = START_S + 41 * DAY_S
        store.take_batch(batch[:1], until_s - 30 * DAY_S)
        assert told(path, "policy ends") == []
        store.take_batch(batch[1:2], until_s - 30 * DAY_S + 1)
        store.take_batch(batch[2:3], until_s)
        assert told(path, "policy ends") == [(NODE, "policy ends", "3 2026-03-28")]
        # one that is no longer in use is not told of
        other = node(OTHER, following)
        keyring.add_policy(OTHER, following, policy(*LINES)[1])
        keyring.add_policy(OTHER, ending, terms)
        other.number = 1
        store.take_batch(sealed(other, 1), until_s)
        other.policy, other.number = ending, 0
        assert store.take_batch(sealed(other, 1, 2), until_s).opened == {OTHER: 1}
        assert len(told(path, "policy ends")) == 1
