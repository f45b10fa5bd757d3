# SPDX-License-Identifier: MIT
"""`lamppost vault mask`: trees of masked streams, once more."""

import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault import next_steps
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, required=True, metavar="NODE…")
@opening
@json_option
def mask(path, nodes, factor, passphrase, as_json):
    """Queue the trees of masked streams again, for nodes that have lost one or were never told.

    `accept` queues them for 30 days. A node keeps the trees that it has. Then `lamppost vault
    commands`. Example:

    \b
    lamppost vault mask city.vault 0a1b2c3d4e --key-file /media/usb/city.key
    """
    from host_tools.city.roots import send_masks_again
    from host_tools.policy.figures import count
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor) as file:
        found = send_masks_again(file, nodes, int(time.time()))
        steps = next_steps.commands(file, path)
    if as_json:
        console.result_json({"file": str(path), "commands": found})
        return
    for node_id, number in found.items():
        console.result(f"{node_id}: {count(number, 'tree')}")
    next_steps.show(steps)
