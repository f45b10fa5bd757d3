# SPDX-License-Identifier: MIT
"""The characters of the REPL, as the documentation of MicroPython has them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.serial_board.repl_console import ReplConsole


class Terminal:
    """What the terminal got, what was run, and what was asked of the process."""

    def __init__(self):
        self.got, self.ran, self.asked = b"", [], []
        self.console = ReplConsole(
            self._send, lambda *what: self.ran.append(what),
            lambda: self.asked.append("interrupt"), lambda raw: self.asked.append(("reset", raw)),
        )  # fmt: skip

    def _send(self, data):
        self.got += data

    def type(self, data: bytes) -> bytes:
        """What comes back."""
        self.got = b""
        self.console.receive(data)
        return self.got


@pytest.fixture
def terminal():
    return Terminal()


@pytest.fixture
def raw(terminal):
    terminal.console.at_prompt()
    assert terminal.type(b"\x01") == b"raw REPL; CTRL-B to exit\r\n>"
    return terminal


def test_a_program_that_runs_is_interrupted_once_and_what_was_typed_before_is_gone(terminal):
    terminal.console.interruptible = True
    terminal.type(b"garbage\x03\x03\r\x01")
    assert terminal.asked == ["interrupt"] and terminal.got == b""
    terminal.console.at_prompt()
    assert b">>> " in terminal.got and terminal.got.endswith(b"raw REPL; CTRL-B to exit\r\n>")


def test_a_program_that_has_shut_ctrl_c_off_runs_on(terminal):
    terminal.type(b"\r\x03\x03\r\x01")
    assert terminal.asked == [] and terminal.got == b""
    terminal.console.started(raw=False, anew=True)
    terminal.console.at_prompt()
    assert terminal.got.endswith(b">>> "), "what was typed before the reset is gone"
    terminal.console.started(raw=False)
    assert not terminal.console.interruptible, "not before its first file begins"


def test_raw_mode_runs_what_ctrl_d_ends(raw):
    assert raw.type(b"print(1)\x04") == b"OK"
    assert raw.ran == [("exec", b"print(1)")]
    assert raw.type(b"print(2)\x04") == b"", "it waits until the first has ended"
    raw.console.at_prompt()
    assert raw.got == b">OK" and raw.ran[1:] == [("exec", b"print(2)")]


def test_raw_paste_is_refused_and_code_goes_on(raw):
    assert raw.type(b"\x05A\x01") == b"R\x00"
    raw.type(b"x\x04")
    assert raw.ran == [("exec", b"x")]


def test_ctrl_d_on_an_empty_line_resets_into_the_same_mode(raw):
    assert raw.type(b"\x04") == b"OK\r\nMPY: soft reboot\r\n"
    assert raw.asked == [("reset", True)]
    raw.console.started(raw=True)
    raw.got = b""
    raw.console.at_prompt()
    assert raw.got == b"raw REPL; CTRL-B to exit\r\n>"
    assert raw.type(b"\x02").endswith(b">>> ")
    assert raw.type(b"\x04").endswith(b"MPY: soft reboot\r\n")
    assert raw.asked[-1] == ("reset", False)


def test_a_line_of_the_friendly_repl_is_echoed_mended_and_run(terminal):
    terminal.console.at_prompt()
    assert terminal.type(b"2+4\x7f3\r") == b"2+4\b \b3\r\n"
    assert terminal.ran == [("single", b"2+3")]


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_it_does_not_matter_how_the_characters_arrive(data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    whole, pieces = Terminal(), Terminal()
    for one in (whole, pieces):
        one.console.at_prompt()
    whole.console.receive(data)
    for begin, end in itertools.pairwise(edges):
        pieces.console.receive(data[begin:end])
    assert (whole.got, whole.ran, whole.asked) == (pieces.got, pieces.ran, pieces.asked)
