# SPDX-License-Identifier: MIT
"""What boots, what does not, and what the board says then."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.serial_board.app_image import ImageError, read_image
from simulator.serial_board.bootloader import TABLE_AT, TableError, boot, parse_table
from simulator.serial_board.chips import CHIPS
from simulator.serial_board.flash_chip import FlashChip
from tests.bench.flash_image import (
    APP,
    DATA,
    FACTORY,
    NVS,
    app_image,
    flash_content,
    partition_table,
    write_flash,
)

SIZE = 1024 * 1024
IMAGE = app_image(0, 300)
TABLE = partition_table(("nvs", DATA, NVS, 0x9000, 0x6000), ("app", APP, FACTORY, 0x10000, 0x1000))
CHIP = CHIPS["esp32"]


@pytest.fixture
def flashed(tmp_path):
    """A flash with this content: {offset: bytes}."""
    made = []

    def make(content: dict) -> FlashChip:
        path = tmp_path / f"{len(made)}.bin"
        write_flash(path, content, SIZE)
        made.append(FlashChip(path, SIZE))
        return made[-1]

    yield make
    for flash in made:
        flash.close()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    flash = FlashChip(tmp_path_factory.mktemp("flash") / "flash.bin", 64 * 1024)
    yield flash
    flash.close()


def last_line(found) -> str:
    assert found.partitions is None
    return found.lines[-1]


@pytest.mark.parametrize("name", CHIPS)
def test_what_is_whole_boots(name, flashed):
    chip = CHIPS[name]
    found = boot(chip, flashed(flash_content(chip.bootloader_at, chip.image_id)))
    assert list(found.partitions) == ["nvs", "factory"]
    assert (found.app.name, found.app.version, found.app.idf) == (
        "micropython",
        "v1.2.3",
        "v5.4.1",
    )
    assert "I (60) boot: Loaded app from partition at offset 0x10000" in found.lines


def test_an_empty_flash_does_not(flashed):
    assert last_line(boot(CHIP, flashed({}))) == "invalid header: 0xffffffff"


def test_no_table_no_app(flashed):
    content = flash_content(0x1000, 0)
    del content[TABLE_AT]
    assert "partition table" in last_line(boot(CHIP, flashed(content)))


def test_the_image_of_another_chip_does_not_boot(flashed):
    content = {**flash_content(0x1000, 0), 0x10000: app_image(9)}
    found = boot(CHIP, flashed(content))
    assert "No bootable app" in last_line(found)
    assert any("mismatch chip ID, expected 0, found 9" in line for line in found.lines)


def test_a_partition_beyond_the_flash(flashed):
    table = partition_table(("factory", APP, FACTORY, 0x10000, SIZE))
    found = boot(CHIP, flashed({**flash_content(0x1000, 0), TABLE_AT: table}))
    assert "Failed to verify partition table" in last_line(found)
    assert "exceeds flash chip size 0x100000" in found.lines[-2]


def test_a_partition_that_is_not_of_whole_sectors(flashed):
    table = partition_table(("factory", APP, FACTORY, 0x10000, 0x1001))
    found = boot(CHIP, flashed({**flash_content(0x1000, 0), TABLE_AT: table}))
    assert "not of whole sectors" in found.lines[-2]


def ota(sequence: int, state: int = 2) -> bytes:
    crc = zlib.crc32(struct.pack("<I", sequence), 0xFFFF_FFFF)
    return struct.pack("<I20xII", sequence, state, crc)


@pytest.mark.parametrize(
    ("entries", "broken", "offset"),
    [
        ((ota(1), b""), (), 0x20000),
        ((ota(1), ota(2)), (), 0x30000),
        ((ota(3), ota(2)), (), 0x20000),
        ((ota(1), ota(2, state=4)), (), 0x20000),  # aborted: it rolls back
        ((ota(1), ota(2)), (0x30000,), 0x20000),  # its image is damaged
        ((b"", b""), (), 0x20000),
    ],
)
def test_ota_data_chooses_the_slot(entries, broken, offset, flashed):
    content = {0x1000: app_image(0, 512), 0xD000: entries[0], 0xE000: entries[1]}
    content[TABLE_AT] = partition_table(
        ("otadata", DATA, 0x00, 0xD000, 0x2000),
        ("ota_0", APP, 0x10, 0x20000, 0x10000),
        ("ota_1", APP, 0x11, 0x30000, 0x10000),
    )
    for at in (0x20000, 0x30000):
        content[at] = app_image(0, seed=at)
        if at in broken:
            content[at] = content[at][:-1] + bytes((content[at][-1] ^ 1,))
    found = boot(CHIP, flashed(content))
    assert f"I (60) boot: Loaded app from partition at offset {offset:#x}" in found.lines


@given(at=st.integers(0, len(IMAGE) - 1), bit=st.integers(0, 7))
def test_no_bit_of_an_image_can_be_wrong(at, bit, scratch):
    image = bytearray(IMAGE)
    image[at] ^= 1 << bit
    scratch.erase(0, 0x2000)
    scratch.program(0, IMAGE)
    assert read_image(scratch, 0, 0x2000, 0).size == len(IMAGE)
    scratch.erase(0, 0x2000)
    scratch.program(0, bytes(image))
    if at == 23:  # whether a hash follows: without it, the checksum alone is left
        return
    with pytest.raises(ImageError):
        read_image(scratch, 0, 0x2000, 0)


@given(at=st.integers(0, 95), bit=st.integers(0, 7))
def test_no_bit_of_a_table_can_be_wrong(at, bit):
    table = bytearray(TABLE)
    table[at] ^= 1 << bit
    if 66 <= at < 80:  # not read
        return
    with pytest.raises(TableError):
        parse_table(bytes(table))


@given(st.binary(max_size=200))
def test_anything_is_a_table_or_an_error(data):
    try:
        assert parse_table(data)
    except TableError as err:
        assert str(err)
