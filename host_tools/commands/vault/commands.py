# SPDX-License-Identifier: MIT
"""`lamppost vault commands`: what nodes are to be told."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="NAME.commands.")  # fmt: skip
@json_option
def commands(path, factor, passphrase, output, as_json):
    """Write the commands that nodes are to get, each sealed for its node, for `lamppost send`.

    All that are of use still, also those that were written before: a node takes each once.
    Example:

    \b
    lamppost vault commands city.vault -o city.commands \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.mixing import messages
    from host_tools.city.outgoing import write_derived
    from host_tools.city.vault_keys import check_kind
    from host_tools.handover import command_file
    from host_tools.public_file import check_target
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, command_file.SUFFIX, {path: "the vault"})
    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        check_kind(file)
        found = messages(file, int(time.time()))
    write_derived(output, command_file.encode(found))
    if as_json:
        console.result_json({"file": str(output), "commands": len(found)})
        return
    console.result(f"{output}: {len(found)} commands")
