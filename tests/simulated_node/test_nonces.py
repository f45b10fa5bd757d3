# SPDX-License-Identifier: MIT
"""No key and nonce twice, whatever happens to a board; `python -m tests.soak.nonces` is longer."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from simulator.hal.bench import bench
from simulator.hal.on_cpython import os as flash_os
from simulator.hal.on_cpython import vfs
from tests.soak import nonces
from tests.soak.data_run import reset_bench
from tests.soak.nonce_world import Board, World


@pytest.fixture(autouse=True)
def a_bench():
    before = dict(vars(bench))
    yield
    vars(bench).clear()
    vars(bench).update(before)
    vfs.mounted.clear()


class Happenings(RuleBasedStateMachine):
    """Hypothesis chooses what happens, and in which order."""

    def __init__(self):
        super().__init__()
        self.urandom = flash_os.urandom
        reset_bench()
        self.world = World(1, "good")

    @rule(count=st.integers(1, 4))
    def seal(self, count):
        self.world.seal(count)

    @rule(days=st.integers(0, 3))
    def receipt(self, days):
        self.world.receipt(days)

    @rule(after=st.integers(1, 40), which=st.sampled_from(["data", "nvs"]))
    def cut(self, after, which):
        self.world.power_up()
        self.world.cut_later(after, which)

    @rule(by_s=st.integers(-(10**6), 10**6))
    def clock(self, by_s):
        self.world.clock_step(by_s)

    @rule(data=st.booleans(), nvs=st.booleans())
    def restore(self, data, nvs):
        self.world.restore(data, nvs)

    @rule(copied=st.booleans())
    def twin(self, copied):
        self.world.twin(copied)

    @rule(verb=st.sampled_from(["power_off", "erase_nvs", "save", "damage_data", "scrub"]))
    def other(self, verb):
        getattr(self.world, verb)()

    @invariant()
    def none_is_repeated(self):
        assert not self.world.repeated

    def teardown(self):
        flash_os.urandom = self.urandom


Happenings.TestCase.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestHappenings = Happenings.TestCase


def test_a_good_source_repeats_nothing():
    world = nonces.play(3, "good", nonces.ALL, lambda world, _: world.cuts >= 150)
    assert world.sealed > 500
    assert world.starts > 150
    assert world.day > 20
    assert not world.repeated


@pytest.mark.parametrize("source", ["constant", "repeating"])
@pytest.mark.parametrize("name", [name for name, (_, may) in nonces.DEAD.items() if not may])
def test_a_dead_source_repeats_nothing_that_may_be_sent(source, name):
    world = nonces.play(4, source, nonces.DEAD[name][0], lambda _, count: count >= 60)
    assert world.sealed > 60
    assert not world.sent


@pytest.mark.parametrize("trouble", ["both restored", "a new board", "a copy"])
@pytest.mark.parametrize("source", ["constant", "good"])
def test_only_the_source_stands_counts_that_come_again(trouble, source):
    """Runs that share boot count and newest number share their keys without it: this is seen."""
    before = flash_os.urandom
    reset_bench()
    world = World(6, source)
    try:
        for _ in range(8):  # a cut in a start may part the counts
            if trouble == "a new board":
                world.board, world.boards = world.boards[0], world.boards[:1]
                world.damage_data()
                world.erase_nvs()
            world.save()
            world.seal(3)
            if trouble == "both restored":
                del world.saved[:-1]
                world.restore(True, True)
            else:
                images = world.saved[-1]
                world.power_off()
                world.boards = world.boards[:1]
                world.twin(copied=False)
                if trouble == "a copy":
                    world.board = world.boards[-1] = Board(*images)
            world.seal(3)
            world.board = world.boards[0]
    finally:
        flash_os.urandom = before
    assert bool(world.sent) == (source == "constant")
