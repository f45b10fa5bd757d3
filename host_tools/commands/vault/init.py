# SPDX-License-Identifier: MIT
"""`lamppost vault init`: a new vault."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option
from host_tools.commands.vault.new_factor import new_factor
from host_tools.core_dumps import forbid_core_dumps

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@click.option("--key-file", type=_PATH, metavar="PATH", help="A key file that is there.")
@click.option("--new-key-file", type=_PATH, metavar="PATH", help="A key file that is made now.")
@click.option("--token", "use_token", is_flag=True, help="The FIDO2 token that is plugged in.")
@click.option("--label", default="", help="Which factor it is, for people; not sealed.")
@click.option("--passphrase-file", type=_PATH, metavar="PATH",
              help="Holds the passphrase. Default: it is asked for, twice.")  # fmt: skip
@json_option
def init(path, key_file, new_key_file, use_token, label, passphrase_file, as_json):
    """Make a vault that opens with a passphrase and a second factor.

    Who loses both copies of a factor, or the passphrase, loses the vault: nobody can open it.
    Add a second factor, and lock it away. Example:

    \b
    lamppost vault init city.vault --new-key-file /media/usb/city.key
    """
    from host_tools.commands.vault.newest import as_object
    from host_tools.vault.passphrase import named_file, new_passphrase
    from host_tools.vault.schema import SCHEMA
    from host_tools.vault.sealed_file import SealedFile

    forbid_core_dumps()
    SealedFile.check_new(path)
    options = "--key-file PATH, --new-key-file PATH or --token"
    with new_factor(path, key_file, new_key_file, use_token, label, options) as factor:
        passphrase = new_passphrase(passphrase_file or named_file(), "Passphrase")
        with SealedFile.create(path, passphrase, factor, SCHEMA) as file:
            told = {"file": str(path), "vault_id": file.vault_id.hex(), **as_object(file.newest)}
    if as_json:
        console.result_json(told)
        return
    console.result(f"{path}: vault {told['vault_id']}")
