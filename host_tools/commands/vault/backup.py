# SPDX-License-Identifier: MIT
"""`lamppost vault backup`: a sealed copy that opens."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import newest
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("target", metavar="BACKUP", type=click.Path(path_type=Path))
@opening
@json_option
def backup(path, target, factor, passphrase, as_json):
    """Copy a vault, sealed, to the new file BACKUP, and prove that the copy opens.

    The copy opens with the same two factors. Keep it in another place than the key file. Example:

    \b
    lamppost vault backup city.vault /mnt/backup/city-march.vault \\
        --key-file /media/usb/city.key
    """
    from host_tools.vault.backup import back_up

    last = back_up(path, target, passphrase(), factor)
    if as_json:
        console.result_json({"file": str(path), "backup": str(target), **newest.as_object(last)})
        return
    console.result(f"{target} opens; {newest.as_text(last)}")
