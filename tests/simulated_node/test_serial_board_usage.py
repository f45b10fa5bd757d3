# SPDX-License-Identifier: MIT
"""What a person can get wrong with `lamppost sim board`: one line that says what, one the mend."""

import json
import socket

import pytest

from host_tools.cli import run


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "name one of --rfc2217 PORT and --pty"),
        (("--pty", "--rfc2217", "1"), "name one of --rfc2217 PORT and --pty"),
        (("--rfc2217", "0", "--run"), "--run is for --pty"),
        (("--rfc2217", "70000"), "70000"),
        (("--pty", "--fault", "rain"), "no such fault"),
        (("--pty", "--fault", "cable-out"), "cable-out needs a number"),
        (("--pty", "--fault", "cable-out=101"), "a percentage"),
        (("--pty", "--fault", "cable-out=-1"), "cable-out needs a number"),
        (("--pty", "--fault", "port-busy=1"), "takes no number"),
        (("--pty", "--broker", "nowhere"), "is not HOST:PORT"),
        (("--pty", "--mac", "02:4c:50"), "not a board's address"),
        (("--pty", "--mac", "03:4c:50:00:00:02"), "not a board's address"),  # of a group
    ],
)
def test_usage(words, error, capsys):
    assert run(["sim", "board", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and error in said.err and "hint: " in said.err


def test_a_flash_of_another_size(tmp_path, capsys):
    flash = tmp_path / "flash.bin"
    flash.write_bytes(b"short")
    assert run(["sim", "board", "--pty", "--flash", str(flash)]) == 1
    assert "has 5 bytes" in capsys.readouterr().err
    assert flash.read_bytes() == b"short"


def test_a_worn_byte_that_is_not_there(capsys):
    assert run(["sim", "board", "--pty", "--fault", "stuck-bit=0x400000"]) == 1
    assert "stuck-bit" in capsys.readouterr().err


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run(["sim", "board", "--rfc2217", str(port)]) == 1
    assert "another, or 0" in capsys.readouterr().err


def test_no_such_board(capsys):
    assert run(["sim", "board", "--pty", "--board", "esp8266"]) == 1
    assert "esp8266" in capsys.readouterr().err


def test_the_faults_are_listed(capsys):
    assert run(["sim", "board", "--faults", "--json"]) == 0
    assert "no-boot-mode" in json.loads(capsys.readouterr().out)


def test_scenarios_are_played_as_before(capsys):
    assert run(["sim", "--list", "--json"]) == 0
    assert "power-cuts" in {one["name"] for one in json.loads(capsys.readouterr().out)}
    assert run(["sim", "boards"]) in (1, 2)
    assert "boards" in capsys.readouterr().err
