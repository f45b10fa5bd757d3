# SPDX-License-Identifier: MIT
"""`lamppost controller restore`: goes on with a ledger that came back from a backup."""

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening


@click.command()
@folder_argument
@opening
@json_option
def restore(folder, factor, passphrase, as_json):
    """Go on with a ledger that came back from a backup, when its newest copy is lost.

    What was answered since the backup is not known any more. So nothing that was measured before
    now is opened again, but for the very sums that this ledger knows.

    \b
    lamppost controller restore office \\
        --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import restore as restore_ledger

    entries, expected = restore_ledger(folder, passphrase(), factor)
    if as_json:
        console.result_json({"entries": entries, "expected": expected})
        return
    console.result(f"{entries:,} of at least {expected:,} entries are there; it goes on from now")
