# SPDX-License-Identifier: MIT
"""`lamppost controller status`: what it holds, and how far its ledger is."""

import rich_click as click

from host_tools import console
from host_tools.commands.controller.unlock import (
    factor,
    folder_argument,
    passphrase,
    unlock_options,
)


@click.command()
@folder_argument
@unlock_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(folder, key_file, passphrase_file, as_json):
    """Show what the controller holds, and how far its ledger is. It proves that both factors open
    the vault, and that the ledger is whole and not an older copy.
    """
    from host_tools.controller.folder import unlock

    controller = unlock(folder, passphrase(passphrase_file), factor(key_file))
    told = controller.status()
    if as_json:
        console.result_json(told)
        return
    for key, value in told.items():
        console.result(f"{key.replace('_', ' ')}: {value}")
