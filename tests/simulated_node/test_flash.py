# SPDX-License-Identifier: MIT
"""simulator/world/flash.py: what is done, and what a power cut leaves."""

import contextlib

import pytest

from simulator.world.flash import BLOCK_BYTES, TORN, Flash, NotErased, PowerCut


def read(flash, at, count):
    data = bytearray(count)
    flash.read_into(at, data)
    return bytes(data)


@pytest.fixture(params=["file", "memory"])
def flash(request, tmp_path):
    if request.param == "memory":
        yield Flash(blocks=3)
        return
    path = tmp_path / "flash.img"
    path.write_bytes(b"\xff" * (3 * BLOCK_BYTES))
    flash = Flash(str(path))
    yield flash
    flash.close()


def test_a_program_clears_bits_and_an_erase_sets_them(flash):
    assert flash.blocks == 3
    flash.program(BLOCK_BYTES + 3, b"\xf0\x0f")
    flash.program(BLOCK_BYTES + 3, b"\x30\x0f")
    assert read(flash, BLOCK_BYTES + 2, 4) == b"\xff\x30\x0f\xff"
    flash.erase(1)
    assert read(flash, 0, 3 * BLOCK_BYTES) == b"\xff" * (3 * BLOCK_BYTES)
    assert flash.operations == 3


@pytest.mark.parametrize("at", [0, 255, 256, 1000])
def test_a_program_that_sets_a_bit_is_a_bug_and_does_nothing(flash, at):
    flash.program(at, b"\x00")
    data = b"\xff" * at + b"\x01" + b"\xff" * 9
    with pytest.raises(NotErased):
        flash.program(0, data)
    # also where firmware catches all that is its own
    with pytest.raises(NotErased), contextlib.suppress(Exception):
        flash.program(0, data)
    assert read(flash, at, 1) == b"\x00"
    assert flash.operations == 1


@pytest.mark.parametrize("torn", TORN)
def test_a_cut_does_none_half_or_all_of_its_operation(flash, torn):
    flash.cut(2, torn)
    flash.program(0, b"\x00")
    with pytest.raises(PowerCut):
        flash.program(100, b"abcd")
    done = {"none": b"\xff\xff\xff\xff", "half": b"ab\xff\xff", "all": b"abcd"}[torn]
    assert read(flash, 100, 4) == done
    for call in (lambda: flash.program(200, b"x"), lambda: flash.erase(0)):
        with pytest.raises(PowerCut):
            call()
    assert read(flash, 200, 1) == b"\xff"
    assert read(flash, 0, 1) == b"\x00"


@pytest.mark.parametrize("torn", TORN)
def test_a_cut_erase_leaves_its_second_half(flash, torn):
    flash.program(0, bytes(BLOCK_BYTES))
    flash.erases = [0, 0, 0]
    flash.cut(1, torn)
    with pytest.raises(PowerCut):
        flash.erase(0)
    erased = {"none": 0, "half": BLOCK_BYTES // 2, "all": BLOCK_BYTES}[torn]
    assert read(flash, 0, BLOCK_BYTES) == b"\xff" * erased + bytes(BLOCK_BYTES - erased)
    assert flash.erases == [1, 0, 0]
