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
@click.option("--key-file", type=_PATH, metavar="PATH", help="A key file that is there.")
@click.option("--new-key-file", type=_PATH, metavar="PATH", help="A key file that is made now.")
@click.option("--token", "use_token", is_flag=True, help="The FIDO2 token that is plugged in.")
@click.option("--passphrase-file", type=_PATH, metavar="PATH",
              help="Holds the passphrase. Default: it is asked for, twice.")  # fmt: skip
@json_option
def init(folder, name, policy_key, key_file, new_key_file, use_token, passphrase_file, as_json):
    """Make a controller: its keys, its vault, its ledger.

    Its vault is an ordinary one: `lamppost vault` adds a factor to DIR/controller.vault, and backs
    it up. Example:

    lamppost controller init office --name "Data protection office" --policy-key policy.key
    --new-key-file /media/usb/controller.key
    """
    from host_tools.controller.folder import PUBLIC, make
    from host_tools.policy.signed import read_public_key
    from host_tools.vault.passphrase import named_file, new_passphrase

    believed = read_public_key(policy_key)
    options = "--key-file PATH, --new-key-file PATH or --token"
    with new_factor(folder, key_file, new_key_file, use_token, "", options) as factor:
        passphrase = new_passphrase(passphrase_file or named_file(), "Passphrase")
        public = make(folder, passphrase, factor, name, believed)
    path = folder / PUBLIC
    if as_json:
        fingerprint = public.fingerprint()
        told = {"name": name, "public_key": str(path), "fingerprint": fingerprint}
        console.result_json(told)
        return
    console.result(f"{path}: for the vault, and for who asks for sums")
    console.result(f"its fingerprint, to be compared by telephone: {public.fingerprint()}")
