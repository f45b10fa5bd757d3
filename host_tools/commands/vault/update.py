# SPDX-License-Identifier: MIT
"""`lamppost vault update`: what a store needs beside the seals that it has."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("--to", "store", required=True, metavar="STORE", help="A store or a reader.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="Sealed to the store: NAME.grant.")  # fmt: skip
@json_option
def update(path, factor, passphrase, store, output, as_json):
    """Write what a store needs after revocations: mixes, and which nodes count no more.

    It has no seals. Have it taken (`lamppost keyring take`) before commands are sent. Example:

    \b
    lamppost vault update city.vault --to home -o home.grant \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.grant import update as make
    from host_tools.city.outgoing import write_derived
    from host_tools.public_file import check_target
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, ".grant", {path: "the vault"})
    with SealedFile.open(path, passphrase(), factor) as file:
        write_derived(output, make(file, store, int(time.time())))
    if as_json:
        console.result_json({"file": str(output), "store": store})
        return
    console.result(f"{output}: for {store}")
