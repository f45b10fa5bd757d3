# SPDX-License-Identifier: MIT
"""What the vault mixes into a node's seals to come, on the side of a store: with it a keyring
opens what comes from then on, without it nothing. The envelopes come from reference_sealer.py."""

import json
import shutil

import pytest

from host_tools.collector.events import words
from host_tools.collector.keyring import Keyring
from host_tools.collector.open_envelope import (
    NO_LONGER_OPENS,
    NOT_MIXED,
    Opened,
    Refusal,
    open_envelope,
)
from host_tools.collector.store import Store
from host_tools.errors import ToolError
from host_tools.provisioning.seal_chain import seal_at
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import policy, stream

NODE = "0123456789"
ROOT = bytes(range(32))
DAY0 = 20_500
DAY_S = 86_400
POLICY, TERMS = policy(stream(1, "co2_ppm", 300, ["mean"], 10, 350, 5000), version=2)
A, B = bytes([1] * 32), bytes([2] * 32)


class MixingNode(ref.ReferenceNode):
    """mixes: [(epoch, a)] that this node has taken."""

    def __init__(self, *mixes):
        super().__init__(ROOT, NODE, DAY0, POLICY)
        self.mixes = mixes

    def seal_plaintext(self, plaintext: bytes) -> bytes:
        seal = ref.seal_at(ref.derive(ROOT, "lp1 seal", NODE), self.epoch, self.mixes)
        sealed = ref.envelope(
            NODE, POLICY, seal, self.epoch, self.series, self.counter, plaintext
        )  # fmt: skip
        self.counter += 1
        return sealed

    def on(self, epoch: int) -> bytes:
        """An envelope of that epoch."""
        self.epoch = epoch
        return self.seal(self.due(now_s(epoch), 40), now_s(epoch))


def now_s(epoch: int) -> int:
    return (DAY0 + epoch) * DAY_S + 43_200


@pytest.fixture
def keyring(tmp_path):
    keyring = Keyring(tmp_path / "keyring.json")
    keyring.add_node(make_ticket(ROOT, NODE, DAY0), POLICY, TERMS)
    return keyring


def outcome(keyring, node, epoch):
    """None when it opens, else why not and whether it is kept."""
    opened = open_envelope(keyring, NODE, node.on(epoch), now_s(epoch))
    return (opened.reason, opened.keep) if isinstance(opened, Refusal) else None


def test_with_it_all_opens_and_a_copy_without_it_opens_nothing_from_then_on(keyring, tmp_path):
    shutil.copy(keyring.path, tmp_path / "revoked.json")
    revoked = Keyring(tmp_path / "revoked.json")
    keyring.add_mix(NODE, 3, A)
    node = MixingNode((3, A))
    for ring in (keyring, Keyring(keyring.path)):
        assert [outcome(ring, node, epoch) for epoch in (0, 2, 3, 4, 9)] == [None] * 5
    assert [outcome(revoked, node, epoch) for epoch in (0, 2)] == [None] * 2
    for epoch in (3, 4, 9):
        assert outcome(revoked, node, epoch) == ("does not open", False)
    revoked.add_mix(NODE, 3, B)
    assert outcome(revoked, node, 3) == (NO_LONGER_OPENS, True)


def test_it_is_erased_once_its_epoch_has_come(keyring):
    keyring.add_mix(NODE, 3, A)
    keyring.add_mix(NODE, 5, B)
    keyring.forget_before({NODE: 2})
    assert A.hex() in keyring.path.read_text()
    before = keyring.node(NODE).seal
    keyring.forget_before({NODE: 3})
    text = keyring.path.read_text()
    assert (A.hex() in text, before.hex() in text, B.hex() in text) == (False, False, True)
    keyring.forget_before({NODE: 9})
    assert B.hex() not in keyring.path.read_text()
    again = Keyring(keyring.path).node(NODE)
    seal_0 = ref.derive(ROOT, "lp1 seal", NODE)
    assert again.seal == ref.seal_at(seal_0, 9, [(3, A), (5, B)])
    assert outcome(keyring, MixingNode((3, A), (5, B)), 9) is None


def test_what_cannot_be_mixed_in(keyring):
    keyring.forget_before({NODE: 4})
    keyring.add_mix(NODE, 6, A)
    keyring.add_mix(NODE, 6, A)  # again
    before = keyring.path.read_text()
    for node_id, epoch, match in (
        ("abcdefghjk", 6, "not in the keyring"), (NODE, 4, "is at epoch 4"),
        (NODE, 3, "is at epoch 4"), (NODE, 6, "something else"),
    ):  # fmt: skip
        with pytest.raises(ToolError, match=match) as caught:
            keyring.add_mix(node_id, epoch, B)
        assert A.hex() not in str(caught.value) and caught.value.hint
    for epoch, a in ((0, A), (0x10000, A), (7, A[1:]), (7, A + b"x")):
        with pytest.raises(ValueError, match="not an epoch to come"):
            keyring.add_mix(NODE, epoch, a)
    with pytest.raises(ToolError, match="nothing waits"):
        keyring.drop_mix(NODE, 7)
    with pytest.raises(ToolError, match="not in the keyring"):
        keyring.drop_mix("abcdefghjk", 6)
    assert keyring.path.read_text() == before
    assert A.hex() not in repr(keyring.node(NODE))
    with pytest.raises(ValueError, match="gone"):
        seal_at(A, 3, 2, {})


def test_a_keyring_from_before_there_were_any_is_read_and_a_damaged_one_is_none(keyring):
    keyring.add_mix(NODE, 6, A)
    content = json.loads(keyring.path.read_text())
    for wrong in ({"6": "00"}, {"six": A.hex()}, {"6": 7}, [A.hex()]):
        content["nodes"][NODE]["mixes"] = wrong
        keyring.path.write_text(json.dumps(content))
        with pytest.raises(ToolError, match="not a keyring"):
            Keyring(keyring.path)
    del content["nodes"][NODE]["mixes"]
    keyring.path.write_text(json.dumps(content))
    assert Keyring(keyring.path).node(NODE).mixes == {}


class TestStore:
    """A node that did not take the command, or only later, loses nothing."""

    @pytest.fixture
    def store(self, tmp_path, keyring):
        with Store(tmp_path / "a.sqlite", keyring) as store:
            yield store

    def take(self, store, node, *epochs):
        batch = [(node.topic, node.on(epoch)) for epoch in epochs]
        return store.take_batch(batch, now_s(epochs[-1]))

    def test_one_that_has_mixed_is_stored_and_the_keyring_forgets_what_was_mixed_in(
        self, store, keyring
    ):
        keyring.add_mix(NODE, 1, A)
        result = self.take(store, MixingNode((1, A)), 0, 0, 1)
        assert result.opened == {NODE: 3}
        keyring.forget_before(result.oldest_epochs)
        assert (keyring.node(NODE).epoch, keyring.node(NODE).mixes) == (1, {})

    def test_one_that_has_not_is_kept_until_the_vault_drops_it(self, store, keyring):
        keyring.add_mix(NODE, 1, A)
        node = MixingNode()
        result = self.take(store, node, 0, 1, 1, 2)
        assert (result.opened, result.kept, result.refused) == ({NODE: 1}, {NODE: 3}, {})
        keyring.forget_before(result.oldest_epochs)
        assert keyring.node(NODE).mixes == {1: A}
        detail = store._db.execute("SELECT detail FROM event WHERE kind = 'kept sealed'")
        assert detail.fetchall() == [(NOT_MIXED,)]
        keyring.drop_mix(NODE, 1)
        result = store.retry_sealed(now_s(2))
        assert result.opened == {NODE: 3}
        assert outcome(keyring, node, 2) is None

    def test_a_forgery_by_who_was_shut_out_is_not_let_in_and_ends_when_the_mix_is_sure(
        self, store, keyring
    ):
        keyring.add_mix(NODE, 1, A)
        forger, node = MixingNode(), MixingNode((1, A))
        self.take(store, node, 0)
        forger.log = b"FAKE"
        assert self.take(store, forger, 1).kept == {NODE: 1}
        result = self.take(store, node, 1, 1)
        assert result.opened == {NODE: 2}
        keyring.forget_before(result.oldest_epochs)
        assert keyring.node(NODE).mixes == {}
        result = store.retry_sealed(now_s(1))
        assert (result.opened, result.refused) == ({}, {NODE: 1})

    @pytest.mark.parametrize("reason", [NOT_MIXED, NO_LONGER_OPENS])
    def test_the_event_says_what_to_do(self, reason):
        detail, meaning = words("kept sealed", reason)
        assert detail == reason and "mix" in meaning.split("keyring changes.")[1]

    def test_of_two_a_part_was_taken(self, keyring):
        keyring.add_mix(NODE, 1, A)
        keyring.add_mix(NODE, 3, B)
        node = MixingNode((3, B))
        assert outcome(keyring, node, 2) == (NOT_MIXED, True)
        assert outcome(keyring, node, 3) == (NO_LONGER_OPENS, True)
        keyring.drop_mix(NODE, 1)
        assert outcome(keyring, node, 3) is None
        assert isinstance(open_envelope(keyring, NODE, node.on(4), now_s(4)), Opened)
