# SPDX-License-Identifier: MIT
"""`lamppost vault mix`: new bytes for the seals of nodes."""

import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, required=True, metavar="NODE…")
@opening
@click.option("--refused", is_flag=True,
              help="The node has refused the newest one, too late: forget that.")  # fmt: skip
@json_option
def mix(path, nodes, factor, passphrase, refused, as_json):
    """Have 32 random bytes mixed into the seals of nodes: who has old seals is shut out.

    `accept` and `revoke` do it by themselves. Then `lamppost vault update` for each store, and
    `lamppost vault commands`, in this order. Example:

    \b
    lamppost vault mix city.vault 0a1b2c3d4e --refused \\
        --key-file /media/usb/city.key
    """
    from host_tools.city import mixing
    from host_tools.city.grant import check_active
    from host_tools.city.vault_keys import check_kind
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor) as file:
        check_kind(file)
        for node_id in nodes:
            check_active(file, node_id)
        with file.change("mix", {"nodes": sorted(set(nodes)), "refused": refused}):
            dropped = {n: mixing.drop_newest(file, n) for n in set(nodes)} if refused else {}
            mixing.mix(file, set(nodes), int(time.time()), dropped)
        epochs = {node_id: max(mixing.mixes_of(file, node_id)) for node_id in nodes}
    if as_json:
        console.result_json({"file": str(path), "epochs": epochs})
        return
    for node_id, epoch in epochs.items():
        console.result(f"{node_id}: from epoch {epoch} on")
