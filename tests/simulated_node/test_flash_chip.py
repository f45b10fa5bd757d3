# SPDX-License-Identifier: MIT
"""The flash of a board: bits are cleared one by one, and set by the sector."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import ToolError
from simulator.serial_board.flash_chip import SECTOR_BYTES, FlashChip, FlashError

SECTORS = 4
SIZE = SECTORS * SECTOR_BYTES
PROGRAMS = st.tuples(st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=40))
ERASES = st.tuples(st.integers(0, SECTORS - 1))


@given(operations=st.lists(PROGRAMS | ERASES, max_size=12))
def test_a_program_clears_bits_and_an_erase_sets_a_sector(operations, tmp_path_factory):
    path = tmp_path_factory.mktemp("flash") / "flash.bin"
    model = bytearray(b"\xff" * SIZE)
    chip = FlashChip(path, SIZE)
    for operation in operations:
        if len(operation) == 1:
            at = operation[0] * SECTOR_BYTES
            chip.erase(at, SECTOR_BYTES)
            model[at : at + SECTOR_BYTES] = b"\xff" * SECTOR_BYTES
        else:
            at, data = operation[0], operation[1][: SIZE - operation[0]]
            chip.program(at, data)
            for place, byte in enumerate(data, at):
                model[place] &= byte
    assert chip.read(0, SIZE) == model
    chip.close()
    assert path.read_bytes() == model


@pytest.mark.parametrize(("at", "size"), [(1, SECTOR_BYTES), (0, 100), (SIZE, SECTOR_BYTES)])
def test_what_is_no_sector_of_the_chip_is_not_erased(at, size, tmp_path):
    chip = FlashChip(tmp_path / "flash.bin", SIZE)
    chip.program(0, b"kept")
    with pytest.raises(FlashError):
        chip.erase(at, size)
    assert chip.read(0, 4) == b"kept"


def test_nothing_is_written_beyond_the_end(tmp_path):
    chip = FlashChip(tmp_path / "flash.bin", SIZE)
    for reach in (lambda: chip.program(SIZE - 2, b"abc"), lambda: chip.read(SIZE - 2, 3)):
        with pytest.raises(FlashError):
            reach()


def test_a_worn_bit_stays_low(tmp_path):
    chip = FlashChip(tmp_path / "flash.bin", SIZE)
    chip.wear(5, 0x01)
    chip.erase(0, SECTOR_BYTES)
    chip.program(4, b"\xff\xff\xff")
    assert chip.read(4, 3) == b"\xff\xfe\xff"


def test_a_file_of_another_size_is_not_touched(tmp_path):
    path = tmp_path / "flash.bin"
    path.write_bytes(b"something else")
    with pytest.raises(ToolError, match="14 bytes"):
        FlashChip(path, SIZE)
    assert path.read_bytes() == b"something else"


@pytest.mark.parametrize(("mib", "capacity"), [(1, 0x14), (4, 0x16), (8, 0x17)])
def test_it_says_how_large_it_is(mib, capacity, tmp_path):
    chip = FlashChip(tmp_path / "flash.bin", mib * 1024 * 1024)
    assert chip.command(0x9F, 0) == bytes((0xC8, 0x40, capacity))
    assert chip.command(0x5A, 0) == b"SFDP"
