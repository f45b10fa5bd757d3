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
