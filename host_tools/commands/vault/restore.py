# SPDX-License-Identifier: MIT
"""`lamppost vault restore`: a backup takes the vault's place."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import newest
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@click.argument("source", metavar="BACKUP", type=click.Path(path_type=Path))
@file_argument
@opening
@click.option("--force", is_flag=True, help="Although FILE is newer, another, or does not open.")
@json_option
def restore(source, path, factor, passphrase, force, as_json):
    """Put a backup in the place of FILE. What is there is kept beside it, as FILE.replaced-1.

    Refused when FILE has log entries that BACKUP has not: they would be lost. Example:

    \b
    lamppost vault restore /mnt/backup/city-march.vault city.vault \\
        --key-file /media/usb/city.key
    """
    from host_tools.vault.backup import restore as put_back

    last, kept = put_back(source, path, passphrase(), factor, force)
    if kept is not None:
        console.note(f"what was there: {kept}")
    if as_json:
        console.result_json({"file": str(path), "replaced": str(kept) if kept else None,
                             **newest.as_object(last)})  # fmt: skip
        return
    console.result(f"{path} is restored; {newest.as_text(last)}")
