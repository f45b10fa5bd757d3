# SPDX-License-Identifier: MIT
"""`lamppost technician receipts`: what was installed, for the office."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="NAME.receipts.")  # fmt: skip
@json_option
def receipts(path, factor, passphrase, output, as_json):
    """Write receipts of all tickets that you have used, signed. Nothing of the boards is in it.
    A board that says it is one of these gets its keys again with `flash --yes` only.

    Example:

    \b
    lamppost technician receipts anna.technician -o anna.receipts \\
        --key-file /media/usb/anna.key
    """
    from host_tools.policy import figures
    from host_tools.public_file import check_target, write_public
    from host_tools.technician import technician_file
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, ".receipts", {path: "your sealed file"})
    with SealedFile.open(path, passphrase(), factor) as file:
        technician_file.check_kind(file)
        count = len(technician_file.uses(file))
        data = technician_file.signed_receipts(file, int(time.time()))
    write_public(output, data)
    if as_json:
        console.result_json({"file": str(output), "receipts": count})
        return
    console.result(f"{output}: {figures.count(count, 'receipt')}")
