# SPDX-License-Identifier: MIT
"""host_tools/console.py: what is shown is what it was given."""

import pytest
from rich.table import Table
from rich.text import Text

from host_tools import console

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


def test_nothing_steers_the_terminal(capsys):
    console.result("a\x1b[31mb\x07\nc")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("d\x1b]0;title\x07")
    console.result(table)
    assert capsys.readouterr().out == "a?[31mb?\nc\nd?]0;title?\n"


@pytest.mark.parametrize("make", [str, Text])
def test_what_is_piped_keeps_its_lines(capsys, make):
    line = "hash " + "0123456789abcdef " * 30 + "end"
    console.result(make(line))
    assert capsys.readouterr().out == line + "\n"
