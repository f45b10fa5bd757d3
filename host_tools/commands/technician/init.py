# SPDX-License-Identifier: MIT
"""`lamppost technician init`: a technician's sealed file, and their card."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option
from host_tools.commands.vault.new_factor import new_factor
from host_tools.core_dumps import forbid_core_dumps

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@click.option("--name", required=True, help="Yours, as the office will know you.")
@click.option("--office", "office_path", type=_PATH, required=True, metavar="CARD",
              help="The office's card: compare the fingerprint.")  # fmt: skip
@click.option("--key-file", type=_PATH, metavar="PATH", help="A key file that is there.")
@click.option("--new-key-file", type=_PATH, metavar="PATH", help="A key file that is made now.")
@click.option("--token", "use_token", is_flag=True, help="The FIDO2 token that is plugged in.")
@click.option("--label", default="", help="Which factor it is, for people; not sealed.")
@click.option("--passphrase-file", type=_PATH, metavar="PATH",
              help="Holds the passphrase. Default: it is asked for, twice.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="CARD",
              help="Your card, for the office: NAME.card.")  # fmt: skip
@json_option
def init(path, name, office_path, key_file, new_key_file, use_token, label, passphrase_file,
         output, as_json):  # fmt: skip
    """Make your sealed file, and the card for the office, to which it issues tickets.

    Read your fingerprint out to the office, and compare the office's. Example:

    \b
    lamppost technician init anna.technician --name anna \\
        --office city.office --new-key-file /media/usb/anna.key -o anna.card
    """
    from host_tools.commands.technician.as_words import fingerprints
    from host_tools.handover.cards import check_name, read_office
    from host_tools.public_file import check_target, write_public
    from host_tools.technician import technician_file
    from host_tools.vault.passphrase import named_file, new_passphrase
    from host_tools.vault.sealed_file import SealedFile

    forbid_core_dumps()
    SealedFile.check_new(path)
    check_name(name, "--name")
    check_target(output, ".card", {office_path: "the office's card"})
    office = read_office(office_path)
    options = "--key-file PATH, --new-key-file PATH or --token"
    with new_factor(path, key_file, new_key_file, use_token, label, options) as factor:
        passphrase = new_passphrase(passphrase_file or named_file(), "Passphrase")
        with technician_file.create(path, passphrase, factor, name, office) as file:
            told, card = fingerprints(file), technician_file.signed_card(file)
    write_public(output, card)
    if as_json:
        console.result_json({"file": str(path), "card": str(output), **told})
        return
    console.result(f"{output}: the card of {name}, fingerprint {told['fingerprint']}")
    console.result(f"office {told['office']}, fingerprint {told['office_fingerprint']}")
