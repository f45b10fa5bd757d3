# SPDX-License-Identifier: MIT
"""`lamppost vault revoke`: what was given is taken back."""

import dataclasses
import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault import mix_days
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_KINDS = click.Choice(["node", "ticket", "technician", "store", "reader", "certificate"])


@click.command()
@file_argument
@click.argument("kind", type=_KINDS)
@click.argument("name")
@opening
@json_option
def revoke(path, kind, name, factor, passphrase, as_json):
    """Take back a node, a ticket, a technician, a store, a reader or a certificate.

    A node, or a ticket that is not used, counts no more. Of a technician: the same for all tickets
    that are not used; the nodes that they have installed go on, each with a mix. Of a store or
    reader: a mix for all its nodes. A certificate, by the name in it, of whom else than a node:
    all of that name end. It then says what the broker and the other stores need. Example:

    \b
    lamppost vault revoke city.vault technician anna \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.mixing import far_ahead
    from host_tools.city.revoke import revoke as take_back
    from host_tools.policy.figures import count
    from host_tools.vault.sealed_file import SealedFile

    now_s = int(time.time())
    with SealedFile.open(path, passphrase(), factor) as file:
        done = take_back(file, kind, name, now_s)
        far = far_ahead(file, done.mixed, now_s)
    mix_days.note_far(far)
    if as_json:
        told = {**dataclasses.asdict(done), "far": mix_days.as_object(far)}
        console.result_json({"kind": kind, "name": name, **told})
        return
    mixed = f"{len(done.mixed)} get a mix {mix_days.as_text(done.days.values())}".rstrip()
    gone = count(len(done.nodes), "node")
    console.result(f"{kind} {name} is revoked: {gone} out of service, {mixed}")
    for store in done.stores:
        console.note(f"next: lamppost vault update {path} --to {store}")
    if done.mixed:
        console.note(f"then: lamppost vault commands {path}, and lamppost send")
    console.note(f"and: lamppost vault broker {path}, and restart the broker")
    if kind == "technician" and done.mixed:
        console.note("who has a copy of a ticket can still be the node at the broker, and read "
                     f"its mix: lamppost vault rotate {path} {' '.join(done.mixed)}; once that is "
                     "done: lamppost vault mix")  # fmt: skip
