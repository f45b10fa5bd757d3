# SPDX-License-Identifier: MIT
"""`lamppost vault remove-factor`: a factor that opens a vault no longer."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command("remove-factor")
@file_argument
@click.argument("slot", type=int, metavar="SLOT")
@opening
@json_option
def remove_factor(path, slot, factor, passphrase, as_json):
    """Take a factor away, as when it is lost. SLOT is its number in `lamppost vault status`.

    The vault gets a new key, so the factor does not open what is written from now on. It still
    opens old copies of the file: if it may be in wrong hands together with the passphrase, renew
    what the vault holds. Example:

    \b
    lamppost vault remove-factor city.vault 2 --key-file /media/usb/city.key
    """
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor) as file:
        file.remove_factor(slot)
        left = len(file.slots)
    if as_json:
        console.result_json({"file": str(path), "removed": slot, "left": left})
        return
    console.result(f"{path}: slot {slot} is removed, {left} left")
