# SPDX-License-Identifier: MIT
"""simulator/world/nvs.py: the bytes that Espressif's generator makes, and every power cut."""

import io
import random
import struct

import pytest
from esp_idf_nvs_partition_gen import nvs_partition_gen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.world.flash import BLOCK_BYTES, Flash
from simulator.world.nvs import NOT_ENOUGH_SPACE, NOT_FOUND, NvsPartition
from tests.simulated_node.nvs_cuts import each_cut, entries, flash_of, image_of, is_lost_at_start

SPACE = "lamppost"


def blob(seed, length):
    return random.Random(seed).randbytes(length)


def generated(content, size):
    """content: [(namespace, key, kind, value)]"""
    file = io.BytesIO()
    nvs = nvs_partition_gen.nvs_open(file, size - BLOCK_BYTES, nvs_partition_gen.Page.VERSION2)
    indexes = []
    for namespace, key, kind, value in content:
        if namespace not in indexes:
            indexes.append(namespace)
            nvs_partition_gen.write_entry(nvs, namespace, "namespace", "", "")
        encoding = "binary" if kind == "blob" else kind
        index = indexes.index(namespace) + 1
        nvs_partition_gen.write_entry(nvs, key, "data", encoding, value, index)
    nvs_partition_gen.nvs_close(nvs)
    return file.getvalue()


def value_of(nvs, key):
    for kind in ("blob", "i32"):
        try:
            return nvs.get(SPACE, key, kind)
        except OSError as err:
            assert err.args[0] == NOT_FOUND
    return None


def values(nvs, keys):
    return {key: value_of(nvs, key) for key in keys}


def do(nvs, action):
    key, kind, value = action
    if kind == "erase":
        try:
            nvs.erase_key(SPACE, key)
        except OSError as err:
            assert err.args[0] == NOT_FOUND
    else:
        nvs.set(SPACE, key, kind, value)


# the generator's bytes

SMALL = [
    ("lamppost", "seal", "blob", blob(1, 40)), ("lamppost", "receipt", "blob", blob(2, 32)),
    ("phy", "cal_version", "i32", -5), ("phy", "cal_data", "blob", blob(3, 1904)),
    ("lamppost", "boots", "i32", 2**31 - 1), ("other", "least", "i32", -(2**31)),
    ("other", "a.name.of.fifte", "blob", b"\xff" * 33), ("phy", "one", "blob", b"x"),
]  # fmt: skip
LARGE = [("a", "large", "blob", blob(4, 5000)), ("a", "n", "i32", 7), ("b", "n", "blob", b"1234")]
LARGEST = [("a", f"b{i}", "blob", blob(i, 4000)) for i in range(4)]
MANY = [("a", f"k{i}", "i32", i * 1001) for i in range(300)]


FITTING = [(SMALL, 0x3000), (SMALL, 0x4000), (SMALL, 0x6000), (LARGE, 0x3000), (LARGE, 0x4000),
           (LARGE, 0x6000), (MANY, 0x4000), (MANY, 0x6000), (LARGEST, 0x6000)]  # fmt: skip


@pytest.mark.parametrize(("content", "size"), FITTING)
def test_what_the_generator_writes_is_read_and_written_alike(content, size):
    image = generated(content, size)
    assert len(image) == size
    flash = flash_of(image)
    nvs = NvsPartition(flash)
    for namespace, key, kind, value in content:
        assert nvs.get(namespace, key, kind) == value
    for namespace in {entry[0] for entry in content}:
        assert nvs.keys(namespace) == sorted(e[1] for e in content if e[0] == namespace)
    assert flash.operations == 0
    assert not nvs.was_erased
    fresh = Flash(blocks=size // BLOCK_BYTES)
    nvs = NvsPartition(fresh)
    for namespace, key, kind, value in content:
        nvs.set(namespace, key, kind, value)
    assert image_of(fresh) == image


def test_a_value_is_replaced_erased_and_changes_its_kind():
    flash = Flash(blocks=3)
    nvs = NvsPartition(flash)
    nvs.set(SPACE, "k", "blob", b"first")
    before = flash.operations
    nvs.set(SPACE, "k", "blob", b"first")
    assert flash.operations == before  # the same value is not written again
    for value in (b"second", b"", blob(1, 4100), b"x"):
        nvs.set(SPACE, "k", "blob", value)
        assert NvsPartition(flash_of(image_of(flash))).get(SPACE, "k", "blob") == value
    nvs.set(SPACE, "k", "i32", -1)
    assert nvs.get(SPACE, "k", "i32") == -1
    for call in (
        lambda: nvs.get(SPACE, "k", "blob"),
        lambda: nvs.get("elsewhere", "k", "i32"),
        lambda: nvs.erase_key(SPACE, "absent"),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.args == (NOT_FOUND,)
    nvs.erase_key(SPACE, "k")
    assert nvs.keys(SPACE) == []


def test_what_is_replaced_stays_in_the_bytes_until_its_page_is_erased():
    flash = Flash(blocks=3)
    nvs = NvsPartition(flash)
    secret = blob(1, 32)
    nvs.set(SPACE, "seal", "blob", secret)
    nvs.set(SPACE, "seal", "blob", blob(2, 32))
    writes = 0
    while secret in image_of(flash):
        nvs.set(SPACE, "other", "blob", blob(writes, 100))
        writes += 1
    assert writes > 20
    assert nvs.get(SPACE, "seal", "blob") == blob(2, 32)


def test_a_full_partition_says_so_and_keeps_what_it_has():
    nvs = NvsPartition(Flash(blocks=3))
    count = 0
    with pytest.raises(OSError) as caught:
        while True:
            nvs.set(SPACE, f"k{count}", "blob", blob(count, 480))
            count += 1
    assert caught.value.args == (NOT_ENOUGH_SPACE,)
    assert count == 14  # 7 a page, on all but one
    for i in range(count):
        assert nvs.get(SPACE, f"k{i}", "blob") == blob(i, 480)
    nvs.erase_key(SPACE, "k3")
    nvs.set(SPACE, "again", "blob", blob(99, 480))


def test_a_replaced_blob_that_finds_no_room_in_parts_loses_what_it_had():
    """As in ESP-IDF, whose clean-up takes the old chunk of the same number for the new one."""
    nvs = NvsPartition(Flash(blocks=3))
    nvs.set(SPACE, "fill", "blob", blob(0, 3936))  # the whole first page
    nvs.set(SPACE, "victim", "blob", blob(1, 100))
    with pytest.raises(OSError) as caught:
        nvs.set(SPACE, "victim", "blob", blob(4, 4000))
    assert caught.value.args == (NOT_ENOUGH_SPACE,)
    assert value_of(nvs, "victim") is None
    nvs = NvsPartition(flash_of(image_of(nvs.flash)))
    assert nvs.keys(SPACE) == ["fill"]


# a board's start


def header(state, sequence, version=0xFE):
    body = struct.pack("<IB", sequence, version) + b"\xff" * 19
    crc = nvs_partition_gen.zlib.crc32(body, 0xFFFFFFFF)
    return struct.pack("<I", state) + body + struct.pack("<I", crc)


def test_a_partition_without_a_free_page_is_erased_without_a_word():
    image = b"".join(header(0xFFFFFFFC, i).ljust(BLOCK_BYTES, b"\xff") for i in range(3))
    nvs = NvsPartition(flash_of(image))
    assert nvs.was_erased
    assert nvs.keys(SPACE) == []
    nvs.set(SPACE, "k", "i32", 1)
    assert not NvsPartition(flash_of(image_of(nvs.flash))).was_erased


def test_a_newer_version_is_erased_without_a_word():
    image = generated(SMALL, 0x4000)
    newer = header(0xFFFFFFFE, 0, 0xFD) + image[32:]
    assert NvsPartition(flash_of(newer)).was_erased


@pytest.mark.parametrize("damage", ["header", "state", "blank header"])
def test_a_damaged_page_is_free_and_erased_when_it_is_needed(damage):
    image = bytearray(generated(MANY[:200], 0x4000))  # two pages
    at = BLOCK_BYTES
    if damage == "header":
        image[at + 4] ^= 2
    elif damage == "state":
        image[at : at + 4] = b"\xf0\xff\xff\xff"
    else:
        image[at : at + 32] = b"\xff" * 32
    flash = flash_of(bytes(image))
    nvs = NvsPartition(flash)
    assert flash.operations == 0
    assert not nvs.was_erased
    assert nvs.keys("a") == sorted(f"k{i}" for i in range(125))
    flash.erases = [0] * 4
    for i in range(3):
        nvs.set("a", "n", "i32", i)
    assert flash.erases == [0, 1, 0, 0]


# power cuts

KEYS = ["a", "b", "c", "d"]
VALUES = st.one_of(
    st.tuples(st.just("blob"), st.builds(blob, st.integers(0, 99), st.sampled_from(
        [0, 5, 31, 32, 40, 300, 900]))),
    st.tuples(st.just("i32"), st.integers(-(2**31), 2**31 - 1)),
    st.just(("erase", None)),
)  # fmt: skip
ACTIONS = st.lists(
    st.tuples(st.sampled_from(KEYS), VALUES).map(lambda a: (a[0], *a[1])), min_size=1, max_size=6
)


def worn(writes):
    """An image of three pages after so many writes, so that pages are taken anew."""
    nvs = NvsPartition(Flash(blocks=3))
    for i in range(writes):
        nvs.set(SPACE, KEYS[i % 4], "blob", blob(i, 40 + 100 * (i % 3)))
    return image_of(nvs.flash)


def takes_a_page_anew(image):
    flash = flash_of(image)
    flash.erases = [0] * 3
    NvsPartition(flash).set(SPACE, "b", "blob", blob(7, 300))
    return flash.erases != [0] * 3


WORN = [image for image in map(worn, range(20, 120)) if takes_a_page_anew(image)]


def check(image, before, after, key, what):
    """Starts from `image`. Every key has its value; the one under way the old or the new."""
    lost = is_lost_at_start(image, key)
    flash = flash_of(image)
    nvs = NvsPartition(flash)
    assert not nvs.was_erased, what
    found = values(nvs, KEYS)
    for name in KEYS:
        if name != key:
            assert found[name] == before[name], (what, name)
    if lost:
        assert isinstance(before[key], bytes), what
        assert isinstance(after[key], bytes), what
        assert found[key] is None, what
    else:
        assert found[key] in (before[key], after[key]), what
    nvs.set(SPACE, key, "blob", b"afterwards")
    again = NvsPartition(flash_of(image_of(flash)))
    assert again.get(SPACE, key, "blob") == b"afterwards"
    return lost


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(WORN), ACTIONS)
def test_a_cut_anywhere_leaves_each_key_its_old_or_its_new_value(image, actions):
    for action in actions:
        nvs = NvsPartition(flash_of(image))
        before = values(nvs, KEYS)
        do(nvs, action)
        after = values(nvs, KEYS)
        for where, left in each_cut(image, lambda flash, a=action: do(NvsPartition(flash), a)):
            check(left, before, after, action[0], (action[:2], where))
        image = image_of(nvs.flash)


def replace_and_count(image, action):
    nvs = NvsPartition(flash_of(image))
    before = values(nvs, KEYS)
    do(nvs, action)
    after = values(nvs, KEYS)
    cuts = each_cut(image, lambda flash: do(NvsPartition(flash), action))
    return [where for where, left in cuts if check(left, before, after, action[0], where)]


def test_where_esp_idf_loses_a_blob_that_is_replaced():
    """One place: all of the new data is there, and nothing of its index."""
    nvs = NvsPartition(Flash(blocks=3))
    for key in KEYS:
        nvs.set(SPACE, key, "blob", blob(key, 40))
    image = image_of(nvs.flash)
    # head, mark, whole data, mark, rest, mark, index, mark, old index, old data
    assert replace_and_count(image, ("a", "blob", blob(1, 40))) == [
        (6, "half"), (6, "all"), (7, "none")]  # fmt: skip
    for action in (("new", "blob", blob(1, 40)), ("a", "i32", 7), ("a", "erase", None)):
        assert action[0] == "new" or replace_and_count(image, action) == []
    full = entries(image_of(nvs.flash))
    assert len([1 for _, _, state, _ in full if state == 2]) == 1 + 4 * 4


def test_two_cuts_the_second_in_the_start_after_the_first():
    """On histories in which a page is taken anew."""
    pairs = 0
    for image in WORN:
        nvs = NvsPartition(flash_of(image))
        before = values(nvs, KEYS)
        action = ("b", "blob", blob(7, 300))
        do(nvs, action)
        after = values(nvs, KEYS)
        for first, left in each_cut(image, lambda flash, a=action: do(NvsPartition(flash), a)):
            doomed = is_lost_at_start(left, "b")
            for second, again in each_cut(left, NvsPartition):
                pairs += 1
                nvs = NvsPartition(flash_of(again))
                found = values(nvs, KEYS)
                assert not nvs.was_erased, (first, second)
                assert all(found[k] == before[k] for k in "acd"), (first, second)
                wanted = (None, before["b"]) if doomed else (before["b"], after["b"])
                assert found["b"] in wanted, (first, second)
    assert pairs > 2_000
