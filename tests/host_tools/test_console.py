# SPDX-License-Identifier: MIT
"""host_tools/console.py: what is shown is what it was given."""

import contextlib
import io
import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from host_tools import console
from host_tools.errors import ToolError, shortened

ODD = ["Data [b]office", "[/b] closes nothing", "/tmp/[red]/a :warning: b", "[link=https://x]x"]


@pytest.mark.parametrize("odd", ODD)
def test_no_word_is_an_instruction(capsys, odd):
    console.result(odd)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row(odd)
    console.result(table)
    with console.live(lambda: odd) as show:
        show()
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [odd] * 3


@pytest.mark.parametrize("make, seen", [(str, "?"), (Text, "")])
def test_nothing_steers_the_terminal(capsys, make, seen):
    console.result(make("a\x1b[31mb\nc"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row(make("d\x1b]0;title"))
    console.result(table)
    assert capsys.readouterr().out == f"a{seen}[31mb\nc\nd{seen}]0;title\n"


@pytest.mark.parametrize("make", [str, Text])
def test_what_is_piped_keeps_its_lines(capsys, make):
    line = "hash " + "0123456789abcdef " * 30 + "end"
    console.result(make(line))
    assert capsys.readouterr().out == line + "\n"


STEERING = "\x1b]0;title\x07 \x7f \u009b2J \u009d0;title\u009c \u202egnp \u2066 \u200f \u2028 \x00"


def steers(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def test_no_progress_and_no_error_steers_the_terminal(capsys):
    console.note(f"delete {STEERING}: now")
    console.complain(ToolError(STEERING, STEERING))
    err = capsys.readouterr().err
    assert set(steers(err)) == {"\n"} and err.count("\n") == 3
    assert err.startswith("delete ?]0;title? ? ?2J") and err.splitlines()[0].endswith(": now")


def test_json_does_not_steer_it_either(capsys):
    letters = "Brücke, ščr, 橋, 👍"
    console.result_json({"what": STEERING, STEERING: [letters]})
    out = capsys.readouterr().out
    assert steers(out) == ["\n"] and letters in out
    assert json.loads(out) == {"what": STEERING, STEERING: [letters]}


ANY = st.characters(exclude_categories=())  # surrogates, too: of file names that are no UTF-8


@settings(deadline=None)
@given(st.dictionaries(st.text(ANY), st.text(ANY)))
def test_json_is_json_whatever_is_in_it(value):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        console.result_json(value)
    assert json.loads(out.getvalue()) == value and steers(out.getvalue()) == ["\n"]


def test_what_is_quoted_is_no_longer_than_one_reads(capsys):
    error = ToolError("x" * 3_000_000 + " is no technician", "ask " + "y" * 3_000_000)
    console.complain(error)
    console.note("z" * 3_000_000)
    assert len(error.message) + len(error.hint) < 5000
    err = capsys.readouterr().err
    assert len(err) < 8000 and "is no technician" in err and "3,000,017 characters" in err
    assert shortened("x" * 2000) == "x" * 2000
