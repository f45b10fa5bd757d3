# SPDX-License-Identifier: MIT
"""`lamppost vault unlock`: whether it opens, and what is in it."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault import newest
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@json_option
def unlock(path, factor, passphrase, as_json):
    """Prove that a vault opens, and say how much of what is in it. Nothing stays open.

    Compare the entry and hash with what you have noted: an old copy that somebody put in place
    opens, too. Example:

    \b
    lamppost vault unlock city.vault --key-file /media/usb/city.key
    """
    from host_tools.vault.schema import inventory
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        slot, counts, last = file.slot_number, inventory(file.db), file.newest
    if as_json:
        told = {"file": str(path), "slot": slot, "inventory": counts, **newest.as_object(last)}
        console.result_json(told)
        return
    contents = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
    console.result(f"{path} opens, with slot {slot}\n{contents}\n{newest.as_text(last)}")
