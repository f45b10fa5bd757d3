# SPDX-License-Identifier: MIT
"""`lamppost sim`: a city to which things happen, and what was lost, repeated, refused."""

import contextlib
import tempfile
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError

_STOPPED = 130  # the exit code of what was ended by Ctrl-C


class _ScenarioOrBoard(click.RichCommand):
    """`sim board` is a command of its own, with options of its own."""

    def make_context(self, info_name, args, parent=None, **extra):
        if args[:1] == ["board"]:
            from host_tools.commands.sim_board import board

            return board.make_context(f"{info_name} board", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_ScenarioOrBoard)
@click.argument("scenario", required=False)
@click.option("--list", "listed", is_flag=True, help="The scenarios that come with Lamppost.")
@click.option("--seed", type=int, help="Another seed is another day, and other random times.")
@click.option("--interpreter", type=click.Choice(["cpython", "micropython"]),
              help="What runs the firmware. Default: what the scenario says.")  # fmt: skip
@click.option("--dir", "folder", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep keys, nodes and store here: a new folder.")  # fmt: skip
@click.option("--headless", is_flag=True, help="No line of progress.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def sim(scenario, listed, seed, interpreter, folder, headless, as_json):
    """Play a SCENARIO: a file, or the name of one that comes with Lamppost.

    A scenario is a city, what befalls it and when (power, Wi-Fi, broker, collector, clock,
    sensors, flash), and how it should come out. Exit code 0: it came out so.

    \b
    lamppost sim --list
    lamppost sim broker-down-72h
    lamppost sim my-street.toml --seed 7 --json
    lamppost sim power-cuts --interpreter micropython --dir city
    \b
    lamppost sim board --help: a board at the end of a serial line
    """
    from simulator.scenario import find_scenario, load_scenario
    from simulator.scenario_run import ScenarioRun

    if listed:
        return _list(as_json)
    if scenario is None:
        raise click.UsageError("name a scenario, or say --list")
    loaded = load_scenario(find_scenario(scenario), seed, interpreter)
    with contextlib.ExitStack() as stack:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="lamppost-")
            path = Path(stack.enter_context(temporary)) / "city"
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ToolError(f"{folder} is not empty", "a scenario begins anew: name a new --dir")
        else:
            path = folder
        run = ScenarioRun(loaded, path)
        live = console.is_live() and not headless and not as_json
        try:
            with console.live(lambda: _line(run), live) as show:
                account = run.play(show)
        except KeyboardInterrupt:
            console.complain(ToolError("interrupted", "the city is stopped"))
            return _STOPPED
    return _tell(account, as_json, kept=folder is not None)


def _list(as_json: bool) -> int:
    from rich.table import Table

    from simulator.scenario import built_in, load_scenario

    scenarios = [load_scenario(path) for path in built_in()]
    if as_json:
        console.result_json([{"name": one.name, "title": one.title} for one in scenarios])
        return 0
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for one in scenarios:
        table.add_row(one.name, one.title)
    console.result(table)
    return 0


def _line(run) -> str:
    """Where it is."""
    from simulator.durations import shown

    state = run.progress()
    faults = ", ".join(state["faults"]) or "all is well"
    return (
        f"{run.scenario.name}: {shown(state['now_ms'])} of {shown(run.scenario.for_ms)} · "
        f"{state['sealed']} sealed, {state['waiting']} waiting · {faults}"
    )


def _tell(account: dict, as_json: bool, kept: bool) -> int:
    from rich.text import Text

    from simulator.scenario_account import account_tables, closing_words, details

    if not kept:
        account["store"] = None  # it is gone with its folder
    if as_json:
        console.result_json(account)
    else:
        console.result(Text(f"{account['title']}\n", "bold"))
        for table in account_tables(account):
            console.result(table)
            console.result("")
        for line in details(account):
            console.result(line)
        console.result(closing_words(account))
        if kept:
            console.result(f"See more with: lamppost read --store {account['store']}")
    broken = account["broken"]
    if not broken:
        return 0
    for what, hint in broken:
        console.note(f"not as expected: {what} ({hint})")
    hint = "--dir DIR keeps it to look into"
    if kept:
        hint = f"lamppost read --store {account['store']}"
    raise ToolError(f"{account['scenario']}: {len(broken)} not as expected", hint)
