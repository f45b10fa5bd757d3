# SPDX-License-Identifier: MIT
"""`lamppost vault nodes`: what a city has."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_SHOWN = 4  # mixes of a node: the last; --json has all


@click.command()
@file_argument
@opening
@click.option("--state", type=click.Choice(["issued", "active", "revoked"]), help="Only these.")
@json_option
def nodes(path, factor, passphrase, state, as_json):
    """List nodes, their tickets, who may open them from which epoch on, and the epochs and days of
    their mixes. Example:

    \b
    lamppost vault nodes city.vault --state issued \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.listing import nodes_of
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        rows = [row for row in nodes_of(file) if state in (None, row["state"])]
    if as_json:
        console.result_json({"file": str(path), "nodes": rows})
        return
    from rich.table import Table

    from host_tools.times import short

    table = Table(box=None, pad_edge=False)
    for name in ("node", "kit", "state", "technician", "ticket", "expires", "policy", "stores",
                 "mixes", "claimed", "post"):  # fmt: skip
        table.add_column(name, overflow="fold")
    for row in rows:
        expires = short(row["expires_s"]) if row["state"] == "issued" else ""
        stores = " ".join(f"{name}:{epoch}" for name, epoch in row["stores"].items())
        mixes = " ".join(f"{one['epoch']}:{one['day']}" for one in row["mixes"][-_SHOWN:])
        table.add_row(row["node"], row["kit"], row["state"], row["technician"], row["ticket"],
                      expires, str(row["policy"] or ""), stores, mixes, _claimed(row),
                      row["post"] or "")  # fmt: skip
    console.result(table)


def _claimed(row: dict) -> str:
    from host_tools.times import short

    return f"{row['claimed_by']} {short(row['claimed_s'])}" if row["claimed_by"] else ""
