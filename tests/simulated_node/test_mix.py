# SPDX-License-Identifier: MIT
"""node/device/mixes.py on NVS as it is, beside the keyring of a store: whatever happens to the
node, both have the same seals; what was mixed in leaves the flash with the seal; a power cut at
any operation leaves a node that has taken it or has not, which the broker's second try mends."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from host_tools.collector.keyring import Keyring
from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from node.device import keys, nvs_scrub
from node.errors import CommandError
from simulator.world.flash import TORN, PowerCut
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import policy, stream
from tests.simulated_node.nvs_cuts import board, each_cut, flash_of, image_of
from tests.simulated_node.test_nvs_scrub import filled, scrub_all, traces

NODE = "0123456789"
TICKET = make_ticket(bytes(range(32)), NODE, 20_000)
A, B = bytes(range(100, 132)), bytes(range(132, 164))
NVS_BYTES = 0x4000


@pytest.fixture
def start(monkeypatch):
    """start(flash): a board's start; returns (keys, scrub)."""

    def run(flash):
        esp32 = board(flash)
        for module in (keys, nvs_scrub):
            monkeypatch.setattr(module, "esp32", esp32)
        return keys.Keys(), nvs_scrub.NvsScrub()

    return run


def seal(epoch, *mixes):
    return ref.seal_at(TICKET.seal, epoch, mixes)


def test_what_was_mixed_in_leaves_the_flash_with_the_seal_before(start):
    flash = flash_of(filled(nvs_image(TICKET, NVS_BYTES), False))
    its_keys, scrub = start(flash)
    its_keys.take("mix", 1, [2, A])
    its_keys.take("mix", 2, [4, B])
    its_keys.note_policy(3)
    for epoch in (1, 2, 3, 4):
        its_keys.step_to(epoch)
        scrub_all(scrub, epoch)
        image = image_of(flash)
        assert scrub.stale == 0
        assert (traces(image, A) > 0, traces(image, B) > 0) == (epoch < 2, epoch < 4), epoch
        assert not any(traces(image, seal(e, (2, A), (4, B))) for e in range(epoch)), epoch
        again, _ = start(flash_of(image))
        assert again.seal == its_keys.seal == seal(epoch, (2, A), (4, B))


def test_before_it_is_scrubbed_it_is_there_and_the_node_says_so(start):
    """What the test above looks for can be found."""
    flash = flash_of(nvs_image(TICKET, NVS_BYTES))
    its_keys, scrub = start(flash)
    its_keys.take("mix", 1, [1, A])
    assert scrub.look(0) == 0
    its_keys.step_to(1)
    assert traces(image_of(flash), A)
    assert scrub.look(1) == 2  # the seal without it, and with it


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_a_cut_while_it_is_taken_and_the_broker_brings_it_again(start, full):
    """The command has no acknowledgement then: the broker keeps it."""
    image = filled(nvs_image(TICKET, NVS_BYTES), full)
    cuts = taken = 0
    for where, left in each_cut(image, lambda flash: start(flash)[0].take("mix", 1, [2, A])):
        flash = flash_of(left)
        its_keys, _ = start(flash)
        assert (its_keys.missing(), its_keys.seal) == ([], TICKET.seal), where
        assert len(its_keys.mixes) in (0, 36), where
        assert its_keys.commanded <= len(its_keys.mixes) // 36, where  # not noted before it is in
        taken += len(its_keys.mixes) > 0
        try:
            its_keys.take("mix", 1, [2, A])
        except CommandError:
            assert its_keys.commanded == 1, where
        assert its_keys.mix_refused == 0, where
        again, _ = start(flash_of(image_of(flash)))
        again.step_to(3)
        assert again.seal == seal(3, (2, A)), where
        cuts += 1
    assert cuts > 20 and 0 < taken < cuts


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_a_cut_while_it_is_mixed_in_and_scrubbed(start, full):
    flash = flash_of(filled(nvs_image(TICKET, NVS_BYTES), full))
    its_keys, _ = start(flash)
    its_keys.take("mix", 1, [1, A])
    its_keys.take("mix", 2, [2, B])
    image = image_of(flash)

    def step_and_scrub(flash):
        its_keys, scrub = start(flash)
        its_keys.step_to(1)
        scrub_all(scrub, 1)

    epochs = set()
    for where, left in each_cut(image, step_and_scrub, 7):
        flash = flash_of(left)
        its_keys, scrub = start(flash)
        assert its_keys.missing() == [], where
        mixes = ((1, A), (2, B))
        assert its_keys.seal == seal(its_keys.epoch, *mixes), where
        assert len(its_keys.mixes) == 36 * (2 - its_keys.epoch), where
        epochs.add(its_keys.epoch)
        scrub.look(1)
        its_keys.step_to(1)
        scrub_all(scrub, 1)
        left = image_of(flash)
        assert (traces(left, TICKET.seal), traces(left, A), scrub.stale) == (0, 0, 0), where
        again, _ = start(flash_of(left))
        again.step_to(5)
        assert again.seal == seal(5, *mixes), where
    assert epochs == {0, 1}


EPOCHS = st.integers(0, 12)
MIXED = st.sampled_from([A, B])


class NodeAndKeyring(RuleBasedStateMachine):
    """A node on its flash, the keyring of a store that is told of each mix first, and what an
    independent chain says of the seal of every epoch."""

    def __init__(self):
        super().__init__()
        self._esp32 = keys.esp32
        self._folder = Path(tempfile.mkdtemp())
        rules, terms = policy(stream(1, "co2_ppm", 300, ["mean"], 10, 350, 5000), version=2)
        Keyring(self._folder / "keyring.json").add_node(TICKET, rules, terms)
        self._flash = flash_of(nvs_image(TICKET, NVS_BYTES))
        self._mixes = {}  # that the node has taken, in whatever order
        self._number = self._epoch = 0
        self._restart()

    def teardown(self):
        keys.esp32 = self._esp32
        shutil.rmtree(self._folder)

    def _restart(self):
        self._flash = flash_of(image_of(self._flash))
        keys.esp32 = board(self._flash)
        self._keys = keys.Keys()

    def _play(self, cut, action):
        """Whether it was done; or the power failed within, and the node has started again."""
        self._flash.cut(*cut)
        try:
            action()
            self._flash.cut(0, "all")
        except PowerCut:
            self._restart()
            return False
        return True

    cuts = st.tuples(st.integers(1, 14), st.sampled_from(TORN))

    @rule(epoch=EPOCHS, a=MIXED, cut=cuts)
    def mix(self, epoch, a, cut):
        """As the vault does: first the keyring, then the node; what a power cut has left without
        an acknowledgement comes again."""
        ring, self._number = Keyring(self._folder / "keyring.json"), self._number + 1
        is_new = epoch not in self._mixes and self._waiting() < 4
        may = epoch > self._epoch and (is_new or self._mixes.get(epoch) == a)
        if may:
            ring.add_mix(NODE, epoch, a)
        take = lambda: self._keys.take("mix", self._number, [epoch, a])  # noqa: E731
        try:
            if not self._play(cut, take):
                take()
            assert may, "it should be refused"
        except CommandError as err:
            self._flash.cut(0, "all")
            assert err.args == ("came before",) or not may
        assert self._keys.commanded == self._number
        if may:
            self._mixes[epoch] = a

    def _waiting(self):
        return len([epoch for epoch in self._mixes if epoch > self._epoch])

    @rule(epoch=EPOCHS, cut=cuts)
    def step(self, epoch, cut):
        if not self._play(cut, lambda: self._keys.step_to(epoch)):
            self._keys.step_to(epoch)
        self._epoch = max(self._epoch, epoch)

    @rule(version=st.integers(1, 20))
    def another_policy(self, version):
        self._keys.note_policy(version)

    @rule()
    def restart(self):
        self._restart()

    @precondition(lambda self: self._epoch)
    @rule(data=st.data())
    def the_store_forgets(self, data):
        ring = Keyring(self._folder / "keyring.json")
        ring.forget_before({NODE: data.draw(st.integers(0, self._epoch))})

    @invariant()
    def both_have_the_same_seals(self):
        ring = Keyring(self._folder / "keyring.json").node(NODE)
        mixes = sorted(self._mixes.items())
        assert self._keys.epoch == self._epoch
        assert self._keys.seal == seal(self._epoch, *mixes) == ring.seal_at(self._epoch)
        assert len(self._keys.mixes) == 36 * self._waiting()
        assert ring.seal == seal(ring.epoch, *mixes)
        assert sorted(ring.mixes) == [epoch for epoch, _ in mixes if epoch > ring.epoch]


TestNodeAndKeyring = NodeAndKeyring.TestCase
TestNodeAndKeyring.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)
