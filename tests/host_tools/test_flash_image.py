# SPDX-License-Identifier: MIT
"""host_tools/flashing: MicroPython's image, and where a node's parts lie beside it."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.flashing.esp_image import parse_image, read_image
from host_tools.flashing.layout import is_node, lay_out
from host_tools.flashing.partition_table import (
    APP,
    DATA,
    TABLE_AT,
    Partition,
    build_table,
    parse_table,
)
from tests.esp_image_builder import CHIPS, STOCK, app_description, image, micropython

SMALL = micropython(size=3000)
LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=16)


# the partition table


@st.composite
def tables(draw):
    rows, at = [], 0x9000
    for label in draw(st.lists(LABELS, min_size=1, max_size=20)):
        at += 0x1000 * draw(st.integers(0, 3))
        size = 0x1000 * draw(st.integers(1, 500))
        rows.append(Partition(label, draw(st.integers(0, 1)), draw(st.integers(0, 255)), at, size))
        at += size
    return tuple(rows)


@given(tables())
def test_a_table_is_read_as_it_was_built(rows):
    data = build_table(rows)
    assert len(data) == 0x1000
    assert parse_table(data) == rows


@given(tables(), st.data())
def test_a_table_with_a_wrong_bit_is_none(rows, data):
    table = bytearray(build_table(rows))
    bit = data.draw(st.integers(0, (len(rows) + 1) * 32 * 8 - 1))
    table[bit // 8] ^= 1 << bit % 8
    assert parse_table(bytes(table)) is None


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_no_table(data):
    assert parse_table(data) is None


def test_partitions_that_overlap_are_not_written():
    with pytest.raises(ValueError, match="overlap"):
        build_table((Partition("a", DATA, 2, 0x9000, 0x2000), Partition("b", DATA, 2, 0xA000, 1)))


# the image


@pytest.mark.parametrize("chip", CHIPS)
def test_the_image_of_each_chip(chip):
    found = parse_image(micropython(chip, "v1.27.0", 3000), "x.bin")
    assert (found.chip, found.version, found.flash_bytes) == (chip, (1, 27), 4 << 20)
    assert found.start == CHIPS[chip][1]
    assert found.table == STOCK and found.app.label == "factory"
    assert found.part(found.app.at, found.app.end)[0] == 0xE9


def refused(data: bytes, match: str):
    with pytest.raises(ToolError, match=match) as caught:
        parse_image(data, "x.bin")
    assert caught.value.hint


@settings(max_examples=60, deadline=None)
@given(st.integers(1, len(SMALL) - 1))
def test_a_truncated_image_is_refused(length):
    refused(SMALL[:length], "not whole|no image|truncated")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_image_is_refused(data):
    app_at = 0x10000 - 0x1000
    at = data.draw(st.one_of(st.integers(0, 4000), st.integers(app_at, len(SMALL) - 1)))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(SMALL)
    changed[at] ^= 1 << bit
    with pytest.raises(ToolError):
        parse_image(bytes(changed), "x.bin")


def test_what_is_no_image_is_told_by_its_kind():
    refused(b"<html>", "no image for an ESP32")
    refused(image(0, [app_description("v1.26.0")]), r"an application alone \(.app-bin\)")
    refused(image(2, [b"x"]), "esp32s2")
    refused(image(99, [b"x"]), "the chip 99")
    refused(SMALL.replace(b"micropython", b"arduino\0\0\0\0"), "truncated or damaged")
    other = micropython(size=3000, project="tasmota", banner=b"Tasmota")
    refused(other, "is not MicroPython")
    bootloader_of_s3 = micropython("esp32s3", size=3000)[:TABLE_AT]
    refused(bootloader_of_s3 + micropython("esp32c3", size=3000)[TABLE_AT:], "another chip")


def test_the_version_may_stand_in_the_banner_alone():
    built = micropython(version="v1.25.0", size=3000, project="esp-idf-app")
    assert parse_image(built, "x.bin").version == (1, 25)


def test_a_hash_that_is_given_must_be_that_of_the_file(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(SMALL)
    digest = hashlib.sha256(SMALL).hexdigest()
    assert read_image(path, digest.upper()).chip == "esp32"
    with pytest.raises(ToolError, match="does not have the SHA-256"):
        read_image(path, "0" + digest[1:] if digest[0] != "0" else "1" + digest[1:])
    with pytest.raises(ToolError, match="No such file"):
        read_image(tmp_path / "y.bin")


# the layout


def laid_out(rows=STOCK, flash_mib=4):
    return lay_out(parse_image(micropython(size=3000, rows=rows, flash_mib=flash_mib), "x.bin"))


def test_a_stock_image_leaves_room_for_both_filesystems():
    layout = laid_out()
    assert [(row.label, row.at, row.size) for row in layout.rows[3:]] == [
        ("vfs", 0x200000, 0x100000),
        ("lpdata", 0x300000, 0x100000),
    ]
    assert parse_table(layout.table) == layout.rows
    assert layout.rows[:3] == STOCK and layout.nvs == STOCK[0]
    assert is_node(layout.rows) and not is_node(STOCK) and not is_node(None)


def test_a_filesystem_of_the_image_gives_way():
    older = (*STOCK, Partition("vfs", DATA, 0x81, 0x200000, 0x200000))
    assert laid_out(older).rows == laid_out().rows


def test_an_image_without_room_is_refused():
    ota = (
        Partition("nvs", DATA, 0x02, 0x9000, 0x4000),
        Partition("otadata", DATA, 0x00, 0xD000, 0x2000),
        Partition("ota_0", APP, 0x10, 0x10000, 0x180000),
        Partition("ota_1", APP, 0x11, 0x190000, 0x180000),
    )
    with pytest.raises(ToolError, match="leaves 960 KiB"):
        laid_out(ota)
    assert laid_out(ota, flash_mib=8).code.at == 0x310000
    with pytest.raises(ToolError, match="has no partition nvs"):
        laid_out(STOCK[1:])
