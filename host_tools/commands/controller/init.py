# SPDX-License-Identifier: MIT
"""`lamppost controller init`: makes a controller."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option
from host_tools.commands.vault.new_factor import new_factor

_PATH = click.Path(path_type=Path)


@click.command()
@folder_argument
@click.option("--name", required=True, help="Of the office, as tokens and the log's page have it.")
@click.option("--policy-key", type=_PATH, required=True, metavar="FILE",
              help="The policy.key of who signs the policies.")  # fmt: skip
@click.option("--office", type=_PATH, required=True, metavar="CARD",
              help="The card of the vault's office: whose nodes are believed.")  # fmt: skip
@click.option("--key-file", type=_PATH, metavar="PATH", help="A key file that is there.")
@click.option("--new-key-file", type=_PATH, metavar="PATH", help="A key file that is made now.")
@click.option("--token", "use_token", is_flag=True, help="The FIDO2 token that is plugged in.")
@click.option("--passphrase-file", type=_PATH, metavar="PATH",
              help="Holds the passphrase. Default: it is asked for, twice.")  # fmt: skip
@json_option
def init(folder, name, policy_key, office, key_file, new_key_file, use_token, passphrase_file,
         as_json):  # fmt: skip
    """Make a controller: its keys, its vault, its ledger.

    Its vault is an ordinary one: `lamppost vault` adds a factor to DIR/controller.vault, and backs
    it up. Who has the vault reads the fingerprint of its card out: nodes of anybody else are not
    taken. Example:

    \b
    lamppost controller init office --name "Data protection office" \\
        --policy-key policy.key --office city.office \\
        --new-key-file /media/usb/controller.key
    """
    from host_tools.controller import key_vault
    from host_tools.controller.folder import PUBLIC, make
    from host_tools.handover.cards import read_office
    from host_tools.policy.signed import read_public_key
    from host_tools.vault.passphrase import named_file, new_passphrase

    policies, card = read_public_key(policy_key), read_office(office)
    options = "--key-file PATH, --new-key-file PATH or --token"
    vault = folder / key_vault.FILE
    with new_factor(vault, key_file, new_key_file, use_token, "", options) as factor:
        passphrase = new_passphrase(passphrase_file or named_file(), "Passphrase")
        public = make(folder, passphrase, factor, name, policies, card.sign)
    path, words = folder / PUBLIC, card.fingerprint()
    if as_json:
        told = {"name": name, "public_key": str(path), "fingerprint": public.fingerprint(),
                "office": card.name, "office_fingerprint": words}  # fmt: skip
        console.result_json(told)
        return
    console.result(f"it believes the nodes of {card.name}, whose card is {words}")
    console.result(f"{path}: for the vault, and for who asks for sums")
    console.result(f"its fingerprint, to be compared by telephone: {public.fingerprint()}")
