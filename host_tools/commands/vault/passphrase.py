# SPDX-License-Identifier: MIT
"""`lamppost vault passphrase`: another passphrase for one's own factor."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command("passphrase")
@file_argument
@opening
@click.option("--new-passphrase-file", type=click.Path(path_type=Path), metavar="PATH",
              help="Holds the new one. Default: it is asked for, twice.")  # fmt: skip
@json_option
def passphrase(path, factor, passphrase, new_passphrase_file, as_json):
    """Change the passphrase that goes with your factor. Other factors keep theirs.

    The vault gets a new key: the old passphrase opens old copies of the file only. Example:

    \b
    lamppost vault passphrase city.vault --key-file /media/usb/city.key
    """
    from host_tools.vault.passphrase import new_passphrase
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor) as file:
        fresh = new_passphrase(new_passphrase_file, instead="give --new-passphrase-file FILE")
        file.change_passphrase(fresh, factor)
        others = [slot.number for slot in file.slots if slot.number != file.slot_number]
        slot = file.slot_number
    if as_json:
        console.result_json({"file": str(path), "slot": slot, "unchanged_slots": others})
        return
    console.result(f"{path}: slot {slot} has the new passphrase")
    if others:
        console.note(f"slots {', '.join(map(str, others))} keep theirs: each holder changes it")
