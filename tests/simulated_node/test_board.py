# SPDX-License-Identifier: MIT
"""The reset circuit and the baud rate of a board on a serial line, without a line."""

import socket
import struct
import threading
import time

import pytest

from host_tools.errors import ToolError
from simulator.serial_board import board as board_module
from simulator.serial_board import rfc2217
from simulator.serial_board.board import Board, CableOut
from simulator.serial_board.chips import CHIPS
from simulator.serial_board.faults import Faults
from simulator.serial_board.flash_chip import FlashChip
from simulator.serial_board.rfc2217 import Rfc2217Server
from simulator.serial_board.slip import SlipReader, encode
from tests.bench.flash_image import flash_content, write_flash

SIZE = 1024 * 1024
SYNC = encode(struct.pack("<BBHI", 0, 0x08, 36, 0) + b"\x07\x07\x12\x20" + 32 * b"\x55")
DOWNLOAD, FLASH_BOOT = b"boot:0x3 (DOWNLOAD_BOOT", b"boot:0x13 (SPI_FAST_FLASH_BOOT)"


class App:
    """Keeps what reaches what was booted."""

    def __init__(self, board, found):
        self.board, self.heard, self.running = board, b"", False

    def start(self):
        self.running = True
        self.board.emit(b"app\r\n")

    def receive(self, data):
        self.heard += data

    def stop(self):
        self.running = False


class Line:
    """The host's end."""

    def __init__(self, folder, faults=()):
        path = folder / "flash.bin"
        write_flash(path, flash_content(0x1000, 0), SIZE)
        self.apps, self.heard = [], b""
        flash = FlashChip(path, SIZE)
        self.board = Board(CHIPS["esp32"], flash, self._make, Faults.parse(faults))
        self.board.send = self._hear

    def _make(self, board, found):
        self.apps.append(App(board, found))
        return self.apps[-1]

    def _hear(self, data):
        self.heard += data

    def take(self) -> bytes:
        heard, self.heard = self.heard, b""
        return heard

    def lines(self, *states):
        for dtr, rts in states:
            self.board.set_lines(bool(dtr), bool(rts))


@pytest.fixture
def line(tmp_path):
    one = Line(tmp_path)
    one.board.power_up()
    assert FLASH_BOOT in one.take() and one.apps[-1].running
    return one


# (DTR, RTS) as pyserial sets them: esptool's sequences
CLASSIC = (0, 0), (0, 1), (1, 1), (1, 0), (0, 0)
TIGHT = (0, 0), (1, 1), (0, 1), (1, 0), (0, 0)
HARD = (0, 1), (0, 0)


@pytest.mark.parametrize("sequence", [CLASSIC, TIGHT])
def test_a_reset_with_gpio0_low_waits_for_download(line, sequence):
    line.lines(*sequence)
    heard = line.take()
    assert heard.count(b"rst:") == 1 and DOWNLOAD in heard
    assert heard.endswith(b"waiting for download\r\n") and not line.apps[-1].running
    line.board.receive(SYNC)
    assert len(list(SlipReader().feed(line.take()))) == 8


def test_a_reset_with_gpio0_high_boots(line):
    line.lines(*CLASSIC, *HARD)
    assert line.take().endswith(b"app\r\n") and len(line.apps) == 2 and line.apps[1].running


def test_a_program_that_opens_and_closes_the_port_does_not_reset(line):
    line.lines((1, 0), (1, 1), (1, 0), (0, 0))
    assert line.take() == b"" and line.apps[0].running and len(line.apps) == 1


def test_in_reset_nothing_runs(line):
    line.lines((0, 1))
    line.board.receive(SYNC)
    assert line.take() == b"" and not line.apps[0].running


def test_rts_that_is_never_let_go_does_not_hold_a_board_for_ever(line, monkeypatch):
    monkeypatch.setattr(board_module, "SETTLE_S", 0.02)
    line.lines((0, 1), (1, 1))
    end = time.monotonic() + 10
    while len(line.apps) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert FLASH_BOOT in line.take() and line.apps[1].running


def test_without_gpio0_a_board_only_boots(tmp_path):
    one = Line(tmp_path, ("no-boot-mode",))
    one.board.power_up()
    one.take()
    one.lines(*CLASSIC)
    assert FLASH_BOOT in one.take() and one.apps[-1].running


def test_a_board_whose_application_cannot_start_says_so_and_can_still_be_flashed(
    line, monkeypatch
):
    def fail(app):
        raise ToolError("there is no such program", "install it")

    monkeypatch.setattr(App, "start", fail)
    line.lines(*HARD)
    assert line.take().endswith(b"E (70) board: there is no such program: install it\r\n")
    line.board.receive(b"typed")
    line.lines(*CLASSIC)
    assert DOWNLOAD in line.take()


def test_what_is_typed_reaches_the_application(line):
    line.board.receive(b"abc")
    assert line.apps[0].heard == b"abc"


def test_at_another_baud_rate_neither_hears_the_other(line):
    line.board.host_baud = 9600
    line.lines(*CLASSIC)
    assert line.take() == b"", "the ROM speaks at 115,200"
    line.board.receive(SYNC)
    assert line.take(), "but it takes the rate of who speaks to it"
    line.board.receive(encode(struct.pack("<BBHIII", 0, 0x0F, 8, 0, 460_800, 0)))
    assert line.take(), "answered before the change"
    line.board.receive(SYNC)
    assert line.take() == b""
    line.board.host_baud = 460_000  # near enough for a UART
    line.board.receive(SYNC)
    assert line.take()


def test_the_cable_comes_out_once(tmp_path):
    one = Line(tmp_path, ("cable-out=50",))
    one.board.power_up(download=True)
    begin = struct.pack("<BBHIIIII", 0, 0x02, 16, 0, 4096, 4, 1024, 0x20000)
    data = struct.pack("<BBHIIIII", 0, 0x03, 16 + 1024, 0xEF, 1024, 0, 0, 0) + bytes(1024)
    one.board.receive(encode(begin) + encode(data) * 2)
    with pytest.raises(CableOut):
        one.board.receive(encode(data))
    one.board.receive(encode(begin) + encode(data) * 4)
    assert one.board.flash.read(0x20000, 4096) == bytes(4096)


NONSENSE = [
    b"\xff\xfa\x2c\x01\x00\xff\xf0",  # a baud rate of one byte
    b"\xff\xfa\x2c\x03\x63\xff\xf0",  # a parity that there is not
    b"\xff\xfa\x2c\x05\xff\xf0",  # a control command that is none
    b"\xff\xfa" + b"A" * 5000,  # a suboption that does not end
    b"\xff\xff\xff\xf1GET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_what_is_no_rfc_2217_ends_its_connection_at_most(nonsense, line):
    server = Rfc2217Server(line.board, 0)
    port = server.start().rpartition(":")[2]
    thread = threading.Thread(target=server.serve, args=[print])
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as host:
            host.sendall(nonsense)
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as host:
            host.sendall(b"\xff\xfd\x2c")  # DO COM-PORT-OPTION
            assert host.recv(100), "the next host is served"
    finally:
        server.stop()
        thread.join(10)
    assert not thread.is_alive()


def test_a_host_that_does_not_read_does_not_hold_up_the_board(line, monkeypatch):
    monkeypatch.setattr(rfc2217, "WRITE_S", 0.3)
    server = Rfc2217Server(line.board, 0)
    port = server.start().rpartition(":")[2]
    thread = threading.Thread(target=server.serve, args=[print])
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as host:
            host.sendall(b"\xff\xfd\x2c")
            assert host.recv(100)
            for _ in range(300):
                line.board.emit(bytes(65_536))
            time.sleep(0.1)
    finally:
        server.stop()
        thread.join(10)
    assert not thread.is_alive()
