# SPDX-License-Identifier: MIT
"""`lamppost vault nodes`: what a city has."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening
from host_tools.errors import ToolError

_SHOWN = 4  # mixes of a node: the last; --json has all
_TICKET = 6  # characters: enough to tell one from another
_ALWAYS = ("node", "kit", "state", "technician", "ticket", "expires", "policy", "stores")
_LONG = ("mixes", "claimed", "post")


@click.command()
@file_argument
@click.argument("node_id", metavar="[NODE]", required=False)
@opening
@click.option("--state", type=click.Choice(["issued", "active", "revoked"]), help="Only these.")
@click.option("--long", "is_long", is_flag=True,
              help="Mixes, who put it up and where, too; with NODE always.")  # fmt: skip
@json_option
def nodes(path, node_id, factor, passphrase, state, is_long, as_json):
    """List nodes, or one: their tickets, who may open them from which epoch on, and the epochs and
    days of their mixes. Example:

    \b
    lamppost vault nodes city.vault --state issued \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.listing import nodes_of
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        rows = nodes_of(file)
    if node_id and node_id not in {row["node"] for row in rows}:
        raise ToolError(f"{path} has no node {node_id}", "without NODE all are listed")
    rows = [
        row for row in rows
        if state in (None, row["state"]) and node_id in (None, row["node"])
    ]  # fmt: skip
    if as_json:
        console.result_json({"file": str(path), "nodes": rows})
        return
    if is_long or node_id:
        _show_long(rows)
    else:
        _show(rows)


def _show(rows: list[dict]):
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in _ALWAYS:
        table.add_column(name, overflow="fold", no_wrap=name in ("node", "ticket"))
    for row in rows:
        words = _words(row)
        table.add_row(*(Text(words[name]) for name in _ALWAYS))
    console.result(table)


def _show_long(rows: list[dict]):
    """A line for each value: a row of all would be too wide for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        if row is not rows[0]:
            table.add_row("", "")
        words = _words(row)
        for name in _ALWAYS + _LONG:
            if words[name]:
                table.add_row(name, Text(words[name]))
    console.result(table)


def _words(row: dict) -> dict[str, str]:
    from host_tools.times import short

    return {
        **{name: row[name] or "" for name in ("node", "kit", "state", "technician", "post")},
        "ticket": (row["ticket"] or "")[:_TICKET],
        "expires": short(row["expires_s"]) if row["state"] == "issued" else "",
        "policy": str(row["policy"] or ""),
        "stores": " ".join(f"{name}:{epoch}" for name, epoch in row["stores"].items()),
        "mixes": " ".join(f"{one['epoch']}:{one['day']}" for one in row["mixes"][-_SHOWN:]),
        "claimed": _claimed(row),
    }


def _claimed(row: dict) -> str:
    from host_tools.times import short

    return f"{row['claimed_by']} {short(row['claimed_s'])}" if row["claimed_by"] else ""
