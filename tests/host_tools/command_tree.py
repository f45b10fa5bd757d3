# SPDX-License-Identifier: MIT
"""Every command of `lamppost`, and a process that runs them as a laptop without a terminal does:
`python -m tests.host_tools.command_tree` reads a list of command lines (JSON) from stdin, closes
that, and tells how each came out."""

import contextlib
import io
import json
import os
import subprocess
import sys

import rich_click as click

from host_tools.cli import lamppost, run


def commands() -> dict[tuple[str, ...], click.Command]:
    """{the words after `lamppost`: the command}, groups too, each loaded."""
    return dict(_below((), lamppost))


def _below(words: tuple, command: click.Command):
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _below((*words, name), command.resolve_command(context, [name])[1])


def run_all(lines: list[list[str]], folder, environ: dict) -> list[dict]:
    """{"code", "out", "err"} of each command line, run in `folder` by a process that
    has neither stdin nor a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.host_tools.command_tree"], input=json.dumps(lines),
        cwd=folder, env=environ, capture_output=True, text=True, start_new_session=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _run_one(line: list[str]) -> dict:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(line)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    sys.stdin = None  # as Python has it that was started with a closed stdin
    os.close(0)
    print(json.dumps([_run_one(line) for line in wanted]))
