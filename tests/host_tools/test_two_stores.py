# SPDX-License-Identifier: MIT
"""Two stores on one file, as two workers have them, with any interleaving of batches, duplicates,
gaps, floors, new outboxes, keys that come late, forgotten seals, values that are deleted, failed
commits and restarts: the same rows as one store that gets everything, and never a receipt for what
is not committed."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import policy, stream

NODES = ("0123456789", "abcdefghjk")
ROOT = bytes(range(32))
DAY0, DAY_S = 20_500, 86_400
STREAM = stream(1, "co2_ppm", 300, ["mean"], 10, 350, 5000)
POLICY, TERMS = policy(STREAM, version=2, keep_days=2)
LATER, LATER_TERMS = policy(STREAM, id="late", version=2, keep_days=4)  # the keyring gets it later
UNDER = "(SELECT p.digest FROM policy AS p WHERE p.id = value.policy)"
DAYS = 6  # in the seventh the week of the first losses would be over
WORKER = st.integers(0, 1)
SENDER = st.integers(0, 1)


def rows(path, table, columns):
    with sqlite3.connect(path) as db:
        return db.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}").fetchall()


class TwoStores(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "two.sqlite"
        keyring = Keyring(self.folder / "keyring.json")
        for node_id in NODES:
            keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
        shutil.copy(keyring.path, self.folder / "whole.json")
        self.stores = [self.open(), self.open()]
        self.senders = [ref.ReferenceNode(ROOT, node_id, DAY0, POLICY) for node_id in NODES]
        self.sealed = []  # all that was ever sealed: (topic, message)
        self.hands = [[], []]  # what each worker has got and not yet taken
        self.steps = [[], []]  # what each has still to forget
        self.day = 0
        self.windows = 0

    def open(self):
        return Store(self.path, Keyring(self.folder / "keyring.json"))

    def now_s(self):
        return (DAY0 + self.day) * DAY_S + 43_200

    # what nodes do

    @rule(
        sender=SENDER, to=st.sampled_from([(0,), (1,), (0, 1)]), count=st.integers(1, 3),
        before=st.sets(st.sampled_from(["day", "full", "outbox", "policy"])),
    )  # fmt: skip
    def seal(self, sender, to, count, before):
        """before: what happens first: the next day comes; the outbox is full and the oldest go;
        it is lost and a new one begins; the policy changes."""
        node = self.senders[sender]
        if "day" in before and self.day < DAYS:
            self.day += 1
            for each in self.senders:
                each.epoch, each.counter = self.day, 0
        if "outbox" in before:
            node.log = b"LOG" + bytes([node.log[3] + 1])
            node.number, node.floor = 0, 1
        if "full" in before:
            node.floor = node.number + 1
        if "policy" in before:
            node.policy = LATER if node.policy == POLICY else POLICY
        node.series = b"series%02d" % self.day
        for _ in range(count):
            self.windows += 1
            instant_s = DAY0 * DAY_S + self.windows * 300
            message = node.topic, node.seal(node.due(instant_s, 40), instant_s)
            self.sealed.append(message)
            for worker in to:
                self.hands[worker].append(message)

    # what workers do

    @rule(worker=WORKER, whole=st.booleans(), forgets=st.booleans(), data=st.data())
    def take(self, worker, whole, forgets, data):
        """A batch of what is in hand, in any order; and what was acknowledged comes again."""
        hand = self.hands[worker]
        size = len(hand) if whole else data.draw(st.integers(0, len(hand)))
        batch = data.draw(st.permutations(hand))[:size]
        if self.sealed and not whole:
            batch += data.draw(st.lists(st.sampled_from(self.sealed), max_size=2))
        self.finish(worker, self.stores[worker].take_batch(batch, self.now_s()))
        self.hands[worker] = [message for message in hand if message not in batch]
        if forgets:
            self.forget(worker)

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKER, data=st.data())
    def fail_to_commit(self, worker, data):
        """Nothing of it was acknowledged: it stays in hand."""
        hand = self.hands[worker]
        before = rows(self.path, "envelope", "node, log, number")
        with pytest.raises(TypeError):
            self.stores[worker].take_batch([*hand, (f"lp/{NODES[0]}/up", None)], self.now_s())
        assert rows(self.path, "envelope", "node, log, number") == before

    @rule(worker=WORKER)
    def restart(self, worker):
        """What it was to forget it may have forgotten or not; what it had in hand comes again."""
        self.stores[worker].close()
        self.stores[worker] = self.open()
        self.steps[worker] = []
        self.retry(worker)
        self.check_receipts(self.stores[worker].logs())

    @rule(worker=WORKER)
    def forget(self, worker):
        """Whenever it comes to it after the commit."""
        for epochs in self.steps[worker]:
            self.stores[worker].keyring.forget_before(epochs)
        self.steps[worker] = []

    @rule(worker=WORKER)
    def delete_expired(self, worker):
        """Every receipt that may come after it says the same as without it."""
        before = self.stores[worker].logs()
        assert self.stores[worker].delete_expired(self.now_s())
        assert self.stores[worker].logs() == before
        (oldest_s,) = rows(self.path, "value", "min(slot_start_s)")[0]
        assert oldest_s is None or oldest_s >= self.now_s() - 4 * DAY_S - 300

    @rule(worker=WORKER)
    def look_for_keys(self, worker):
        if self.stores[worker].keyring.refresh():
            self.retry(worker)

    @rule(sender=SENDER)
    def add_policy(self, sender):
        Keyring(self.folder / "keyring.json").add_policy(NODES[sender], LATER, LATER_TERMS)

    def retry(self, worker):
        self.finish(worker, self.stores[worker].retry_sealed(self.now_s()))

    def finish(self, worker, result):
        assert result.refused == {}
        self.check_receipts(result.logs)
        self.steps[worker].append(result.oldest_epochs)

    def check_receipts(self, logs):
        """Held against the file by another connection: what is not there was not committed."""
        committed = {row[:2]: set() for row in rows(self.path, "log", "node, log")}
        for node_id, log, number in rows(self.path, "envelope", "node, log, number"):
            committed[node_id, log].add(number)
        floors = {row[:2]: row[2] for row in rows(self.path, "log", "node, log, floor")}
        for state in logs:
            key = state.node_id, state.log
            lost = set(range(1, floors[key]))
            assert set(range(1, state.upto + 1)) <= committed[key] | lost
            for first, last in state.ranges:
                assert set(range(first, last + 1)) <= committed[key]

    @invariant()
    def nothing_is_stored_twice(self):
        numbers = rows(self.path, "envelope", "node, log, number") if hasattr(self, "path") else []
        assert len(numbers) == len(set(numbers))

    # in the end

    def teardown(self):
        if not hasattr(self, "path"):
            return
        for sender in (0, 1):
            self.add_policy(sender)
        half = len(self.sealed) // 2
        for worker, batch in ((0, self.sealed[half:]), (1, self.sealed[:half])):
            self.look_for_keys(worker)
            self.finish(worker, self.stores[worker].take_batch(batch, self.now_s()))
            self.forget(worker)
        self.delete_expired(0)
        for store in self.stores:
            store.close()
        keyring = Keyring(self.folder / "whole.json")
        for node_id in NODES:
            keyring.add_policy(node_id, LATER, LATER_TERMS)
        whole = self.folder / "whole.sqlite"
        with Store(whole, keyring) as store:
            assert store.take_batch(self.sealed, self.now_s()).refused == {}
        for table, columns in (
            ("value", f"node, stream, slot_start_s, statistic, value, {UNDER}"),
            ("envelope", "node, log, number, digest, epoch"),
            ("log", "node, log, floor, stored, version"),
            ("sealed", "node, digest"),
        ):
            assert rows(self.path, table, columns) == rows(whole, table, columns), table
        assert len(rows(self.path, "envelope", "number")) == len(self.sealed)
        shutil.rmtree(self.folder)


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
