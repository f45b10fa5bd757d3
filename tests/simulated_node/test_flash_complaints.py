# SPDX-License-Identifier: MIT
"""What technicians complain of when they flash, at boards of the simulator with the unmodified
esptool: each has a message, and a next step. The table is in host_tools/flashing/README.md."""

import contextlib
import hashlib
import json
import re
import subprocess
import sys
import termios
import threading

import pytest

from host_tools.errors import ToolError
from host_tools.flashing import serial_lines
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.flash_board import FlashBoard
from simulator.serial_board.board import Board
from simulator.serial_board.faults import Faults
from simulator.serial_board.rfc2217 import Rfc2217Server
from tests.host_tools.city_place import lamppost
from tests.simulated_node.serial_board import QUICK
from tests.simulated_node.test_flash_board import (
    IMAGE,
    LAYOUT,
    WIFI,
    Bench,
    Silent,
    impatient,  # noqa: F401
)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


class Deaf(Silent):
    """What runs answers nobody: no REPL, or it sleeps."""

    started = 0

    def start(self):
        Deaf.started += 1


@contextlib.contextmanager
def on_the_network(board: Board):
    """Its port, which has DTR and RTS."""
    server = Rfc2217Server(board, 0)
    port = server.start()
    thread = threading.Thread(target=server.serve, args=(lambda text: None,))
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join()


def test_a_node_without_repl_or_asleep_is_reached_by_its_reset_lines(bench, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", QUICK["PYTHONPATH"])
    bench.flash.program(0x1000, IMAGE)
    board = Board(bench.chip, bench.flash, Deaf)
    board.power_up()
    assert Deaf.started == 1, "nothing runs that could be deaf"
    with on_the_network(board) as port:
        lines = Esptool(port, 115_200).run("read-mac", after="hard-reset")
    assert any(line.startswith("MAC:") for line in lines)
    assert Deaf.started == 2, "it does not run again"


def test_a_board_that_says_nothing(bench):
    """A charge-only cable, no supply, or it sleeps: seen from here it is the same."""
    board = Board(bench.chip, bench.flash, Deaf)
    port = bench.serve(board)
    result = bench.run(port)
    assert "the board does not answer" in result["error"], result
    for step in ("1. take a USB cable that carries data", "hold BOOT", "supply"):
        assert step in result["hint"]
    assert result["stage"] == "look" and bench.content().count(0xFF) == bench.flash.size


def test_a_board_that_does_not_go_into_download_mode(bench, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", QUICK["PYTHONPATH"])
    board = Board(bench.chip, bench.flash, Deaf, Faults.parse(("no-boot-mode",)))
    board.power_up()
    with on_the_network(board) as port, pytest.raises(ToolError) as caught:
        Esptool(port, 115_200).run("read-mac")
    assert "does not go into download mode" in caught.value.message
    assert "hold BOOT" in caught.value.hint


HOLD = """
import serial, sys, time
port = serial.Serial(sys.argv[1], exclusive=True)
print("open", flush=True)
time.sleep(60)
"""


def test_who_has_the_port_is_named(bench):
    port = bench.plug_in()
    child = subprocess.Popen([sys.executable, "-c", HOLD, port], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        result = FlashBoard(port, bench.plan()).run()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    named = rf"another program has the port: .*python\S* \({child.pid}\)"
    assert re.search(named, result["error"]), result
    assert "close it" in result["hint"] and f"lsof {port}" in result["hint"]


def test_chip_and_mac_are_shown_before_anything_is_erased(bench):
    shown = []

    def show(words, percent):
        shown.append((words, percent, bench.content().count(0xFF) == bench.flash.size))

    port = bench.plug_in()
    assert FlashBoard(port, bench.plan(), show).run()["state"] == "written"
    (found,) = [one for one in shown if one[1] is None]
    assert found == (
        "ESP32-D0WD-V3 (revision v3.1), MAC 02:4c:50:00:00:01, flash 4096 KiB", None, True
    )  # fmt: skip


@pytest.mark.parametrize("error", [
    termios.error(5, "Input/output error"), OSError(5, "Input/output error"),
])  # fmt: skip
def test_one_port_that_fails_stops_no_other(bench, monkeypatch, error):
    """pyserial lets termios.error through, which is no OSError."""

    def read_lines(port, for_s, reset):
        raise error
        yield

    monkeypatch.setattr(serial_lines, "read_lines", read_lines)
    result = FlashBoard(bench.plug_in(), bench.plan(wait_s=2)).run()
    assert result["state"] == "failed" and result["stage"] == "self-test"
    assert "Input/output error" in result["error"] and "goes on" in result["hint"]


def test_a_terminal_that_goes_away_at_the_opening_is_told(monkeypatch):
    import serial

    def opened(self):
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(serial_lines, "_REOPEN_S", 0.3)
    monkeypatch.setattr(serial.Serial, "open", opened)
    with pytest.raises(ToolError, match="cannot be opened again"):
        list(serial_lines.read_lines("/dev/null", 5, False))
    with pytest.raises(ToolError, match="is no serial port"):
        list(serial_lines.read_lines("nonsense://nowhere", 5, False))


def test_what_happened_is_noted_and_where_is_told(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LAMPPOST_WIFI_SSID", WIFI[0])
    monkeypatch.setenv("LAMPPOST_WIFI_PASSWORD", WIFI[1])
    (tmp_path / "mp.bin").write_bytes(IMAGE)
    words = ["flash", "--board", "esp32-devkitc", "--nodes", tmp_path / "nodes", "--firmware",
             tmp_path / "mp.bin", "--manual", "--wait", 0]  # fmt: skip
    port, nowhere = bench.plug_in(), "/dev/ttyNowhere"
    code, out, err = lamppost(*words, "--port", port, "--port", nowhere, "--json")
    assert code == 1
    told = json.loads(out)
    assert told["image"] == {"version": "1.26", "sha256": hashlib.sha256(IMAGE).hexdigest()}
    assert f"log: {told['log']}" in err
    with open(told["log"]) as file:
        good, bad = map(json.loads, file)
    assert (good["port"], good["result"], good["mac"], good["chip"], good["board"]) == (
        port, "written", "00:00:01", "esp32", "esp32-devkitc"
    )  # fmt: skip
    assert (bad["port"], bad["result"], bad["stage"]) == (nowhere, "failed", "look")
    code, out, _ = lamppost(*words, "--port", bench.plug_in())
    assert code == 0 and hashlib.sha256(IMAGE).hexdigest() in out.replace("\n", "")


def test_what_esptool_said_is_noted(bench):
    bench.flash.wear(LAYOUT.code.at + 40, 0x10)
    one = FlashBoard(bench.plug_in(), bench.plan())
    assert one.run()["stage"] == "write" and "MD5 of file does not match" in one.said, one.said
