# SPDX-License-Identifier: MIT
"""host_tools/collector: what comes in, in whatever order, becomes the same rows; what is wrong is
refused and counted. The envelopes come from reference_sealer.py."""

import fcntl
import hashlib
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.collector.keyring import Keyring
from host_tools.collector.open_envelope import Opened, Refusal, open_envelope
from host_tools.collector.store import Store
from host_tools.errors import ToolError
from host_tools.provisioning.lms_tree import LmsTree
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import KEEP_DAYS, policy, stream

NODE, OTHER = "0123456789", "abcdefghjk"
ROOT = bytes(range(32))
DAY0 = 20_500
NOW = DAY0 * 86_400 + 43_200
STREAMS = [
    stream(1, "co2_ppm", 300, ["mean", "count"], 10, 350, 5000),
    stream(2, "temperature_mc", 300, ["mean", "min", "max"], 100, -40_000, 60_000),
    stream(9, "pressure_pa", 900, ["last"], 10, 0, 110_000),
]
POLICY, TERMS = policy(*STREAMS, version=2)
SLOT, QUARTER = NOW // 300 - 1, NOW // 900 - 1
NEWER, NEWER_TERMS = policy(*STREAMS[:2], version=3)


def make_keyring(folder, nodes=(NODE, OTHER)):
    keyring = Keyring(folder / "keyring.json")
    for node_id in nodes:
        keyring.add_node(make_ticket(ROOT, node_id, DAY0), POLICY, TERMS)
    return keyring


@pytest.fixture
def keyring(tmp_path):
    return make_keyring(tmp_path)


@pytest.fixture
def store(tmp_path, keyring):
    with Store(tmp_path / "a.sqlite", keyring) as store:
        yield store


def node(node_id=NODE, **options):
    return ref.ReferenceNode(ROOT, node_id, DAY0, POLICY, **options)


def some_day(node, count, start_s=NOW):
    """`count` envelopes of `node`: (topic, message), each 5 minutes one."""
    return [
        (node.topic, node.seal(node.due(start_s + n * 300, 40 + n), start_s + n * 300))
        for n in range(1, count + 1)
    ]


def rows(path, table="value"):
    with sqlite3.connect(path) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()


def everything(store):
    """All that must not depend on the order of arrival."""
    path = store._file.path
    envelopes = [row[:5] for row in rows(path, "envelope")]
    logs = [row[:6] for row in rows(path, "log")]
    return rows(path), envelopes, logs


def states(result):
    return {state.node_id: (state.upto, state.ranges) for state in result.logs}


# what is kept


def test_values_are_stored_in_the_scale_of_their_quantity(store):
    sender = node()
    records = [[1, SLOT, 61, 10], [2, SLOT, 201, None, -5], [9, QUARTER, 10_131]]
    result = store.take_batch([(sender.topic, sender.seal(records, NOW))], NOW)
    assert result.opened == {NODE: 1}
    slot, quarter = NOW - 300, NOW - 900
    assert rows(store._file.path) == [
        (NODE, 1, slot, "count", 300, "co2_ppm", "samples", 1, 1, 10, 1),
        (NODE, 1, slot, "mean", 300, "co2_ppm", "ppm", 1, 10, 610, 1),
        (NODE, 2, slot, "max", 300, "temperature_mc", "°C", 1000, 100, -500, 1),
        (NODE, 2, slot, "mean", 300, "temperature_mc", "°C", 1000, 100, 20_100, 1),
        (NODE, 2, slot, "min", 300, "temperature_mc", "°C", 1000, 100, None, 1),
        (NODE, 9, quarter, "last", 900, "pressure_pa", "hPa", 100, 10, 101_310, 1),
    ]
    digest = hashlib.sha256(POLICY).digest()
    assert rows(store._file.path, "policy") == [(1, digest, POLICY, TERMS)]


def test_an_envelope_without_records_is_receipted(store):
    sender = node()
    result = store.take_batch([(sender.topic, sender.seal([], None))], NOW)
    assert states(result) == {NODE: (1, [])}
    assert rows(store._file.path) == []


def test_a_duplicate_changes_nothing_and_is_receipted_again(store):
    batch = some_day(node(), 3)
    store.take_batch(batch, NOW)
    before = everything(store)
    result = store.take_batch(batch[1:2], NOW + 5)
    assert (result.opened, result.duplicates) == ({}, {NODE: 1})
    assert states(result) == {NODE: (3, [])}
    assert everything(store) == before
    assert states(store.take_batch(batch + batch, NOW)) == {NODE: (3, [])}


def test_the_same_number_with_other_bytes_is_refused_and_the_receipt_says_what_is_stored(store):
    sender = node()
    stored = store.take_batch(some_day(sender, 2), NOW).logs
    before = everything(store)
    sender.number = 1
    result = store.take_batch(some_day(sender, 1, NOW + 900), NOW)
    assert (result.opened, result.duplicates, result.refused) == ({}, {}, {NODE: 1})
    assert result.logs == stored
    assert everything(store) == before
    assert [row[3] for row in rows(store._file.path, "event")] == ["new outbox", "other bytes"]


def test_gaps_losses_and_late_arrivals(store):
    sender = node()
    batch = some_day(sender, 6)
    assert states(store.take_batch(batch[:1] + batch[3:4], NOW)) == {NODE: (1, [[4, 4]])}
    assert states(store.take_batch(batch[4:], NOW)) == {NODE: (1, [[4, 6]])}
    sender.floor = 3
    last = some_day(sender, 1, NOW + 6 * 300)
    assert states(store.take_batch(last, NOW)) == {NODE: (2, [[4, 7]])}
    assert ("lost", "4c4f4730 2") in [row[3:] for row in rows(store._file.path, "event")]
    assert states(store.take_batch(batch[2:3], NOW)) == {NODE: (7, [])}
    assert states(store.take_batch(batch[1:2], NOW)) == {NODE: (7, [])}
    assert ("found", "4c4f4730 2") in [row[3:] for row in rows(store._file.path, "event")]
    assert len(rows(store._file.path, "envelope")) == 7


def test_a_new_outbox_is_told(store):
    store.take_batch(some_day(node(), 2), NOW)
    second = node(log=b"LOG1")
    second.series = b"another1"
    result = store.take_batch(some_day(second, 1, NOW + 900), NOW)
    assert [(state.log, state.upto) for state in result.logs] == [(b"LOG1", 1)]
    assert [state.log for state in store.logs()] == [b"LOG1"]  # the one heard last
    assert len([row for row in rows(store._file.path, "event") if row[3] == "new outbox"]) == 2


def test_a_receipt_names_at_most_16_ranges_those_of_the_batch_first(store):
    batch = some_day(node(), 80)
    state = store.take_batch(batch[1::2], NOW).logs[0]
    assert (state.upto, len(state.ranges), state.settled) == (0, 16, 40)
    state = store.take_batch(batch[1:2], NOW).logs[0]
    assert state.ranges[0] == [2, 2] and state.ranges[-1] == [80, 80]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_order_duplicates_losses_and_restarts_leave_the_same_rows(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("order")
    first, second = node(), node(OTHER)
    messages = some_day(first, 6) + some_day(second, 4)
    first.floor = data.draw(st.integers(1, 7))
    messages += some_day(first, 2, NOW + 1800)
    arriving = data.draw(st.lists(st.sampled_from(messages), min_size=1, max_size=30))
    order = data.draw(st.permutations(arriving))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))

    keyring = make_keyring(folder)
    with Store(folder / "one.sqlite", keyring) as store:
        expected_states = {}
        for message in dict.fromkeys(arriving):
            expected_states.update(states(store.take_batch([message], NOW)))
        expected = everything(store)
    path, seen, refused = folder / "other.sqlite", {}, 0
    for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        with Store(path, Keyring(keyring.path)) as store:  # a restart
            result = store.take_batch(order[begin:end], NOW)
            refused += sum(result.refused.values())
            seen.update(states(result))
            assert states(store.take_batch([], NOW)) == {}
            got = everything(store)
            again = {s.node_id: (s.upto, s.ranges) for s in store.logs()}
            assert {n: again[n] for n in seen} == seen
    assert got == expected
    assert seen == expected_states
    assert refused == 0


# what is refused


def one(sender, **options):
    instant_s = options.pop("instant_s", NOW)
    return sender.seal(options.pop("records", sender.due(instant_s, 40)), instant_s)


def refusal(keyring, message, node_id=NODE, now_s=NOW):
    outcome = open_envelope(keyring, node_id, message, now_s)
    assert isinstance(outcome, Refusal), "it was opened"
    return outcome.reason


def test_the_honest_one_opens(keyring):
    opened = open_envelope(keyring, NODE, one(node()), NOW)
    assert isinstance(opened, Opened)
    assert (opened.number, opened.floor, opened.instant_s, opened.epoch) == (1, 1, NOW, 0)


def test_every_flipped_bit_and_every_truncation_is_refused(keyring):
    message = one(node())
    for at in range(len(message)):
        assert isinstance(open_envelope(keyring, NODE, message[:at], NOW), Refusal)
        for bit in range(8):
            changed = bytearray(message)
            changed[at] ^= 1 << bit
            assert isinstance(open_envelope(keyring, NODE, bytes(changed), NOW), Refusal)
    assert refusal(keyring, message + b"\0") == "not an envelope"


def test_of_another_node(keyring):
    assert refusal(keyring, one(node(OTHER)), NODE) == "does not open"


def test_of_another_policy(keyring):
    sender = node()
    sender.policy = NEWER
    outcome = open_envelope(keyring, NODE, one(sender), NOW)
    assert (outcome.reason, outcome.keep) == ("unknown policy", True)
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    assert isinstance(open_envelope(keyring, NODE, one(sender), NOW), Opened)
    # the right key and the other policy's digest in the clear do not help
    message = one(node()).replace(hashlib.sha256(POLICY).digest()[:4],
                                  hashlib.sha256(NEWER).digest()[:4])  # fmt: skip
    assert refusal(keyring, message) == "does not open"


def test_epochs(keyring):
    sender = node()
    for epoch, now_s, reason in (
        (1, NOW, None), (2, NOW, "epoch in the future"), (2, NOW + 86_400, None),
        (1, 0, "epoch in the future"),
    ):  # fmt: skip
        sender.epoch = epoch
        outcome = open_envelope(keyring, NODE, one(sender), now_s)
        assert (outcome.reason if isinstance(outcome, Refusal) else None) == reason
    keyring.forget_before({NODE: 2})
    assert refusal(keyring, one(node()), now_s=NOW + 2 * 86_400) == "epoch is forgotten"


def padded(sender, fields, instant_s=NOW, tail=b""):
    text = ref.dumps(fields) + tail
    return sender.seal_plaintext(text.ljust(ref.padded_length(POLICY, instant_s), b"\0"))


GOOD = ref.ReferenceNode(ROOT, NODE, DAY0, POLICY).due(NOW, 40)
NULLS = ref.ReferenceNode(ROOT, NODE, DAY0, POLICY).due(NOW)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([b"LOG0", 1, 1, GOOD], None),
        ([b"LOG0", 0, 0, GOOD], "plaintext"),
        ([b"LOG0", 1, 2, GOOD], "plaintext"),
        ([b"LOG0", 2**32, 1, GOOD], "plaintext"),
        ([b"LOG0", True, 1, GOOD], "plaintext"),
        ([b"LOG", 1, 1, GOOD], "plaintext"),
        (["LOG0", 1, 1, GOOD], "plaintext"),
        ([b"LOG0", 1, 1], "plaintext"),
        ([b"LOG0", 1, 1, None], "plaintext"),
        ("LOG0", "plaintext"),
        ([b"LOG0", 1, 1, GOOD[:2]], "records"),
        ([b"LOG0", 1, 1, GOOD[::-1]], "records"),
        ([b"LOG0", 1, 1, [*GOOD, [10, SLOT, 1]]], "records"),
        ([b"LOG0", 1, 1, [GOOD[0], GOOD[0], GOOD[2]]], "records"),
        ([b"LOG0", 1, 1, [[7, SLOT, 1], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT - 1, 40, 40], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, -1, 40, 40], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 40], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 40, 40, 40], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 34, 40], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 501, 40], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 40, 65_536], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 40, True], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 40, b"4"], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [[1, SLOT, 40, 40.0], *GOOD[1:]]], "plaintext"),
        ([b"LOG0", 1, 1, [[1], *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, [40, *GOOD[1:]]], "records"),
        ([b"LOG0", 1, 1, []], "padding"),
        ([b"LOG0", 1, 1, NULLS], None),
    ],
)  # fmt: skip
def test_plaintexts_that_a_holder_of_the_key_could_make(keyring, fields, reason):
    outcome = open_envelope(keyring, NODE, padded(node(), fields), NOW)
    assert (outcome.reason if isinstance(outcome, Refusal) else None) == reason


COUNTED, COUNTED_TERMS = policy(
    stream(1, "vehicles", 300, ["sum", "max"], 10, 0, 5000, k=14),
    stream(2, "people_leftward", 300, ["count", "sum"], 10, 0, 5000, k=16, noise=[1, 1, 96]),
    kit="traffic", days=(DAY0, DAY0 + 1),
)  # fmt: skip


@pytest.fixture
def counting(tmp_path):
    keyring = Keyring(tmp_path / "counting.json")
    keyring.add_node(make_ticket(ROOT, NODE, DAY0), COUNTED, COUNTED_TERMS)
    return keyring, ref.ReferenceNode(ROOT, NODE, DAY0, COUNTED)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([1, 0], [3, 2], None),  # 14 rounds to 1 step, 16 to 2
        ([None, None], [None, None], None),
        ([0, 0], [3, 2], "records"),
        ([0, None], [3, 2], "records"),
        ([None, 0], [3, 2], "records"),
        ([1, 0], [3, 1], "records"),
        ([1, 0], [0, None], "records"),
    ],
)
def test_a_node_that_tells_what_it_should_have_withheld(counting, first, second, reason):
    keyring, sender = counting
    records = [[1, SLOT, *first], [2, SLOT, *second]]
    outcome = open_envelope(keyring, NODE, sender.seal(records, NOW), NOW)
    assert (outcome.reason if isinstance(outcome, Refusal) else None) == reason


def test_a_policy_lets_nothing_out_before_and_after_its_days(counting):
    keyring, sender = counting
    begin = DAY0 * 86_400
    for instant_s, is_permitted in (
        (begin, False), (begin + 300, True), (begin + 2 * 86_400, True),
        (begin + 2 * 86_400 + 300, False),
    ):  # fmt: skip
        message = sender.seal(sender.due(instant_s), instant_s)
        outcome = open_envelope(keyring, NODE, message, begin + 3 * 86_400)
        expected = None if is_permitted else "outside the days of its policy"
        assert (outcome.reason if isinstance(outcome, Refusal) else None) == expected
    assert isinstance(open_envelope(keyring, NODE, sender.seal([], None), NOW), Opened)


def test_the_length_is_exact_and_the_padding_zero(keyring):
    fields = [b"LOG0", 1, 1, node().due(NOW, 40)]
    text, length = ref.dumps(fields), ref.padded_length(POLICY, NOW)
    short = text.ljust(length - 1, b"\0")
    for plaintext in (text, short, short + b"\0\0", short + b"\1", text.ljust(length, b"\xf6")):
        assert refusal(keyring, node().seal_plaintext(plaintext)) == "padding"
    longer = b"\x84\x44LOG0\x18\x01\x01" + ref.dumps(fields[3])  # 1 in two bytes
    assert refusal(keyring, node().seal_plaintext(longer.ljust(length, b"\0"))) == "plaintext"


@given(st.binary(max_size=200))
def test_noise_is_refused(data):
    keyring = NOISE_KEYRING
    for message in (data, b"\xd0\x83\x44\xa1\x01\x18\x1f\xa2\x04\x4e" + data):
        assert isinstance(open_envelope(keyring, NODE, message, NOW), Refusal)


class _OneNode:
    """A keyring of one node, without a file."""

    def __init__(self):
        from host_tools.collector.keyring import NodeKeys
        from node.policy.rules import Policy

        ticket = make_ticket(ROOT, NODE, DAY0)
        self._keys = NodeKeys(DAY0, 0, ticket.seal, ticket.receipt, [Policy(POLICY)])

    def node(self, node_id):
        return self._keys if node_id == NODE else None


NOISE_KEYRING = _OneNode()


def test_refused_messages_are_counted_and_named_but_not_kept(store):
    message = one(node(OTHER))
    topics = [f"lp/{NODE}/up", f"lp/{NODE}/down", "lp/UPPERCASE0/up", f"lp/{NODE}/up/x", "?"]
    result = store.take_batch([(topic, message) for topic in topics], NOW)
    assert result.refused == {NODE: 1, "": 4}
    assert result.logs == []
    assert [row[2:] for row in rows(store._file.path, "refused")] == [
        (NODE, topics[0], "does not open", len(message)),
        *(("", topic, "topic", len(message)) for topic in topics[1:]),
    ]
    assert rows(store._file.path, "tally") == [("", 0, 0, 4, 0), (NODE, 0, 0, 1, 0)]
    path = store._file.path
    assert message not in path.read_bytes() + path.with_name("a.sqlite-wal").read_bytes()


def test_a_lower_policy_than_before_is_refused_but_not_what_was_sealed_before(store, keyring):
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    sender = node()
    old = some_day(sender, 1)
    sender.policy = NEWER
    store.take_batch(some_day(sender, 1, NOW + 300), NOW)
    sender.policy = POLICY
    result = store.take_batch(some_day(sender, 1, NOW + 600) + old, NOW)
    assert (result.opened, result.refused) == ({NODE: 1}, {NODE: 1})
    assert ("policy lowered", "3 to 2") in [row[3:] for row in rows(store._file.path, "event")]
    fresh = node(log=b"LOG1")
    fresh.series = b"another1"
    assert store.take_batch(some_day(fresh, 1, NOW + 900), NOW).refused == {NODE: 1}


# what is kept sealed


def test_what_cannot_be_opened_yet_is_kept_and_tried_again(store, keyring):
    stranger, sender = node("zzzzzzzzzz"), node()
    sender.policy = NEWER
    messages = [(stranger.topic, one(stranger)), (sender.topic, one(sender))]
    result = store.take_batch(messages, NOW)
    assert (result.kept, result.logs) == ({"": 1, NODE: 1}, [])
    assert store.take_batch(messages, NOW).duplicates == {"": 1, NODE: 1}
    assert store.retry_sealed(NOW).opened == {}
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    keyring.add_node(make_ticket(ROOT, "zzzzzzzzzz", DAY0), POLICY, TERMS)
    result = store.retry_sealed(NOW)
    assert result.opened == {NODE: 1, "zzzzzzzzzz": 1}
    assert states(result) == {NODE: (1, []), "zzzzzzzzzz": (1, [])}
    assert rows(store._file.path, "sealed") == []


def test_a_policy_that_has_just_come_is_known_at_once(store, keyring):
    sender = node()
    sender.policy = NEWER
    Keyring(keyring.path).add_policy(NODE, NEWER, NEWER_TERMS)  # by another program
    result = store.take_batch([(sender.topic, one(sender))], NOW)
    assert (result.opened, result.kept) == ({NODE: 1}, {})
    assert store.keyring.refresh()  # so that what was kept before is tried again


def test_the_seal_of_what_is_kept_is_kept(store, keyring):
    sender = node()
    sender.policy = NEWER
    early = [(sender.topic, one(sender))]
    store.take_batch(early, NOW)
    sender.policy, sender.epoch, sender.floor = POLICY, 1, 2
    sender.counter = 0
    result = store.take_batch(some_day(sender, 1, NOW + 300), NOW)
    assert result.oldest_epochs == {NODE: 0}
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    result = store.retry_sealed(NOW)
    assert (result.opened, result.refused) == ({NODE: 1}, {})
    assert result.oldest_epochs == {NODE: 1}


def test_what_is_kept_holds_its_seal_however_long(store, keyring):
    sender = node()
    sender.policy = NEWER
    early = [(sender.topic, one(sender))]
    store.take_batch(early, NOW)
    sender.policy, sender.epoch, sender.floor, sender.counter = POLICY, 1, 2, 0
    later = some_day(sender, 1, NOW + 86_400)
    for now_s in (NOW + 86_400, NOW + 86_400 + 30 * WEEK_S):
        result = store.take_batch(later, now_s)
        assert result.oldest_epochs == {NODE: 0}
        keyring.forget_before(result.oldest_epochs)
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    assert store.retry_sealed(NOW + 31 * WEEK_S).opened == {NODE: 1}


def test_there_is_an_end_to_what_is_kept(store, monkeypatch):
    monkeypatch.setattr("host_tools.collector.store._KEPT_MAX_PER_NODE", 2)
    sender = node()
    sender.policy = NEWER
    result = store.take_batch([(sender.topic, one(sender)) for _ in range(4)], NOW)
    assert (result.kept, result.refused) == ({NODE: 2}, {NODE: 2})


# epochs and the keyring


def test_the_seal_steps_forward_when_nothing_older_is_expected(store, keyring):
    sender = node()
    first = some_day(sender, 3)
    sender.epoch, sender.counter = 1, 0
    later = some_day(sender, 2, NOW + 900)
    assert store.take_batch(first[:2] + later, NOW).oldest_epochs == {NODE: 0}
    result = store.take_batch(first[2:], NOW)
    assert result.oldest_epochs == {NODE: 1}
    seal = keyring.node(NODE).seal
    keyring.forget_before(result.oldest_epochs)
    text = keyring.path.read_text()
    assert seal.hex() not in text
    assert Keyring(keyring.path).node(NODE).seal == ref.seal_at(seal, 1)
    # a duplicate of a forgotten epoch is known by its bytes, and receipted again
    result = store.take_batch(first, NOW)
    assert (result.duplicates, states(result)) == ({NODE: 3}, {NODE: (5, [])})


def test_a_keyring_is_for_its_owner_only(keyring):
    assert keyring.path.stat().st_mode & 0o777 == 0o600
    keyring.path.chmod(0o640)
    with pytest.raises(ToolError, match="can be read by others"):
        Keyring(keyring.path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nodes": {"a": 1}, "policies": {}}', "\xff"])
def test_not_a_keyring(tmp_path, text):
    path = tmp_path / "k.json"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(ToolError, match="is not a keyring"):
        Keyring(path)


def test_rules_and_terms_that_cannot_be_used(keyring):
    ticket = make_ticket(ROOT, NODE, DAY0)
    before = keyring.path.read_bytes()
    strange, its_terms = policy(stream(1, "moods", 300, ["mean"], 1, 0, 9))
    more, _ = policy(*STREAMS[:2])
    label, *head, _ = ref.dumps_back(more)
    crossed = ref.dumps([label, *head, hashlib.sha256(TERMS).digest()])
    no_terms = ref.dumps([label, *head, hashlib.sha256(b"terms").digest()])
    for rules, terms, why in (
        (POLICY, NEWER_TERMS, "name other terms"),
        (POLICY, b"", "name other terms"),
        (no_terms, b"terms", "not the terms of a policy"),
        (crossed, TERMS, "name other streams"),
        (b"rules", TERMS, "not the rules of a policy"),
        (strange, its_terms, "has a quantity that is not known, in stream 1"),
        (*policy(*STREAMS[:2], id="a\x1b[2J"), "an id or a kit that is no name"),
        (*policy(*STREAMS[:2], id=["test"]), "not the rules of a policy"),
        (*policy(*STREAMS[:2], kit=7), "not the rules of a policy"),
        (*policy(*STREAMS[:2], kit="../air"), "an id or a kit that is no name"),
        (*policy(stream(1, ["co2_ppm"], 300, ["mean"], 1, 0, 9)), "not the rules of a policy"),
    ):
        with pytest.raises(ToolError, match=why):
            keyring.add_node(ticket, rules, terms)
        with pytest.raises(ToolError, match=why):
            keyring.add_policy(NODE, rules, terms)
    assert keyring.path.read_bytes() == before


def test_a_keyring_keeps_rules_and_terms(keyring):
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    kept = Keyring(keyring.path).node(NODE).policies
    assert [(one.rules, one.encoded_terms) for one in kept] == [
        (POLICY, TERMS), (NEWER, NEWER_TERMS)
    ]  # fmt: skip
    assert [sorted(one.terms.streams) for one in kept] == [[1, 2, 9], [1, 2]]
    assert kept[0].terms.streams[9].retention_days == KEEP_DAYS


def test_a_keyring_checks_a_signature_that_it_is_given(keyring):
    signer = LmsTree(bytes(32), bytes(16))
    signature, ticket = signer.sign(0, NEWER, bytes(32)), make_ticket(ROOT, NODE, DAY0)
    other = LmsTree(bytes(32), b"another key name").public_key
    before = keyring.path.read_bytes()
    for signed in ((signature, other), (signature[:-1], signer.public_key), (b"", b"")):
        with pytest.raises(ToolError, match="policy test is not signed by this key"):
            keyring.add_policy(NODE, NEWER, NEWER_TERMS, signed)
        with pytest.raises(ToolError, match="policy test is not signed by this key"):
            keyring.add_node(ticket, NEWER, NEWER_TERMS, signed)
    with pytest.raises(ToolError, match="policy test is not signed by this key"):
        keyring.add_policy(NODE, POLICY, TERMS, (signature, signer.public_key))
    assert keyring.path.read_bytes() == before
    keyring.add_policy(NODE, NEWER, NEWER_TERMS, (signature, signer.public_key))
    keyring.add_node(ticket, NEWER, NEWER_TERMS, (signature, signer.public_key))


def test_a_keyring_takes_one_policy_of_a_version(keyring):
    other, terms = policy(*STREAMS[:1], version=3)
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    keyring.add_policy(NODE, NEWER, NEWER_TERMS)
    with pytest.raises(ToolError, match="has other rules as test version 3") as caught:
        keyring.add_policy(NODE, other, terms)
    assert NODE in caught.value.message and "who signed it" in caught.value.hint
    assert len(Keyring(keyring.path).node(NODE).policies) == 2
    keyring.add_policy(OTHER, other, terms)


def test_two_processes_change_a_keyring(keyring):
    other = Keyring(keyring.path)
    other.add_node(make_ticket(ROOT, "zzzzzzzzzz", DAY0), POLICY, TERMS)
    keyring.forget_before({NODE: 3})
    assert keyring.node("zzzzzzzzzz") is not None
    assert other.refresh() and other.node(NODE).epoch == 3
    assert not other.refresh()
    with pytest.raises(ToolError, match="is not in the keyring"):
        other.add_policy("yyyyyyyyyy", POLICY, TERMS)


def test_keys_do_not_show(keyring):
    shown = repr(keyring.node(NODE)) + repr(make_ticket(ROOT, NODE, DAY0)) + repr(keyring)
    seal = keyring.node(NODE).seal
    assert seal.hex() not in shown and repr(seal) not in shown


# the file


def test_a_failed_batch_leaves_the_store_as_it_was(store):
    batch = some_day(node(), 4)
    store.take_batch(batch[:1], NOW)
    before = everything(store)
    with pytest.raises(TypeError):
        store.take_batch([*batch[1:], (batch[0][0], None)], NOW)  # fails after three of them
    assert everything(store) == before
    assert states(store.take_batch(batch[:1], NOW)) == {NODE: (1, [])}  # none of them is receipted
    result = store.take_batch(batch[1:], NOW)
    assert (result.opened, states(result)) == ({NODE: 3}, {NODE: (4, [])})
    assert len(rows(store._file.path, "envelope")) == 4


def test_who_must_be_alone_with_a_store_keeps_collectors_out(store, keyring):
    path = store._file.path
    with open(f"{path}.lock") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        store.close()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(ToolError, match="must be alone with it"):
            Store(path, keyring)


def test_a_file_that_was_replaced_is_not_written_to_in_vain(store, keyring):
    batch = some_day(node(), 3)
    store.take_batch(batch[:1], NOW)
    path = store._file.path
    with sqlite3.connect(path) as db, sqlite3.connect(path.with_name("backup")) as backup:
        db.backup(backup)
    path.with_name("backup").replace(path)
    with pytest.raises(ToolError, match="was replaced while it was in use"):
        store.take_batch(batch[1:], NOW)
    path.unlink()
    with pytest.raises(ToolError, match="was replaced while it was in use"):
        store.logs()


# several at a time


@pytest.fixture
def two(tmp_path, keyring):
    """Two stores on one file, each with a keyring of its own, as two processes have them."""
    with (
        Store(tmp_path / "a.sqlite", keyring) as first,
        Store(tmp_path / "a.sqlite", Keyring(keyring.path)) as second,
    ):
        yield first, second


def test_two_that_get_the_same_store_it_once_and_both_receipt(two):
    first, second = two
    batch = some_day(node(), 4)
    assert states(first.take_batch(batch[:2], NOW)) == {NODE: (2, [])}
    assert states(second.take_batch(batch[:3], NOW)) == {NODE: (3, [])}
    result = first.take_batch(batch, NOW)
    assert (result.opened, result.duplicates) == ({NODE: 1}, {NODE: 3})
    assert states(result) == {NODE: (4, [])}
    assert [s.upto for s in second.logs()] == [4]
    assert rows(first._file.path, "tally") == [(NODE, 4, 5, 0, 0)]


def test_two_that_get_other_bytes_for_one_number_refuse_the_later(two):
    first, second = two
    sender, twin = node(), node()
    twin.series = b"another1"
    first.take_batch(some_day(sender, 2), NOW)
    result = second.take_batch(some_day(twin, 1, NOW + 900), NOW)
    assert (result.refused, [log.upto for log in result.logs]) == ({NODE: 1}, [2])


def test_one_waits_while_another_writes(two):
    first, second = two
    batch, done = some_day(node(), 4), []
    first.take_batch(batch[:1], NOW)
    first._db.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=lambda: done.append(second.take_batch(batch[1:], NOW)))
    waiting.start()
    time.sleep(0.3)
    assert not done
    first._db.execute("ROLLBACK")
    waiting.join(30)
    assert states(done[0]) == {NODE: (4, [])}


def test_many_open_a_new_store_at_once(tmp_path, keyring):
    script = (
        "import sys; from pathlib import Path; from host_tools.collector.keyring import Keyring;"
        "from host_tools.collector.store import Store; sys.stdin.readline();"
        "Store(Path(sys.argv[1]), Keyring(Path(sys.argv[2]))).close()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "new.sqlite"), str(keyring.path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)
    ]
    done = [process.communicate(b"\n")[1] for process in started]
    assert [process.returncode for process in started] == [0] * 6, done
    assert rows(tmp_path / "new.sqlite") == []


def test_a_store_that_does_not_know_for_how_long(tmp_path, keyring):
    path = tmp_path / "a.sqlite"
    Store(path, keyring).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    with pytest.raises(ToolError, match="version 1: it does not know for how long") as caught:
        Store(path, keyring)
    assert "begin a new one" in caught.value.hint
    assert path.read_bytes() == before


WEEK_S = 7 * 86_400


def test_what_another_worker_holds_opens_though_it_was_given_up(two):
    """A node gives up a number of an earlier day, of which the other worker has the last copy."""
    first, second = two
    sender = node()
    early = some_day(sender, 3)
    first.take_batch(early[:1], NOW)
    sender.epoch, sender.counter, sender.floor = 1, 0, 4
    later = some_day(sender, 2, NOW + 86_400)
    result = first.take_batch(later, NOW + 86_400)
    assert states(result) == {NODE: (5, [])}
    first.keyring.forget_before(result.oldest_epochs)
    second.keyring.refresh()
    assert second.take_batch(early[1:2], NOW + 90_000).opened == {NODE: 1}
    second.keyring.forget_before(second.take_batch(later[-1:], NOW + 90_000).oldest_epochs)
    assert Keyring(second.keyring.path).node(NODE).epoch == 0  # number 3 is still out
    result = second.take_batch(later[-1:], NOW + 86_400 + WEEK_S)
    assert result.oldest_epochs == {NODE: 1}


def test_what_was_found_again_holds_no_seal(store, keyring):
    sender = node()
    early = some_day(sender, 2)
    sender.epoch, sender.counter, sender.floor = 1, 0, 3
    store.take_batch(early[:1] + some_day(sender, 1, NOW + 86_400), NOW + 86_400)
    assert store.take_batch(early[1:], NOW + 86_400).oldest_epochs == {NODE: 1}


def test_a_new_outbox_holds_what_its_node_sent_before(two):
    first, second = two
    sender, fresh = node(), node(log=b"LOG1")
    early = some_day(sender, 2)
    first.take_batch(early[:1], NOW)
    fresh.series, fresh.epoch = b"another1", 1
    begins = some_day(fresh, 2, NOW + 86_400)
    result = first.take_batch(begins, NOW + 86_400)
    assert result.oldest_epochs == {NODE: 0}
    first.keyring.forget_before(result.oldest_epochs)
    assert second.take_batch(early[1:], NOW + 86_400).opened == {NODE: 1}
    result = first.take_batch(begins, NOW + 86_400 + WEEK_S)
    assert result.oldest_epochs == {NODE: 1}


def test_a_forgotten_epoch_is_told(store, keyring):
    keyring.forget_before({NODE: 2})
    assert store.take_batch(some_day(node(), 2), NOW).refused == {NODE: 2}
    told = [row[2:] for row in rows(store._file.path, "event")]
    assert told == [(NODE, "epoch forgotten", "epoch 0")]


def test_not_a_store(tmp_path, keyring):
    (tmp_path / "text.sqlite").write_text("this is no database, and it is long enough" * 30)
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE t (a)")
    for name in ("text.sqlite", "other.sqlite"):
        with pytest.raises(ToolError, match="is not a store"):
            Store(tmp_path / name, keyring)
    with pytest.raises(ToolError):
        Store(tmp_path / "text.sqlite" / "below.sqlite", keyring)


def test_durable_before_it_is_acknowledged(store):
    db = store._file.db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._file.path.stat().st_mode & 0o777 == 0o600


def test_notes_do_not_grow_for_ever(store, monkeypatch):
    monkeypatch.setattr("host_tools.collector.notes._NOTES_MAX", 10)
    store.take_batch([("lp/x/up", b"")] * 25, NOW)
    assert len(rows(store._file.path, "refused")) == 10
    assert rows(store._file.path, "tally") == [("", 0, 0, 25, 0)]
