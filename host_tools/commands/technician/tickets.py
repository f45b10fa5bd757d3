# SPDX-License-Identifier: MIT
"""`lamppost technician tickets`: what can still be installed."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("tickets_path", metavar="TICKETS", type=click.Path(path_type=Path))
@opening
@json_option
def tickets(path, tickets_path, factor, passphrase, as_json):
    """List the tickets of a file: free, used, expired. Example:

    \b
    lamppost technician tickets anna.technician anna-1.tickets \\
        --key-file /media/usb/anna.key
    """
    from host_tools.technician.ticket_nodes import TicketNodes
    from host_tools.times import short
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        states = TicketNodes(file, tickets_path).states()
    if as_json:
        rows = [{"ticket": ticket.id.hex(), "node": ticket.node_id, "kit": ticket.kit,
                 "expires_s": ticket.expires_s, "state": state}
                for ticket, state in states]  # fmt: skip
        console.result_json({"file": str(tickets_path), "tickets": rows})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("node", "kit", "state", "expires"):
        table.add_column(name)
    for ticket, state in states:
        table.add_row(ticket.node_id, ticket.kit, state, short(ticket.expires_s))
    console.result(table)
