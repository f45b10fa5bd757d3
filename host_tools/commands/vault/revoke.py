# SPDX-License-Identifier: MIT
"""`lamppost vault revoke`: what was given is taken back."""

import dataclasses
import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault import mix_days, next_steps
from host_tools.commands.vault.agreement import is_agreed, listed
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_KINDS = click.Choice(["node", "ticket", "technician", "store", "reader", "certificate"])


@click.command()
@file_argument
@click.argument("kind", type=_KINDS)
@click.argument("name")
@opening
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def revoke(path, kind, name, factor, passphrase, yes, as_json):
    """Take back a node, a ticket, a technician, a store, a reader or a certificate.

    A node, or a ticket that is not used, counts no more. Of a technician: the same for all tickets
    that are not used, and for certificates of theirs; the nodes that they have installed go on,
    each with a mix. Of a store or reader: a mix for all its nodes. A certificate, by the name in
    it, of whom else than a node: all of that name end. It shows what will end, and asks; then it
    says what the broker and the other stores need. Example:

    \b
    lamppost vault revoke city.vault technician anna \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.mixing import far_ahead
    from host_tools.city.revoke import ending
    from host_tools.city.revoke import revoke as take_back
    from host_tools.policy.figures import count
    from host_tools.vault.sealed_file import SealedFile

    now_s = int(time.time())
    with SealedFile.open(path, passphrase(), factor) as file:
        file.check_clock()
        question = f"Revoke {kind} {name} in {path}?"
        if not is_agreed(question, _what_ends(path, kind, ending(file, kind, name)), yes):
            return 1
        done = take_back(file, kind, name, now_s)
        far = far_ahead(file, done.mixed, now_s)
        steps = next_steps.update(path, done.stores)
        steps += next_steps.commands(file, path) if done.mixed else []
        steps.append(next_steps.broker(path))
    mix_days.note_far(far)
    if as_json:
        told = {**dataclasses.asdict(done), "far": mix_days.as_object(far)}
        console.result_json({"kind": kind, "name": name, **told})
        return 0
    mixed = f"{len(done.mixed)} get a mix {mix_days.as_text(done.days.values())}".rstrip()
    gone = count(len(done.nodes), "node")
    console.result(f"{kind} {name} is revoked: {gone} out of service, {mixed}")
    next_steps.show(steps)
    if kind == "technician" and done.mixed:
        console.note("who has a copy of a ticket can still be the node at the broker, and read "
                     f"its mix: lamppost vault rotate {path} {' '.join(done.mixed)}; once that is "
                     f"done: lamppost vault mix {path} {' '.join(done.mixed)}")  # fmt: skip
    return 0


def _what_ends(path, kind: str, end) -> list[str]:
    lines = [f"nodes that count no more: {listed(end.nodes)}",
             f"nodes that go on, with a mix: {listed(end.mixed)}",
             f"certificates that end: {listed(end.certificates.values())}"]  # fmt: skip
    if kind == "technician" and end.nodes:
        lines.append(f"{len(end.nodes)} nodes whose ticket is out count no more: if one of them "
                     "is installed, take the receipts in first: "
                     f"lamppost vault accept {path} RECEIPTS -o STORE.grant")  # fmt: skip
    return lines
