# SPDX-License-Identifier: MIT
"""The loaders' answers, byte by byte, also to what esptool never says. What it does say is in
test_serial_board.py."""

import hashlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.serial_board.checksum import checksum
from simulator.serial_board.chips import CHIPS
from simulator.serial_board.flash_chip import FlashChip
from simulator.serial_board.registers import Registers
from simulator.serial_board.rom_loader import RomLoader
from simulator.serial_board.stub_loader import StubLoader

SIZE = 64 * 1024
OK_ROM, OK_STUB = bytes(4), bytes(2)


class Control:
    """Keeps what a loader asks of its board."""

    def __init__(self):
        self.asked = []

    def change_baud(self, baud):
        self.asked.append(baud)

    def reboot(self):
        self.asked.append("reboot")

    def run_app(self):
        self.asked.append("run")

    def run_stub(self):
        self.asked.append("stub")


@pytest.fixture
def make(tmp_path):
    def made(loader=RomLoader, chip="esp32"):
        flash = FlashChip(tmp_path / "flash.bin", SIZE)
        registers = Registers(CHIPS[chip], flash, lambda: 115_200)
        return loader(CHIPS[chip], flash, registers, Control())

    return made


def request(op: int, data: bytes = b"", check: int = 0) -> bytes:
    return struct.pack("<BBHI", 0, op, len(data), check) + data


def block(op: int, data: bytes, number: int = 0) -> bytes:
    head = struct.pack("<IIII", len(data), number, 0, 0)
    return request(op, head + data, checksum(data))


def test_sync_is_answered_eight_times_and_tells_rom_from_stub(make):
    hello = request(0x08, b"\x07\x07\x12\x20" + 32 * b"\x55")
    answers = make().take(hello)
    assert answers == [bytes.fromhex("0108040007071220") + OK_ROM] * 8
    assert make(StubLoader).take(hello) == [bytes.fromhex("0108020000000000") + OK_STUB] * 8


def test_the_magic_value_of_an_esp32_and_the_id_of_the_others(make):
    (answer,) = make().take(request(0x0A, struct.pack("<I", 0x4000_1000)))
    assert answer[4:8] == struct.pack("<I", 0x00F0_1D83)
    (answer,) = make().take(request(0x14))
    assert answer[8:] == bytes((1, 5, 0, 0)), "the ROM of an ESP32 does not know the command"
    (answer,) = make(chip="esp32c6").take(request(0x14))
    assert answer[8:][12:16] == struct.pack("<I", 13)


def test_a_wrong_checksum_is_refused_and_writes_nothing(make):
    loader = make()
    loader.take(request(0x02, struct.pack("<IIII", 1024, 1, 1024, 0)))
    packet = block(0x03, b"\x00" * 1024)
    (answer,) = loader.take(packet[:-1] + b"\x01")
    assert answer[8:] == bytes((1, 0x07, 0, 0))
    assert loader.flash.read(0, 1024) == b"\xff" * 1024
    (answer,) = loader.take(packet)
    assert answer[8:] == OK_ROM and loader.flash.read(0, 1024) == bytes(1024)


def test_the_rom_erases_at_once_and_the_stub_as_it_writes(make):
    for loader, erased in ((RomLoader, 8192), (StubLoader, 4096)):
        one = make(loader)
        one.flash.program(0, bytes(SIZE))
        one.take(request(0x02, struct.pack("<IIII", 8000, 8, 1000, 0)))
        one.take(block(0x03, b"A" * 1000))
        assert one.flash.read(0, SIZE).count(0xFF) == erased - 1000
        assert one.flash.read(0, 1000) == b"A" * 1000
        one.flash.erase(0, SIZE)


def test_a_compressed_write_that_is_too_short_too_long_or_no_stream(make):
    for size, stream, error in (
        (2000, zlib.compress(bytes(1000)), 0xC8),
        (500, zlib.compress(bytes(1000)), 0xC9),
        (500, b"no stream", 0xC7),
        (500, zlib.compress(bytes(10_000_000)), 0xC9),
    ):
        loader = make(StubLoader)
        loader.take(request(0x10, struct.pack("<IIII", size, 1, 0x4000, 0x4000)))
        answers = loader.take(block(0x11, stream)) + loader.take(request(0x12, bytes(4)))
        assert bytes((1, error)) in [answer[8:] for answer in answers]
        loader.flash.erase(0, SIZE)


def test_data_without_a_begin_is_refused(make):
    for loader, error in ((RomLoader, (1, 6, 0, 0)), (StubLoader, (1, 0xC6))):
        (answer,) = make(loader).take(block(0x03, b"data"))
        assert answer[8:] == bytes(error)


def test_a_write_beyond_the_flash_is_refused(make):
    (answer,) = make().take(request(0x02, struct.pack("<IIII", 8192, 8, 1024, SIZE - 4096)))
    assert answer[8:] == bytes((1, 8, 0, 0))


def test_a_stub_starts_when_it_is_whole_and_its_entry_within(make):
    for size, entry, asked in ((8, 0x1004, ["stub"]), (9, 0x1004, []), (8, 0x2000, [])):
        loader = make()
        loader.take(request(0x05, struct.pack("<IIII", size, 1, 0x1800, 0x1000)))
        loader.take(block(0x07, b"the stub"))
        loader.take(request(0x06, struct.pack("<II", 0, entry)))
        loader.then()
        assert loader.control.asked == asked


def test_flash_end_reboots_runs_or_stays(make):
    for loader, stay, asked in (
        (RomLoader, 0, ["reboot"]), (RomLoader, 1, ["run"]),
        (StubLoader, 0, ["reboot"]), (StubLoader, 1, []),
    ):  # fmt: skip
        one = make(loader)
        one.take(request(0x04, struct.pack("<I", stay)))
        assert one.control.asked == []  # the answer goes out first
        one.then()
        assert one.control.asked == asked


def test_a_read_goes_no_further_ahead_than_it_is_asked_to(make):
    loader = make(StubLoader)
    content = bytes(range(200)) * 50
    loader.flash.program(0, content)
    packets = loader.take(request(0xD2, struct.pack("<IIII", 0, 10_000, 1000, 3)))
    assert [len(packet) for packet in packets[1:]] == [1000, 1000, 1000]
    got = packets[1:]
    while sum(map(len, got)) < 10_000:
        got += loader.take(struct.pack("<I", len(got) * 1000))
    assert b"".join(got) == content
    assert loader.take(struct.pack("<I", 10_000)) == [hashlib.md5(content).digest()]
    assert len(loader.take(request(0x08, b""))) == 8, "it takes commands again"


def test_a_reader_that_has_gone_is_forgotten(make):
    loader = make(StubLoader)
    loader.take(request(0xD2, struct.pack("<IIII", 0, 10_000, 1000, 1)))
    assert len(loader.take(request(0x08))) == 8


@given(
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=20), st.booleans()
)
def test_whatever_comes_is_answered_or_ignored(tmp_path_factory, requests, is_stub):
    chip = CHIPS["esp32"]
    flash = FlashChip(tmp_path_factory.mktemp("flash") / "flash.bin", SIZE)
    registers = Registers(chip, flash, lambda: 115_200)
    loader = (StubLoader if is_stub else RomLoader)(chip, flash, registers, Control())
    for op, data in requests:
        for answer in loader.take(request(op, data)) + loader.take(data):
            assert isinstance(answer, bytes)
        loader.then()
    flash.close()
    assert flash.size == SIZE
