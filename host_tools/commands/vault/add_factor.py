# SPDX-License-Identifier: MIT
"""`lamppost vault add-factor`: another factor that opens a vault, too."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening
from host_tools.commands.vault.new_factor import new_factor

_PATH = click.Path(path_type=Path)


@click.command("add-factor")
@file_argument
@opening
@click.option("--add-key-file", type=_PATH, metavar="PATH", help="Add a key file that is there.")
@click.option("--add-new-key-file", type=_PATH, metavar="PATH", help="Make a key file, add it.")
@click.option("--add-token", is_flag=True, help="Add the token that is plugged in and is new.")
@click.option("--label", default="", help="Which factor it is, for people; not sealed.")
@json_option
def add_factor(
    path, factor, passphrase, add_key_file, add_new_key_file, add_token, label, as_json
):
    """Let another key file or token open a vault, too.

    It goes with the same passphrase, until its holder changes that (lamppost vault passphrase).
    Example:

    \b
    lamppost vault add-factor city.vault --key-file /media/usb/city.key \\
        --add-token --label safe
    """
    from host_tools.vault.sealed_file import SealedFile

    options = "--add-key-file PATH, --add-new-key-file PATH or --add-token"
    text = passphrase()
    with (
        SealedFile.open(path, text, factor) as file,
        new_factor(path, add_key_file, add_new_key_file, add_token, label, options) as added,
    ):
        number = file.add_factor(text, added)
    if as_json:
        console.result_json({"file": str(path), "slot": number, "kind": added.kind})
        return
    console.result(f"{path}: slot {number} is a {added.kind}")
