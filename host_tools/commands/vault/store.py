# SPDX-License-Identifier: MIT
"""`lamppost vault store`: who may open what nodes send."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_CARD = click.argument("card_path", metavar="CARD", type=click.Path(path_type=Path))


@click.group()
def store():
    """Who may open what nodes send. CARD is what `lamppost keyring init` made. Example:

    \b
    lamppost vault store add city.vault home.card \\
        --key-file /media/usb/city.key
    """


@store.command()
@file_argument
@_CARD
@opening
@click.option("--reader", "is_reader", is_flag=True,
              help="It may read, and send no receipts: another department.")  # fmt: skip
@json_option
def add(path, card_path, factor, passphrase, is_reader, as_json):
    """Know a store, so that it can be granted nodes. Compare the fingerprint. Example:

    \b
    lamppost vault store add city.vault home.card \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.people import HOME, READER, add_store
    from host_tools.handover.cards import read_store
    from host_tools.vault.sealed_file import SealedFile

    card, kind = read_store(card_path), READER if is_reader else HOME
    with SealedFile.open(path, passphrase(), factor) as file:
        is_new = add_store(file, card, kind)
    told = {
        "store": card.name,
        "kind": kind,
        "is_new": is_new,
        "fingerprint": card.fingerprint(),
    }
    if as_json:
        console.result_json(told)
        return
    known = "" if is_new else ", known"
    console.result(f"store {card.name}: {kind}, fingerprint {told['fingerprint']}{known}")
