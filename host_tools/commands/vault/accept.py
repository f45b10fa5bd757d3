# SPDX-License-Identifier: MIT
"""`lamppost vault accept`: a technician's receipts."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import mix_days, next_steps
from host_tools.commands.vault.factor_options import file_argument, json_option, opening
from host_tools.commands.vault.refusals import complain_of, first_of

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
    the node's certificate and the key of commands. The same receipts may come again: for a week
    the file has the seals of what was accepted last, then none. Exit code 1: a ticket was refused.
    Example:

    \b
    lamppost vault accept city.vault anna.receipts -o home.grant \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.accept import accept as take
    from host_tools.city.broker_files import count_issued
    from host_tools.city.mixing import far_ahead
    from host_tools.city.outgoing import write_derived
    from host_tools.handover.receipts import read_receipts
    from host_tools.policy.figures import count
    from host_tools.public_file import check_target
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, ".grant", {path: "the vault", receipts: "the receipts"})
    data = read_receipts(receipts)
    now_s = int(time.time())
    with SealedFile.open(path, passphrase(), factor) as file:
        done = take(file, data, str(receipts), now_s, store)
        write_derived(output, done.keys)
        far = far_ahead(file, done.nodes, now_s)
        issued = count_issued(file)
        steps = [next_steps.take(done.store, output), next_steps.broker(path, issued > 0)]
        steps += next_steps.commands(file, path)
    mix_days.note_far(far)
    complain_of("ticket", done.refused, "it does not count: ask who used it")
    if as_json:
        console.result_json({
            "technician": done.technician, "nodes": done.nodes, "known": done.known,
            "refused": first_of(done.refused), "refused_count": len(done.refused),
            "store": done.store, "file": str(output),
            "epochs": done.epochs, "days": done.days, "far": mix_days.as_object(far),
        })  # fmt: skip
    else:
        console.result(f"{done.technician}: {count(len(done.nodes), 'node')} now active, "
                       f"{len(done.known)} known before; {output}: for {done.store}")  # fmt: skip
        if done.days:
            console.result(f"a mix for each {mix_days.as_text(done.days.values())}")
        if not done.epochs:
            console.note(f"{output} has no seals: a store that lacks some is granted them anew: "
                         f"lamppost vault grant {path} NODE… --to {done.store} --from DATE -o "
                         f"{output}")  # fmt: skip
        next_steps.show(steps)
    return 1 if done.refused else 0
