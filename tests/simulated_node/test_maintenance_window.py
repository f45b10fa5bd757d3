# SPDX-License-Identifier: MIT
"""A node takes Ctrl-C in the window of a cold boot and at no other time, as unmodified mpremote
finds it at a board of the simulator."""

import json
import os
import re
import threading
import time
import tty

import pytest
import serial

from host_tools.errors import ToolError
from host_tools.flashing import maintenance
from host_tools.micropython_path import micropython_path
from tests.bench.flash_image import flash_content, write_flash
from tests.bench.mqtt import ROOT
from tests.simulated_node.serial_board import (
    RunningBoard,
    made_node,
    mpremote,
    restart,
    run_program,
    stop_node,
    vfs_of_a_board,
)

MIB = 1024 * 1024
SLOW = 0.1  # the window is open for half a minute
# It ends by each cause of a reset in turn, and tells which there was.
EACH_CAUSE = """
import time, machine, micropython
micropython.kbd_intr(-1)
cause = machine.reset_cause()
print("began by", cause)
time.sleep_ms(2000)
if cause == machine.PWRON_RESET:
    machine.deepsleep(1000)
if cause == machine.DEEPSLEEP_RESET:
    machine.WDT(timeout=1000)
    time.sleep_ms(2000)
if cause == machine.WDT_RESET:
    machine.reset()
if cause == machine.HARD_RESET:
    machine.soft_reset()
print("all causes")
while True:
    time.sleep_ms(1000)
"""
MAIN = ROOT / "firmware" / "main.py"
CTRL_C_CAME = """
import micropython
shut = micropython.kbd_intr
def kbd_intr(character):
    micropython.kbd_intr = shut
    shut(character)
    print("shut off")
    raise KeyboardInterrupt
micropython.kbd_intr = kbd_intr
"""


@pytest.fixture
def board_of(tmp_path):
    """Gives a function of what lies on vfs and of options: a running board with a node."""
    try:
        micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    node = made_node(tmp_path)

    def make(speed: float, main: str | None = None, other: dict | None = None) -> RunningBoard:
        flash, content = tmp_path / "flash.bin", flash_content(0x1000, 0, node)
        content[0x200000] = vfs_of_a_board(node, main, other)
        write_flash(flash, content, 4 * MIB)
        return RunningBoard("--rfc2217", 0, "--flash", flash, "--speed", speed)

    return make


def heard(line, until: bytes, type_it: bytes = b"", within_s: float = 90) -> bytes:
    """What comes up to `until`, while `type_it` is typed again and again."""
    data, end = b"", time.monotonic() + within_s
    while until not in data and time.monotonic() < end:
        line.write(type_it)
        time.sleep(0.05)
        data += line.read(line.in_waiting)
    assert until in data, data
    return data


def open_line(board):
    return serial.serial_for_url(board.port, baudrate=115_200, timeout=90)


def test_in_the_window_mpremote_has_the_repl_and_no_watchdog_runs(board_of):
    with board_of(SLOW) as board:
        with open_line(board) as line:
            restart(line)
            assert line.read_until(b"maintenance: ").endswith(b"maintenance: ")
        assert mpremote(board.port, "resume", "exec", "print(6 * 7)") == (0, "42\n")
        # Without `resume` it soft-resets: boot.py runs, and has no window then.
        code, text = mpremote(board.port, "exec", "import os; print(os.listdir('/lp'))")
        assert code == 0 and "config.json" in text and "maintenance" not in text, text
        look = "from simulator.hal.bench import bench; print(bench.watchdog_ms)"
        assert mpremote(board.port, "resume", "exec", look) == (0, "None\n")
    assert board.returncode == 0, board.errors


def test_after_the_window_mpremote_fails_and_the_node_goes_on(board_of):
    with board_of(20) as board:
        with open_line(board) as line:
            restart(line)
            before = heard(line, b"samples=")
        assert before.count(b"maintenance: ") == 1
        code, text = mpremote(board.port, "exec", "print(6 * 7)")
        assert code == 1 and "could not enter raw repl" in text, text
        with open_line(board) as line:
            after = heard(line, b"samples=", b"\r\x03\x03\x01")
    for wrong in (b"rst:", b"maintenance", b">>>", b"KeyboardInterrupt", b"raw REPL"):
        assert wrong not in text.encode() + after, (text, after)
    counts = [
        int(re.findall(rb"samples=(\d+)", data)[-1])
        for data in (before + b"0", text.encode() + after)
    ]
    assert counts[0] <= counts[1], "it began anew"


def test_sleep_watchdog_and_reset_by_software_open_no_window(board_of):
    with board_of(20, EACH_CAUSE) as board, open_line(board) as line:
        restart(line)
        text = heard(line, b"began by 1") + heard(line, b"all causes", b"\x03")
        text += heard(line, b"", b"\x03\x03\x04")
    assert re.findall(rb"began by (\d)", text) == [b"1", b"4", b"3", b"2", b"5"], text
    assert text.count(b"maintenance: ") == 1 and b">>>" not in text, text


def test_a_ctrl_c_as_main_begins_is_dropped(board_of):
    """MicroPython lets it through at each file anew; it is raised once main.py has shut it off."""
    with board_of(20, main=CTRL_C_CAME + MAIN.read_text()) as board, open_line(board) as line:
        restart(line)
        text = heard(line, b"samples=")
    for wrong in (b"main: ", b">>>", b"KeyboardInterrupt"):
        assert wrong not in text, text
    assert text.count(b"shut off") == 1, text


@pytest.mark.parametrize("broken", ["node/app.mpy", "node/device/boots.mpy", "node/__init__.mpy"])
def test_a_node_whose_code_cannot_be_loaded_is_reached_after_a_reset(board_of, broken):
    with board_of(20, other={broken: b"no code"}) as board, open_line(board) as line:
        restart(line)
        text = heard(line, b"main: ValueError")
        text += heard(line, b"main: ValueError", b"\x03")  # it tries again, by itself
    assert text.count(b"maintenance: ") == 1 and b">>>" not in text, text
    with board_of(SLOW, other={broken: b"no code"}) as board:
        stop_node(board.port)
        code, text = mpremote(board.port, "resume", "fs", "ls", ":node")
        assert code == 0 and "app.mpy" in text, text


# lamppost maintain


def maintain(port: str) -> tuple[int, str]:
    return run_program("host_tools.cli", "maintain", "--json", "--port", port)


def test_the_command_stops_a_node_at_its_prompt(board_of):
    with board_of(SLOW) as board:
        code, text = maintain(board.port)
        assert code == 0 and json.loads(text.splitlines()[-1]) == {
            "port": board.port, "node": True,
        }, text  # fmt: skip
        assert mpremote(board.port, "resume", "exec", "print(6 * 7)") == (0, "42\n")
        code, text = maintain(board.port)
        assert code == 0, text  # again, from the prompt


def test_a_board_without_a_node_is_at_its_prompt_anyway(tmp_path, board_of):
    write_flash(tmp_path / "bare.bin", flash_content(0x1000, 0), 4 * MIB)
    with RunningBoard("--rfc2217", 0, "--flash", tmp_path / "bare.bin") as board:
        code, text = maintain(board.port)
    assert code == 0 and '"node": false' in text, text


@pytest.mark.parametrize(("other", "message"), [
    ({"boot.py": b"print('runs')"}, "has no window for maintenance"),
    ({"boot.py": b"import time, micropython\nmicropython.kbd_intr(-1)\n"
                 b"print('maintenance: ')\ntime.sleep_ms(10 ** 6)"}, "does not hear Ctrl-C"),
])  # fmt: skip
def test_a_board_that_does_not_stop_is_told(board_of, monkeypatch, other, message):
    monkeypatch.setattr(maintenance, "_BOOT_S", 6)
    with board_of(20, other=other) as board, pytest.raises(ToolError, match=message) as caught:
        maintenance.stop_at_repl(board.port)
    assert board.port in caught.value.message and caught.value.hint


def test_a_board_that_says_nothing_and_a_port_that_goes_are_told(monkeypatch):
    monkeypatch.setattr(maintenance, "_BOOT_S", 1)
    monkeypatch.setattr(maintenance, "_PERSON_S", 1)
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    port = os.ttyname(theirs)
    try:
        with pytest.raises(ToolError, match=f"{port}: the board says nothing"):
            maintenance.stop_at_repl(port, manual=True)
        monkeypatch.setattr(maintenance, "_PERSON_S", 30)
        threading.Timer(1, os.close, (ours,)).start()
        with pytest.raises(ToolError, match=f"{port}: the board went away"):
            maintenance.stop_at_repl(port, manual=True)
    finally:
        os.close(theirs)
