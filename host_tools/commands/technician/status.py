# SPDX-License-Identifier: MIT
"""`lamppost technician status`: whose file it is."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("--card", type=click.Path(path_type=Path), metavar="CARD",
              help="Write your card again, for the office: NAME.card.")  # fmt: skip
@json_option
def status(path, factor, passphrase, card, as_json):
    """Say whose file it is, for which office, and how many tickets are used. Example:

    \b
    lamppost technician status anna.technician \\
        --key-file /media/usb/anna.key
    """
    from host_tools.commands.technician.as_words import fingerprints
    from host_tools.policy.figures import count
    from host_tools.public_file import check_target, write_public
    from host_tools.technician import technician_file
    from host_tools.vault.sealed_file import SealedFile

    if card:
        check_target(card, ".card", {path: "your sealed file"})
    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        technician_file.check_kind(file)
        told = {**fingerprints(file), "used": len(technician_file.used_tickets(file))}
        data = technician_file.signed_card(file)
    if card:
        write_public(card, data)
    if as_json:
        console.result_json({"file": str(path), **told})
        return
    console.result(f"{told['technician']}, fingerprint {told['fingerprint']}\n"
                   f"office {told['office']}, fingerprint {told['office_fingerprint']}\n"
                   f"{count(told['used'], 'ticket')} used")  # fmt: skip
