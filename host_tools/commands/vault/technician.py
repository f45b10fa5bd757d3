# SPDX-License-Identifier: MIT
"""`lamppost vault technician`: who may install nodes."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_CARD = click.argument("card_path", metavar="CARD", type=click.Path(path_type=Path))


@click.group()
def technician():
    """Who may install nodes. CARD is what `lamppost technician init` made. Example:

    \b
    lamppost vault technician add city.vault anna.card \\
        --key-file /media/usb/city.key
    """


@technician.command()
@file_argument
@_CARD
@opening
@json_option
def add(path, card_path, factor, passphrase, as_json):
    """Let somebody install nodes. Compare the fingerprint with what they read out. Example:

    \b
    lamppost vault technician add city.vault anna.card \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.people import add_technician
    from host_tools.handover.cards import fingerprint, read_technician
    from host_tools.vault.sealed_file import SealedFile

    card = read_technician(card_path)
    with SealedFile.open(path, passphrase(), factor) as file:
        is_new = add_technician(file, card)
    words = fingerprint(card.box, card.sign)
    if as_json:
        console.result_json({"technician": card.name, "is_new": is_new, "fingerprint": words})
        return
    console.result(f"{card.name}: fingerprint {words}{'' if is_new else ', known'}")
