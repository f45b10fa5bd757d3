# SPDX-License-Identifier: MIT
"""`lamppost controller status`: what it holds, and how far its ledger is."""

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening


@click.command()
@folder_argument
@opening
@json_option
def status(folder, factor, passphrase, as_json):
    """Show what the controller holds, and how far its ledger is. It proves that both factors open
    the vault, and that the ledger is whole and not an older copy.

    \b
    lamppost controller status office --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import unlock

    controller = unlock(folder, passphrase(), factor)
    told = controller.status()
    if as_json:
        console.result_json(told)
        return
    for key, value in told.items():
        console.result(f"{key.replace('_', ' ')}: {value}")
