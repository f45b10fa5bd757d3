# SPDX-License-Identifier: MIT
"""`lamppost vault rotate`: new certificates for nodes that run."""

import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, metavar="[NODE…]")
@opening
@click.option("--done", is_flag=True,
              help="The nodes have told that they use it: revoke those before.")  # fmt: skip
@json_option
def rotate(path, nodes, factor, passphrase, done, as_json):
    """Give nodes new certificates and private keys while they run, and a mix.

    `lamppost vault commands` writes what brings them. The old ones serve until you say --done: do
    so for a node only once its health tells the new one (`lamppost read --quantity certificate`),
    or it is locked out. Without NODE: which rotations are under way. Example:

    \b
    lamppost vault rotate city.vault 0a1b2c3d4e --key-file /media/usb/city.key
    lamppost vault rotate city.vault 0a1b2c3d4e --done \\
        --key-file /media/usb/city.key
    """
    from host_tools.city import rotate as rotation
    from host_tools.vault.sealed_file import SealedFile

    if done and not nodes:
        raise click.UsageError("--done: which nodes?")
    with SealedFile.open(path, passphrase(), factor, read_only=not nodes) as file:
        if done:
            revoked = rotation.finish(file, nodes, int(time.time()))
        elif nodes:
            serials = rotation.rotate(file, nodes, int(time.time()))
        else:
            serials = rotation.waiting(file)
    if done:
        _show_done(path, revoked, as_json)
        return
    if as_json:
        console.result_json({"file": str(path), "certificates": serials})
        return
    for node_id, serial in serials.items():
        console.result(f"{node_id}: certificate {serial}" + ("" if nodes else " is under way"))
    if not serials:
        console.result("no rotation is under way")
    if nodes:
        console.note(f"next: lamppost vault update {path}, for each store")
        console.note(f"then: lamppost vault commands {path}, and lamppost send")
        console.note(f"once a node tells its new certificate: lamppost vault rotate {path} NODE "
                     "--done")  # fmt: skip


def _show_done(path, revoked: dict, as_json: bool):
    if as_json:
        console.result_json({"file": str(path), "revoked": revoked})
        return
    for node_id, count in revoked.items():
        console.result(f"{node_id}: certificates before it that are revoked: {count}")
    console.note(f"next: lamppost vault broker {path}, and restart the broker")
