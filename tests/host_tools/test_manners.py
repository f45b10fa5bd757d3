# SPDX-License-Identifier: MIT
"""Every command of `lamppost`, new ones included: help with an example, --json, exit codes, no
escape sequence where nobody wants one, and no question where nobody can answer."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import rich_click as click
from click.shell_completion import get_completion_class

from host_tools.cli import lamppost
from host_tools.commands.sim_board import board
from tests.host_tools.command_tree import commands, run_all

TREE = {**commands(), ("sim", "board"): board}  # to which sim.py leads
VERBS = {words: one for words, one in TREE.items() if not isinstance(one, click.Group)}
NO_JSON = {("completion",): "prints a script for a shell"}
# What makes a command fail whose arguments, all of them "nowhere", are no proper ones.
FAILING = {
    ("demo",): "--kit nowhere",
    ("collect",): "--store nowhere --keyring nowhere --broker 127.0.0.1:1 --tls-dir nowhere "
                  "--name collector",
    ("sum",): "--store nowhere --request out.json --stream 7 --from 2026-01-01 "
              "--to 2026-01-02",
    ("boards", "check"): "--board nowhere",
    ("policy", "attack"): "nowhere",
    ("policy", "keygen"): "/dev/null/signer",
    ("verify",): "0a1b2c3d4e --store nowhere",
    ("label",): "0a1b2c3d4e -o a.pdf --notice-url https://city.example --nodes nowhere",
    ("vault", "policy"): "nowhere --all --policy nowhere --key-file nowhere",
    ("vault", "resend"): "nowhere --from-store nowhere --key-file nowhere",
    ("vault", "certificate"): "nowhere c-1 --role collector --store home -o tls "
                              "--key-file nowhere",
    ("update",): "--firmware-only --board nowhere",
    ("wipe",): "--yes --nodes nowhere",
    ("maintain",): "--port nowhere",
    ("sim",): "nowhere",
    ("sim", "board"): "--pty --board nowhere",
}  # fmt: skip
NEVER_FAILS = {
    ("completion",): "it writes what does not depend on anything",
    ("doctor",): "what it finds is its result: on stdout, with exit code 1",
}
ESCAPE = "\x1b"


def name(words: tuple) -> str:
    return " ".join(words) or "lamppost"


def nowhere(command: click.Command) -> list[str]:
    """Arguments that a command takes, and that lead nowhere."""
    made = []
    for one in command.params:
        kind, value = one.type, "nowhere"
        if isinstance(kind, click.Choice):
            value = kind.choices[0]
        elif isinstance(kind, click.IntRange) or kind is click.INT:
            value = "1"
        if isinstance(one, click.Argument) and one.required:
            made.append(value)
        elif isinstance(one, click.Option) and (one.required or one.name == "key_file"):
            made += [one.opts[0], value]
    return made


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    kept = {key: text for key, text in os.environ.items() if not key.startswith("LAMPPOST_")}
    for key in ("DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR", "FORCE_COLOR", "XDG_STATE_HOME"):
        kept.pop(key, None)
    home = str(tmp_path_factory.mktemp("home"))
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    # A CI wants colours by that; its logs are read by programs, too.
    return {**kept, "HOME": home, "PYTHONPATH": root, "TERM": "dumb", "GITHUB_ACTIONS": "true"}


def all_of(lines: dict, folder, environ) -> dict:
    """{words: how it came out}"""
    return dict(zip(lines, run_all(list(lines.values()), folder, environ), strict=True))


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_each_has_help(term, tmp_path, environ):
    lines = {words: [*words, "--help"] for words in TREE}
    for words, told in all_of(lines, tmp_path, {**environ, "TERM": term}).items():
        assert (told["code"], told["err"]) == (0, ""), name(words)
        assert ESCAPE not in told["out"] and "Usage:" in told["out"], name(words)


@pytest.mark.parametrize("words", VERBS, ids=name)
def test_each_has_examples_that_it_takes(words):
    text = VERBS[words].help
    assert "\b" in text, "no example: put it below a line with \\b"
    block = text[text.index("\b") :].replace("\\\n", " ")
    examples = re.findall(rf"^ *(lamppost {name(words)}\b.*)", block, re.M)
    assert examples, "no example of itself"
    assert all(len(line.strip()) <= 76 for line in text.split("\b")[1].splitlines()), "too wide"
    for example in examples:
        rest = shlex.split(re.sub(r" > .*|:? .*\(.*| --help:.*", "", example))[len(words) + 1 :]
        VERBS[words].make_parser(click.Context(VERBS[words])).parse_args(rest)


@pytest.mark.parametrize("words", VERBS, ids=name)
def test_each_has_json(words):
    options = {text for one in VERBS[words].params for text in one.opts}
    assert ("--json" in options) is (words not in NO_JSON)


def test_each_refuses_an_option_that_it_has_not(tmp_path, environ):
    lines = {words: [*words, "--no-such-option"] for words in TREE if words != ("sim", "board")}
    for words, told in all_of(lines, tmp_path, environ).items():
        assert (told["code"], told["out"]) == (2, ""), name(words)
        assert re.match(r"error: .*--no-such-option.*\nhint: .+\n$", told["err"]), told["err"]
        assert ESCAPE not in told["err"]


def test_each_tells_what_is_wrong_without_asking(tmp_path, environ):
    lines = {
        words: [*words, *(shlex.split(FAILING.get(words, "")) or nowhere(command))]
        for words, command in VERBS.items()
        if words not in NEVER_FAILS
    }
    came_out = all_of(lines, tmp_path, environ)
    for words, told in came_out.items():
        where = name(words), told
        # a name with a wrong ending is wrong usage, whichever command is given it
        is_usage = " does not end in ." in told["err"]
        assert told["code"] == (2 if is_usage else 1), where
        last = re.search(r"^error: .+\nhint: .+\n\Z", told["err"], re.M)  # after any progress
        assert last and told["out"] == "", where
        assert "Traceback" not in told["err"] and ESCAPE not in told["err"], where
    asked = [told["err"] for told in came_out.values() if "no terminal to ask at" in told["err"]]
    assert len(asked) > 10 and all("--passphrase-file" in err for err in asked)
    assert not any(tmp_path.rglob("*.cbor")), "what failed left a file"


def test_the_wifi_is_not_asked_for_without_a_terminal(tmp_path, environ):
    from tests.esp_image_builder import micropython
    from tests.host_tools.prepared_fixture import prepare

    prepare(tmp_path / "nodes", "air")
    (tmp_path / "mp.bin").write_bytes(micropython(size=3000))
    line = ["flash", "--board", "esp32-devkitc", "--nodes", "nodes", "--firmware", "mp.bin",
            "--port", "/dev/null"]  # fmt: skip
    piped = [*line, "--wifi-file", "-"]
    asked, closed = run_all([line, piped], tmp_path, environ)
    assert asked["code"] == closed["code"] == 1
    assert "LAMPPOST_WIFI_SSID" in asked["err"] and "--wifi-file" in asked["err"]
    assert "- has 0 lines" in closed["err"]


AT_A_TERMINAL = """
from host_tools import console
from host_tools.cli import run
for line in (["--help"], ["flash", "--help"], ["flash", "--nonsense"], ["sim", "--list"],
             ["boards", "check", "--board", "nowhere"], ["doctor"]):
    run(line)
with console.progress() as show:
    show("port", "writes", 5)
    show("port", "writes", 90)
from rich.table import Table
table = Table("head")
table.add_row("row")
console.result(table)
"""


def at_a_terminal(code: str, environ: dict) -> str:
    """What the code shows to who sits at a terminal."""
    ours, theirs = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
        assert child.wait(60) == 0
    return shown.decode()


@pytest.mark.parametrize("more, plain", [
    ({"TERM": "xterm-256color"}, False),
    ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True),
    ({"TERM": "dumb"}, True),
])  # fmt: skip
def test_who_wants_no_colour_sees_none(more, plain, environ):
    shown = at_a_terminal(AT_A_TERMINAL, {**environ, **more})
    assert "Usage:" in shown and "No such option" in shown and "head" in shown
    assert (ESCAPE not in shown) is plain, shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_completes_in_each_shell(shell):
    asked = get_completion_class(shell)(lamppost, {}, "lamppost", "_LAMPPOST_COMPLETE")
    for words, command in commands().items():
        if isinstance(command, click.Group):
            context = click.Context(command)
            found = {one.value for one in asked.get_completions(list(words), "")}
            assert found >= set(command.list_commands(context)), name(words)
        else:
            found = {one.value for one in asked.get_completions(list(words), "--")}
            long = {one.opts[-1] for one in command.params if isinstance(one, click.Option)}
            wanted = {text for text in long if text.startswith("--")} - {"--help"}
            assert found >= wanted, name(words)


def test_each_program_is_said_to_be_what_it_is(tmp_path, environ):
    (told,) = run_all([["--help"]], tmp_path, environ)
    for words in commands():
        if len(words) == 1:
            assert re.search(rf"^\W+{words[0]} +\w", told["out"], re.M), words
