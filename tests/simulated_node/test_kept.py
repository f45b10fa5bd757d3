# SPDX-License-Identifier: MIT
"""node/device/kept.py, keys.py and boots.py on NVS as it is: no power cut loses what they keep."""

from pathlib import Path

import pytest

import boards
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from node.crypto.seal_chain import seal_at
from node.device import boots, keys
from node.device.kept import Kept
from node.errors import CommandError, KeyMissing
from node.pipeline.seal import Sealer
from node.policy.rules import Policy
from simulator.world.flash import BLOCK_BYTES, Flash
from tests.simulated_node.nvs_cuts import board, each_cut, flash_of, image_of

KITS = Path(boards.__file__).parent / "kits"
TICKET = make_ticket(bytes(range(32)), "0123456789", 20_000)


def kept(flash):
    return Kept(board(flash).NVS("lamppost"), "k", 40)


def value(number):
    return number.to_bytes(4, "big") + bytes([number & 0xFF]) * 36


def test_a_value_is_kept_under_one_of_two_names():
    flash = Flash(blocks=3)
    it = kept(flash)
    assert it.value is None
    for number in range(100):
        it.keep(value(number))
        assert kept(flash_of(image_of(flash))).value == value(number)
        assert len(board(flash).partition.keys("lamppost")) == 1
    before = flash.operations
    it.keep(value(99))
    assert flash.operations == before


def test_a_value_of_another_length_is_none():
    flash = Flash(blocks=3)
    board(flash).NVS("lamppost").set_blob("k", b"short")
    it = kept(flash)
    assert it.value is None
    it.keep(value(1))
    assert kept(flash).value == value(1)
    assert len(board(flash).partition.keys("lamppost")) == 1


def test_a_value_that_finds_no_room_leaves_the_one_before():
    flash = Flash(blocks=3)
    it = kept(flash)
    it.keep(value(1))
    nvs = board(flash).NVS("other")
    with pytest.raises(OSError):
        for number in range(1000):
            nvs.set_i32(f"n{number}", number)
    it = kept(flash)
    with pytest.raises(OSError):
        it.keep(value(2))
    assert it.value == value(1)
    for again in (it, kept(flash)):
        assert again.value == value(1)
    board(flash).NVS("other").erase_key("n3")


def test_no_cut_loses_it_and_two_in_a_row_do_not_either():
    flash = Flash(blocks=3)
    number = pairs = anew = 0
    while anew < 2:
        image = image_of(flash)
        number += 1
        flash = flash_of(image)
        flash.erases = [0] * 3
        kept(flash).keep(value(number))
        if flash.erases == [0] * 3 and number > 4:
            continue
        anew += flash.erases != [0] * 3
        allowed = (value(number - 1) if number > 1 else None, value(number))
        for first, left in each_cut(image, lambda f, n=number: kept(f).keep(value(n))):
            after = kept(flash_of(left)).value
            assert after in allowed, (number, first)
            for second, again in each_cut(left, kept):
                pairs += 1
                fresh = flash_of(again)
                assert kept(fresh).value == after, (number, first, second)
                assert len(board(fresh).partition.keys("lamppost")) == (after is not None)
    assert pairs > 500


@pytest.fixture
def start(monkeypatch):
    def run(flash):
        esp32 = board(flash)
        monkeypatch.setattr(keys, "esp32", esp32)
        monkeypatch.setattr(boots, "esp32", esp32)
        return keys.Keys(), boots.Boots(), esp32.partition

    return run


def a_day(start, flash, day):
    its_keys, counts, _ = start(flash)
    counts.count()
    its_keys.step_to(day)
    its_keys.note_policy(day)
    its_keys.use_command(day)
    counts.reached()


def test_a_node_has_its_keys_and_numbers_after_any_cut(start):
    """Epoch, policy, command and boots never fall, no key is lost, and all goes on."""
    image = nvs_image(TICKET, 0x3000)
    for day in range(1, 13):
        flash = flash_of(image)
        a_day(start, flash, day)
        for where, left in each_cut(image, lambda flash, d=day: a_day(start, flash, d), 5):
            its_keys, counts, partition = start(flash_of(left))
            what = (day, where)
            assert not partition.was_erased, what
            assert its_keys.missing() == [], what
            assert its_keys.epoch in (day - 1, day), what
            assert its_keys.seal == seal_at(TICKET.seal, 0, its_keys.epoch, {}), what
            assert its_keys.policy_version in (day - 1, day), what
            assert its_keys.commanded in (day - 1, day), what
            assert counts.boots in (day - 1, day), what
            with pytest.raises(CommandError):
                its_keys.use_command(day - 1)
            its_keys.step_to(day)
            its_keys.note_policy(day)
            assert its_keys.epoch == day, what
        image = image_of(flash)


def test_keys_after_a_silent_erasure_are_missing_and_nothing_is_made_up(start):
    image = bytearray(nvs_image(TICKET, 0x3000))
    header = bytes(image[:32])
    image[:4] = b"\xfc\xff\xff\xff"  # all pages in use, as a partition that was cut short has them
    for page in (1, 2):
        image[page * BLOCK_BYTES : page * BLOCK_BYTES + 32] = b"\xfc" + header[1:]
    flash = flash_of(bytes(image))
    its_keys, counts, partition = start(flash)
    assert partition.was_erased
    assert its_keys.missing() == ["seal", "receipt", "command"]
    its_keys.step_to(5)
    its_keys.note_policy(3)
    assert (its_keys.seal, its_keys.epoch, its_keys.policy_version) == (None, 0, 0)
    assert counts.boots == 0
    policy = Policy(compile_policy(KITS / "air" / "policy.toml").rules)
    sealer = Sealer(its_keys, TICKET.node_id, policy, bytes(8))
    with pytest.raises(KeyMissing) as caught:
        sealer.seal(bytes(4), 1, 1, [], None)
    assert caught.value.args == ("seal",)  # what the log says; test_publish.py: the rest is sent
    counts.count()
    again, counts, partition = start(flash_of(image_of(flash)))
    assert again.missing() == ["seal", "receipt", "command"]
    assert counts.boots == 1
    assert not partition.was_erased
    assert TICKET.seal not in image_of(flash)
