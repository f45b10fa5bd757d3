# SPDX-License-Identifier: MIT
"""`lamppost vault mix`: new bytes for the seals of nodes."""

import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault import mix_days, next_steps
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, required=True, metavar="NODE…")
@opening
@click.option("--refused", type=click.IntRange(1, 0xFFFF), metavar="EPOCH",
              help="The node has refused the mix of this epoch: forget that.")  # fmt: skip
@json_option
def mix(path, nodes, factor, passphrase, refused, as_json):
    """Have 32 random bytes mixed into the seals of nodes: who has old seals is shut out.

    `accept` and `revoke` do it by themselves. Then `lamppost vault update` for each store, and
    `lamppost vault commands`, in this order.

    --refused, for one node: only when the home store keeps what it sends as "sealed without what
    was to be mixed in". The node's log names the epoch; `lamppost vault nodes --long` lists what
    the vault has. Example:

    \b
    lamppost vault mix city.vault 0a1b2c3d4e --refused 12 \\
        --key-file /media/usb/city.key
    """
    from host_tools.city import mixing
    from host_tools.city.grant import check_active, stores_of
    from host_tools.city.vault_keys import check_kind
    from host_tools.vault.sealed_file import SealedFile

    nodes, now_s = sorted(set(nodes)), int(time.time())
    if refused is not None and len(nodes) > 1:
        raise click.UsageError("--refused is for one node: each counts its own epochs")
    with SealedFile.open(path, passphrase(), factor) as file:
        check_kind(file)
        for node_id in nodes:
            check_active(file, node_id)
        with file.change("mix", {"nodes": nodes, "refused": refused}):
            if refused is not None:
                mixing.drop(file, nodes[0], refused)
            made = mixing.mix(file, nodes, now_s)
        far = mixing.far_ahead(file, nodes, now_s)
        steps = next_steps.update(path, stores_of(file, nodes)) + next_steps.commands(file, path)
    mix_days.note_far(far)
    if as_json:
        console.result_json({
            "file": str(path), "epochs": {node_id: one.epoch for node_id, one in made.items()},
            "days": {node_id: one.day for node_id, one in made.items()},
            "far": mix_days.as_object(far),
        })  # fmt: skip
        return
    for node_id, one in made.items():
        console.result(f"{node_id}: from {one.day} on, its epoch {one.epoch}")
    next_steps.show(steps)
