# SPDX-License-Identifier: MIT
"""node/device/nvs_scrub.py on NVS as it is: the bytes of an earlier seal leave the partition."""

import os

import pytest

from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from node.crypto.seal_chain import seal_at
from node.device import boots, keys, nvs_scrub
from simulator.world.flash import BLOCK_BYTES
from tests.simulated_node.nvs_cuts import board, each_cut, flash_of, image_of

TICKET = make_ticket(bytes(range(32)), "0123456789", 20_000)
EVERY = 1 if os.environ.get("LAMPPOST_LONG") == "1" else 41  # cuts; the long form takes them all
SIZES = [0x4000, 0x6000]
# What else a board keeps there: the radio's calibration, and Wi-Fi's own settings.
RADIO = [("phy", "cal_data", 1904), ("nvs.net80211", "sta.apinfo", 700),
         ("nvs.net80211", "sta.scan", 400)]  # fmt: skip


@pytest.fixture
def start(monkeypatch):
    """start(flash): a board's start; returns (keys, scrub, esp32)."""

    def run(flash):
        esp32 = board(flash)
        for module in (keys, nvs_scrub, boots):
            monkeypatch.setattr(module, "esp32", esp32)
        return keys.Keys(), nvs_scrub.NvsScrub(), esp32

    return run


def seals(count):
    chain = [TICKET.seal]
    for _ in range(count):
        chain.append(seal_at(chain[-1], 0, 1, {}))
    return chain


def filled(image, full):
    """An image with a board's own items; if `full`, all that leaves room for little else."""
    flash = flash_of(image)
    nvs = board(flash).partition
    for namespace, key, length in RADIO if full or len(image) > 0x4000 else RADIO[1:]:
        nvs.set(namespace, key, "blob", bytes(length))
    if full:
        count = 0
        try:
            while True:
                nvs.set("other", f"k{count}", "blob", bytes(300))
                count += 1
        except OSError:
            for i in range(max(0, count - 4), count):
                nvs.erase_key("other", f"k{i}")
    return image_of(flash)


def traces(image, seal):
    """How many parts of a seal are in the bytes: NVS may part it at an item's end."""
    return sum(image.count(seal[i : i + 8]) for i in range(0, 32, 8))


def scrub_all(scrub, epoch):
    steps = 0
    while scrub.step(epoch):
        steps += 1
        assert steps < 200
    return steps


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("size", SIZES)
def test_an_earlier_seal_is_gone_and_the_node_has_looked(start, size, full):
    image = filled(nvs_image(TICKET, size), full)
    chain = seals(3)
    for epoch in (1, 2, 3):
        flash = flash_of(image)
        flash.erases = [0] * flash.blocks
        its_keys, scrub, esp32 = start(flash)
        others = esp32.partition.keys("other")
        its_keys.step_to(epoch)
        assert scrub.look(epoch) >= 1
        assert traces(image_of(flash), chain[epoch - 1])
        scrub_all(scrub, epoch)
        image = image_of(flash)
        assert scrub.stale == 0
        for old in chain[:epoch]:
            assert traces(image, old) == 0
        again, _, esp32 = start(flash_of(image))
        assert (again.epoch, again.seal) == (epoch, chain[epoch])
        assert again.missing() == []
        assert esp32.partition.keys("other") == others
        assert [k for k in esp32.partition.keys("lamppost") if k[0] == "f"] == []


def test_a_heap_without_room_for_a_long_filler_takes_shorter_ones(start, monkeypatch):
    flash = flash_of(nvs_image(TICKET, SIZES[1]))
    its_keys, scrub, esp32 = start(flash)
    write = esp32.NVS.set_blob

    def set_blob(self, key, value):
        if len(value) > 256:
            raise MemoryError
        write(self, key, value)

    monkeypatch.setattr(esp32.NVS, "set_blob", set_blob)
    its_keys.step_to(1)
    assert traces(image_of(flash), TICKET.seal)
    scrub_all(scrub, 1)
    assert scrub.stale == 0
    assert traces(image_of(flash), TICKET.seal) == 0


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("size", SIZES)
def test_a_cut_anywhere_in_step_and_scrub_is_made_good_at_the_next_start(start, size, full):
    image = filled(nvs_image(TICKET, size), full)
    chain = seals(1)

    def step_and_scrub(flash):
        its_keys, scrub, _ = start(flash)
        its_keys.step_to(1)
        scrub_all(scrub, 1)

    others = start(flash_of(image))[2].partition.keys("other")
    cuts = stale_after = 0
    for where, left in each_cut(image, step_and_scrub, EVERY):
        flash = flash_of(left)
        its_keys, scrub, esp32 = start(flash)
        assert not esp32.partition.was_erased, where
        assert its_keys.missing() == [], where
        assert (its_keys.epoch, its_keys.seal) in ((0, chain[0]), (1, chain[1])), where
        assert its_keys.receipt == TICKET.receipt, where
        counts = boots.Boots()
        counts.count()  # as boot.py does, before anything is cleared
        its_keys.step_to(1)
        scrub.look(1)
        stale_after += scrub.stale > 0
        assert (scrub.stale > 0) >= (traces(image_of(flash), chain[0]) > 0), where
        scrub_all(scrub, 1)
        left = image_of(flash)
        assert (scrub.stale, traces(left, chain[0])) == (0, 0), where
        again, _, esp32 = start(flash_of(left))
        assert (again.epoch, again.seal) == (1, chain[1]), where
        assert esp32.partition.keys("other") == others, where
        assert [k for k in esp32.partition.keys("lamppost") if k[0] == "f"] == [], where
        cuts += 1
    assert cuts >= 30
    assert stale_after


def test_an_erasure_that_a_cut_ended_counts_as_an_earlier_seal(start):
    """The half that is left may hold a seal without its head."""
    image = bytearray(filled(nvs_image(TICKET, 0x4000), False))
    free = 2 * BLOCK_BYTES
    assert image[free : free + BLOCK_BYTES] == b"\xff" * BLOCK_BYTES
    image[free + 2048 : free + 2080] = TICKET.seal
    flash = flash_of(bytes(image))
    its_keys, scrub, _ = start(flash)
    its_keys.step_to(1)
    assert scrub.look(1) == 2
    scrub_all(scrub, 1)
    assert scrub.stale == 0
    assert traces(image_of(flash), TICKET.seal) == 0


def test_other_writes_have_room_while_it_runs(start):
    for size in SIZES:
        for full in (False, True):
            flash = flash_of(filled(nvs_image(TICKET, size), full))
            its_keys, scrub, _ = start(flash)
            counts = boots.Boots()
            its_keys.step_to(1)
            number = 0
            while scrub.step(1):
                number += 1
                its_keys.use_command(number)
                counts.formatted()
            again, _, _ = start(flash_of(image_of(flash)))
            assert again.commanded == number
            assert boots.Boots().formats == number
            assert (scrub.stale, traces(image_of(flash), TICKET.seal)) == (0, 0)


def test_a_new_policy_in_the_same_epoch_is_no_leak_and_is_scrubbed_with_it(start):
    flash = flash_of(nvs_image(TICKET, 0x6000))
    its_keys, scrub, _ = start(flash)
    its_keys.note_policy(7)
    assert scrub.look(0) == 0  # both are the seal in use
    its_keys.note_policy(8)
    its_keys.step_to(1)
    assert scrub.look(1) == 3
    scrub_all(scrub, 1)
    assert (scrub.stale, traces(image_of(flash), TICKET.seal)) == (0, 0)
    again, _, _ = start(flash_of(image_of(flash)))
    assert (again.epoch, again.policy_version) == (1, 8)


def test_one_epoch_a_day_wears_the_flash_little(start):
    """100,000 erasures of a sector (the W25Q and GD25Q datasheets) are more than 100 years."""
    for size in SIZES:
        flash = flash_of(filled(nvs_image(TICKET, size), False))
        flash.erases = [0] * flash.blocks
        its_keys, scrub, _ = start(flash)
        days = 60
        for day in range(1, days + 1):
            its_keys.step_to(day)
            scrub_all(scrub, day)
            assert scrub.stale == 0
        worst = max(flash.erases)
        print(f"{size:#x}: {sum(flash.erases) / days:.1f} erases a day, worst sector {worst}")
        assert worst * 365 * 100 < 100_000 * days


def test_without_anything_to_do_it_writes_nothing(start):
    flash = flash_of(nvs_image(TICKET, 0x6000))
    _, scrub, _ = start(flash)
    assert scrub.step(0) is False
    assert (scrub.stale, flash.operations) == (0, 0)
