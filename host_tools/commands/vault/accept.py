# SPDX-License-Identifier: MIT
"""`lamppost vault accept`: a technician's receipts."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening
from host_tools.errors import ToolError

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@click.argument("receipts", metavar="RECEIPTS", type=_PATH)
@opening
@click.option("--to", "store", default="", metavar="STORE",
              help="The home store that gets the keys. Default: the only one.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="FILE",
              help="The keys for the home store: NAME.grant.")  # fmt: skip
@json_option
def accept(path, receipts, factor, passphrase, store, output, as_json):
    """Take a technician's receipts in: what they have installed counts from now on.

    Then, in this order: `lamppost keyring take` at the home store, `lamppost vault broker`, and
    `lamppost vault commands` with `lamppost send`, after which what lies on the technician's
    laptop opens nothing any more, unless it was the node at the broker meanwhile: its ticket has
    the node's certificate and the key of commands. The same receipts may come again. Exit code 1:
    a ticket was refused. Example:

    \b
    lamppost vault accept city.vault anna.receipts -o home.grant \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.accept import accept as take
    from host_tools.city.outgoing import write_derived
    from host_tools.handover import document
    from host_tools.public_file import check_target
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, ".grant", {path: "the vault", receipts: "the receipts"})
    data = document.read(receipts)
    with SealedFile.open(path, passphrase(), factor) as file:
        done = take(file, data, str(receipts), int(time.time()), store)
        write_derived(output, done.keys)
    for ticket, why in done.refused.items():
        console.complain(
            ToolError(f"ticket {ticket}: {why}", "it does not count: ask who used it")
        )
    if as_json:
        console.result_json({
            "technician": done.technician, "nodes": done.nodes, "known": done.known,
            "refused": done.refused, "store": done.store, "file": str(output),
        })  # fmt: skip
    else:
        console.result(f"{done.technician}: {len(done.nodes)} nodes are active, "
                       f"{len(done.known)} were known; {output}: for {done.store}")  # fmt: skip
    return 1 if done.refused else 0
