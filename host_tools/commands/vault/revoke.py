# SPDX-License-Identifier: MIT
"""`lamppost vault revoke`: what was given is taken back."""

import dataclasses
import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_KINDS = click.Choice(["node", "ticket", "technician", "store", "reader"])


@click.command()
@file_argument
@click.argument("kind", type=_KINDS)
@click.argument("name")
@opening
@json_option
def revoke(path, kind, name, factor, passphrase, as_json):
    """Take back a node, a ticket, a technician, a store or a reader.

    A node, or a ticket that is not used, counts no more. Of a technician: the same for all tickets
    that are not used; the nodes that they have installed go on, with a mix. Of a store or reader:
    a mix for all its nodes. It then says what the broker and the other stores need. Example:

    \b
    lamppost vault revoke city.vault technician anna \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.revoke import revoke as take_back
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor) as file:
        done = take_back(file, kind, name, int(time.time()))
    if as_json:
        console.result_json({"kind": kind, "name": name, **dataclasses.asdict(done)})
        return
    console.result(f"{kind} {name} is revoked: {len(done.nodes)} nodes count no more, "
                   f"{len(done.mixed)} get a mix")  # fmt: skip
    for store in done.stores:
        console.note(f"next: lamppost vault update {path} --to {store}")
    if done.mixed:
        console.note(f"then: lamppost vault commands {path}, and lamppost send")
    console.note(f"and: lamppost vault broker {path}, and restart the broker")
