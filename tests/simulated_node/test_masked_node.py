# SPDX-License-Identifier: MIT
"""A node that masks, and the power that fails at any operation of its flash or its NVS: no slot
leaves under two masks, masks follow each other without a hole, and each holds what was measured.
"""

import os

import pytest

from host_tools.provisioning.nvs_image import nvs_image
from node.device import flash_file, nvs_scrub
from node.device.clock import DAY_S
from node.device.keys import Keys
from node.errors import CommandError, KeyMissing
from node.pipeline.masked_window import MaskedWindow
from node.policy.rules import Policy
from simulator.hal.bench import bench
from simulator.hal.on_cpython import os as flash_os
from simulator.world.nvs import NvsPartition
from tests.simulated_node.nvs_cuts import flash_of, image_of
from tests.simulated_node.own_bench import a_bench  # noqa: F401
from tests.simulated_node.test_nvs_scrub import filled
from tests.soak import masked_world as world
from tests.soak.cut_flash import ImageFlash, NotingFlash, cuts
from tests.soak.data_run import insert, reset_bench
from tests.soak.masked_world import BEGIN_S, BLANK_DATA, Board, fresh_nvs, look, opened, rules

LONG = os.environ.get("LAMPPOST_LONG") == "1"
POLICY = rules()
MIDNIGHT_S = BEGIN_S + 7200


def board(now_s=BEGIN_S + 10, data=None, nvs=None, policy=POLICY):
    data = ImageFlash(BLANK_DATA) if data is None else data
    return Board(data, fresh_nvs() if nvs is None else nvs, policy, now_s)


def restarted(before, now_s, policy=POLICY):
    images = ImageFlash(before.data.image()), ImageFlash(before.nvs.image())
    return board(now_s, *images, policy)


def test_windows_leave_masked_and_hold_what_was_measured():
    it = board()
    it.run_to(BEGIN_S + 3600)
    found = look(it.outbox, [POLICY])
    assert len(found[1]) == 11 and len(found[2]) == 6
    assert found[2][0] == [0, 0, 0, 0]  # the first was not watched whole
    assert all(m[0] == 5 for m in found[1])
    first = opened(it.outbox.read(1), [POLICY])[1][3]
    assert [record[0] for record in first] == [1, 2, 3]
    assert first[2][2] == 5  # in the open


def test_a_gap_is_bridged_and_too_few_samples_are_nothing():
    it = board()
    it.run_to(BEGIN_S + 1800)
    it = restarted(it, BEGIN_S + 3333)
    it.run_to(BEGIN_S + 3600)
    it.node.sensors[0].step = lambda now_ms: []  # the sensor is silent
    it.run_to(BEGIN_S + 5400)
    found = look(it.outbox, [POLICY])
    assert [0, 0] in found[1] and found[1][-1] == [0, 0]
    chain = world.masked_records(it.outbox, [POLICY])[1]
    bridges = [record for _, record in chain if record[1] > record[2]]
    assert len(bridges) == 1


def test_several_windows_that_close_in_one_step_are_one_chain():
    it = board()
    it.run_to(BEGIN_S + 900)
    it.run_to(BEGIN_S + 900 + 3000, each_s=3000)  # it stood still for 50 minutes
    it.run_to(BEGIN_S + 5400)
    assert it.node._unsealed == 0
    assert len(look(it.outbox, [POLICY])[1]) == 17


def play(it):
    """A day ends, and with it an epoch; the keys are scrubbed."""
    it.run_to(BEGIN_S + 600 + 600)
    it.clock.now_s = MIDNIGHT_S - 700  # nothing happens for a while
    it.run_to(MIDNIGHT_S + 300)
    it.receipt()
    it.scrub()
    it.run_to(MIDNIGHT_S + 900)


def after_cut(data, nvs, now_s):
    """The node starts again, finds its way, and is at the present epoch."""
    it = board(now_s + 20, data, nvs)
    it.run_to(now_s + 1500 - now_s % 300)
    it.receipt()
    assert it.scrub() == 0
    it.run_to(it.clock.now_s + 600)
    assert it.node._unsealed == 0
    found = look(it.outbox, [POLICY])
    assert found[1][-1][0] == 5
    assert len([m for m in found[1] if not any(m)]) <= 3
    for number in (1, 2):
        assert it.keys.masks().tree(number).index >= (it.keys.epoch * 1440 if it.keys.epoch else 0)


@pytest.mark.parametrize("which", ["data", "nvs"])
def test_a_cut_at_every_operation(which):
    now = [None]
    other = fresh_nvs() if which == "data" else ImageFlash(BLANK_DATA)
    knows = lambda: (other.image(), now[0].clock.now_s if now[0] else BEGIN_S)  # noqa: E731
    begin = BLANK_DATA if which == "data" else fresh_nvs().image()
    noting = NotingFlash(begin, knows)
    pair = (noting, other) if which == "data" else (other, noting)
    now[0] = it = board(BEGIN_S + 10, *pair)
    play(it)
    look(it.outbox, [POLICY])
    operations = len(noting.noted)
    assert operations > 50
    each = 1 if LONG else operations // 40 + 1
    looked = 0
    for index, torn, left, (rest, now_s) in cuts(noting, range(0, operations + 1, each)):
        reset_bench()
        images = (left, ImageFlash(rest)) if which == "data" else (ImageFlash(rest), left)
        try:
            after_cut(*images, now_s)
        except Exception as err:
            raise AssertionError(f"operation {index}, {torn}") from err
        looked += 1
    assert looked > 40


@pytest.mark.parametrize("part", ["outbox", "masked"])
def test_what_the_flash_does_not_take_is_bridged(part, monkeypatch):
    """For 800 seconds: the envelope, or what is noted of it before."""
    it, failed = board(), []
    it.run_to(BEGIN_S + 1200)

    def failing(write):
        def maybe(*arguments):
            if BEGIN_S + 1200 < it.clock.now_s <= BEGIN_S + 2000:
                failed.append(1)
                raise OSError(5)
            write(*arguments)

        return maybe

    if part == "outbox":
        it.outbox.append = failing(it.outbox.append)
    else:
        monkeypatch.setattr(flash_file, "replace", failing(flash_file.replace))
    it.run_to(BEGIN_S + 3600)
    assert failed and it.node._unsealed == len(failed)
    for box in (it.outbox, restarted(it, BEGIN_S + 3610).outbox):
        assert len(look(box, [POLICY])[1]) == 11 - len(failed)


def test_a_restart_after_an_append_that_failed_knows_the_place():
    it = board()
    it.run_to(BEGIN_S + 1200)
    write = it.outbox.append
    it.outbox.append = lambda *envelopes: (_ for _ in ()).throw(OSError(5))
    it.run_to(BEGIN_S + 1500)
    it.outbox.append = write
    it = restarted(it, BEGIN_S + 1510)
    it.run_to(BEGIN_S + 3600)
    look(it.outbox, [POLICY])


@pytest.mark.parametrize(("window_s", "at_s"), [(300, 0), (300, 2700), (900, 2700)])
def test_what_was_masked_is_not_masked_again(window_s, at_s):
    """By a clock that was wrong by hours, and then is right; or in part, by a longer window."""
    it = board()
    it.run_to(BEGIN_S + 3000)
    window = MaskedWindow(Policy(rules(2, window_s)).streams[0])
    slot = (BEGIN_S + at_s) // window_s
    record = window.record((slot + 1) * window_s, 5, True, [])
    it.masker._sealer.seal = lambda log, number, floor, records, instant_s: records
    number = it.outbox.next_number
    assert it.masker.seal(b"log!", number, 1, [record], 0) == [[1, slot, None, None]]
    assert it.masker.unmasked == 1


def test_a_clock_that_was_forged_ahead_silences_the_stream_until_then_and_no_longer():
    it = board()

    def set_clock(to_s):
        it.clock.now_s, it.clock.steps = to_s, it.clock.steps + 1
        for sensor in it.node.sensors:
            sensor.shift(0)

    it.run_to(BEGIN_S + 1800)
    set_clock(BEGIN_S + 7210)
    it.run_to(BEGIN_S + 9000)
    set_clock(BEGIN_S + 1900)
    it.run_to(BEGIN_S + 10_800)
    found = look(it.outbox, [POLICY])
    ends = [record[1] * 300 for _, record in world.masked_records(it.outbox, [POLICY])[1]
            if record[3] is not None]  # fmt: skip
    assert ends == sorted(ends) and found[1][-1][0] == 5
    silent = [record for _, record in world.masked_records(it.outbox, [POLICY])[1]
              if record[3] is None]  # fmt: skip
    assert len(silent) > 15 and all(record[1] * 300 < BEGIN_S + 9000 for record in silent)
    assert it.node._unsealed >= len(silent)


def test_data_made_anew_begins_with_the_slot():
    it = board()
    it.run_to(BEGIN_S + 1800)
    it = board(BEGIN_S + 2000, None, ImageFlash(it.nvs.image()))
    it.run_to(BEGIN_S + 3600)
    chain = world.masked_records(it.outbox, [POLICY])[1]
    assert chain[0][1][1] == chain[0][1][2]
    look(it.outbox, [POLICY])


def test_a_file_that_is_damaged_begins_with_the_slot():
    it = board()
    it.run_to(BEGIN_S + 1800)
    with flash_os.open("/data/masked", "rb") as file:
        data = file.read()
    for damaged in (data[:-1], data[:7] + bytes([data[7] ^ 1]) + data[8:], b"", b"1234"):
        with flash_os.open("/data/masked", "wb") as file:
            file.write(damaged)
        again = restarted(it, BEGIN_S + 2000)
        assert again.masker._ends == [{}]
        again.run_to(BEGIN_S + 2700)
        look(again.outbox, [POLICY], holes=True)
        insert(it.data)
        bench.nvs = NvsPartition(it.nvs)
        it = restarted(it, BEGIN_S + 1800)


def test_another_outbox_knows_the_place_as_well():
    it = board()
    it.run_to(BEGIN_S + 1800)
    before = world.masked_records(it.outbox, [POLICY])[1][-1][1]
    it.outbox.begin_anew()
    for now_s in (BEGIN_S + 1810, BEGIN_S + 2400):
        it = restarted(it, now_s)
        it.run_to(now_s + 590)
    chain = world.masked_records(it.outbox, [POLICY])[1]
    assert chain[0][1][2] == before[1] + 1
    look(it.outbox, [POLICY])


def test_another_policy_at_midnight_with_another_window():
    """Its first slot follows where the last ended; one that begins elsewhere begins anew."""
    for now_s, bridged in ((BEGIN_S, True), (BEGIN_S + 3600 * 2 - 1100, False)):
        it = board(now_s + 10)
        newer = rules(2, 900)
        it.renewal.at_s, it.renewal.policy = MIDNIGHT_S, newer
        if bridged:
            it.run_to(MIDNIGHT_S + 3600)
        else:
            it.run_to(MIDNIGHT_S - 600)
            it.clock.now_s = MIDNIGHT_S + 5000
            it.run_to(MIDNIGHT_S + 9000)
        policies = [POLICY, newer]
        found = look(it.outbox, policies, holes=not bridged)
        assert found[1][-1][0] == 15
        chain = world.masked_records(it.outbox, policies)[1]
        starts = [record[1] == record[2] for policy, record in chain if policy == newer]
        assert all(starts)


def test_without_its_tree_a_stream_is_silent_and_the_others_go_on():
    nvs = NvsPartition(fresh_nvs())
    nvs.erase_key("lamppost", "mask001")
    it = board(nvs=nvs.flash)
    it.run_to(BEGIN_S + 3600)
    found = look(it.outbox, [POLICY])
    assert 1 not in found and len(found[2]) == 6
    records = [opened(it.outbox.read(n), [POLICY])[1][3] for n in range(1, 12)]
    assert all(r[0][0] == 1 and r[0][2:] == [None, None] for r in records)
    assert all(r[-1][0] == 3 and r[-1][2] == 5 for r in records)
    assert len({len(it.outbox.read(n)) for n in (1, 3, 5)}) == 1
    assert it.node._unsealed == 11


def test_no_encoding_has_a_form_for_what_is_not_masked():
    """Nothing but a mask makes a record of what a window holds."""
    it = board()
    it.node.sealer = it.masker._sealer
    with pytest.raises(Exception, match="type that is not encoded"):
        it.run_to(BEGIN_S + 900)


class TestStep:
    def test_all_leaves_before_the_day_are_gone_from_the_raw_partition(self):
        """Whoever has every byte of NVS has none of a seed from which an earlier leaf comes."""
        it = board()
        it.run_to(MIDNIGHT_S + 300)
        masked = world.masked_records(it.outbox, [POLICY])
        it.receipt()
        assert it.scrub() == 0
        image = it.nvs.image()
        for stream in (1, 2, 250):
            tree = it.keys.masks().tree(stream)
            end_s = (masked[stream][-1][1][1] + 1) * 300 * stream if stream < 3 else MIDNIGHT_S
            assert tree.index == (end_s - world.DAY0 * DAY_S) // 60
            leaves = {0, tree.index - 1, 1320, 1325, 1439 if stream == 250 else 1434}
            for leaf in leaves:
                for seed in path(stream, leaf):
                    assert not traces(image, seed), (stream, leaf)
            live = path(stream, tree.index)[-1]
            assert tree.leaf() == live

    def test_before_the_step_they_are_there_to_find(self):
        """What the test above looks for can be found: it would fail without the step."""
        it = board()
        assert traces(it.nvs.image(), path(1, 5)[0])
        it.run_to(MIDNIGHT_S + 300)
        it.receipt()
        stale = nvs_scrub.NvsScrub()
        assert stale.look(it.keys.epoch) >= 4  # three trees and a seal

    def test_a_tree_that_is_not_used_moves_with_the_days(self):
        it = board(policy=rules(masked=()))
        it.run_to(MIDNIGHT_S + 300)
        it.receipt()
        for stream in (1, 2, 250):
            assert it.keys.masks().tree(stream).index == 1440

    def test_it_is_stepped_at_the_next_start_when_the_power_failed_before(self):
        it = board()
        it.run_to(MIDNIGHT_S + 300)
        it.keys.step_to(1)
        again = restarted(it, MIDNIGHT_S + 400)
        assert again.keys.masks().tree(1).index >= 1440
        assert again.keys.stepped


def path(stream: int, leaf: int) -> list[bytes]:
    """The seeds from the root down to a leaf."""
    seeds = [world.TICKET.masks[stream]]
    for bit in f"{leaf:024b}":
        seeds.append(world._blocks(seeds[-1], 2)[int(bit)])
    return seeds


def traces(image: bytes, seed: bytes) -> int:
    """How many halves of a seed are in the bytes: an item's end may part it."""
    return image.count(seed[:8]) + image.count(seed[8:])


class TestCommand:
    def test_the_vault_gives_a_tree_to_a_node_that_has_none(self):
        nvs = NvsPartition(ImageFlash(nvs_image(plain_ticket(), world.NVS_BYTES)))
        it = board(nvs=nvs.flash)
        it.run_to(BEGIN_S + 900)
        assert it.node._unsealed and it.keys.masks().numbers() == []
        for number in (1, 2):
            it.keys.masks().take([number, world.TICKET.masks[number]], 0)
        again = restarted(it, BEGIN_S + 910)
        again.run_to(BEGIN_S + 3600)
        assert len(look(again.outbox, [POLICY])[1]) == 8
        assert again.keys.masks().numbers() == [1, 2]
        with pytest.raises(CommandError):
            again.keys.masks().take([1, bytes(16)], 0)
        for wrong in ([0, bytes(16)], [256, bytes(16)], [9, bytes(15)], [9], [True, bytes(16)],
                      [9, "x" * 16], [9, bytes(16), 1], []):  # fmt: skip
            with pytest.raises(CommandError):
                again.keys.masks().take(wrong, 0)

    def test_a_cut_while_it_is_given_leaves_one_or_none_and_it_may_come_again(self):
        begin = nvs_image(plain_ticket(), world.NVS_BYTES)
        noting = NotingFlash(begin, tuple)
        it = board(nvs=noting)
        first = len(noting.noted)
        it.keys.masks().take([7, bytes(16)], 0)
        for _, _, left, _ in cuts(noting, range(first, len(noting.noted) + 1)):
            reset_bench()
            bench.nvs, bench.partitions["nvs"] = NvsPartition(left), left
            masks = Keys().masks()
            assert masks.numbers() in ([], [7])
            if not masks.has(7):
                masks.take([7, bytes(16)], 0)
            assert masks.numbers() == [7] and masks.tree(7).leaf()
            assert not masks.step_to(0, {}) and masks.step_to(1, {})

    def test_one_that_is_given_while_others_serve_steps_with_them(self):
        it = board()
        it.keys.masks().take([9, bytes(16)], 0)
        it.run_to(MIDNIGHT_S + 300)
        it.receipt()
        assert it.keys.masks().tree(9).index == 1440

    def test_it_begins_with_the_epoch(self):
        it = board()
        it.keys.step_to(3)
        it.keys.masks().take([9, bytes(16)], it.keys.epoch)
        assert it.keys.masks().tree(9).index == 3 * 1440


def plain_ticket():
    return world.make_ticket(bytes(range(32)), world.NODE, world.DAY0)


def test_a_place_beyond_the_last_leaf_masks_nothing():
    it = board()
    masks = it.keys.masks()
    masks.step_to(20_000, {})
    for number in (1, 2, 250):
        with pytest.raises(KeyMissing):
            masks.tree(number)
    it.run_to(BEGIN_S + 900)
    assert look(it.outbox, [POLICY]) == {}


@pytest.mark.parametrize("count", [1, 8, 20])
def test_nvs_holds_and_forgets_the_trees_of_a_ticket(count):
    """Beside what else a board keeps there."""
    ticket = world.make_ticket(bytes(32), world.NODE, world.DAY0, range(1, count + 1))
    flash = flash_of(filled(nvs_image(ticket, world.NVS_BYTES), False))
    bench.nvs, bench.partitions["nvs"] = NvsPartition(flash), flash
    masks, scrub = Keys().masks(), nvs_scrub.NvsScrub()
    assert masks.numbers() == list(range(1, count + 1))
    for number in masks.numbers():
        assert masks.tree(number).encode()[:20] == bytes(4) + ticket.masks[number]
    assert scrub.look(0) == 0
    for day in (1, 2):
        Keys().step_to(day)
        assert masks.step_to(day, {})
        assert scrub.look(day) > 0
        while scrub.step(day):
            pass
        assert scrub.stale == 0
        assert [masks.tree(number).index for number in masks.numbers()] == [1440 * day] * count
    assert not [root for root in ticket.masks.values() if traces(image_of(flash), root)]
