# SPDX-License-Identifier: MIT
"""`lamppost vault nodes`: what a city has."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("--state", type=click.Choice(["issued", "active", "revoked"]), help="Only these.")
@json_option
def nodes(path, factor, passphrase, state, as_json):
    """List nodes, their tickets, and who may open them. Example:

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
    for name in ("node", "kit", "state", "technician", "ticket", "expires", "stores"):
        table.add_column(name, overflow="fold")
    for row in rows:
        expires = short(row["expires_s"]) if row["state"] == "issued" else ""
        stores = " ".join(f"{name}:{epoch}" for name, epoch in row["stores"].items())
        table.add_row(row["node"], row["kit"], row["state"], row["technician"], row["ticket"],
                      expires, stores)  # fmt: skip
    console.result(table)
