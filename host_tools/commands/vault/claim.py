# SPDX-License-Identifier: MIT
"""`lamppost vault claim`: who put a node up."""

import sys
import time

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("node")
@click.argument("code")
@opening
@click.option("--by", "technician", required=True, metavar="TECH", help="Who put it up.")
@click.option("--post", default="", metavar="TEXT",
              help="Where: it stays in the vault, and is in no other file; - for a line of stdin, "
                   "as a shell keeps what is typed.")  # fmt: skip
@click.option("--again", is_flag=True, help="It was claimed before, and has moved.")
@click.option("--force", is_flag=True, help="Also after ten wrong codes.")
@json_option
def claim(path, node, code, factor, passphrase, technician, post, again, force, as_json):
    """Note who put a node up, by the code on its label. Example:

    Example:

    \b
    lamppost vault claim city.vault k7x2m9qw4t ABCD-EFGH --by anna \\
        --post "lamp 1041" --key-file /media/usb/city.key
    """
    from host_tools.city.claim import claim as note
    from host_tools.handover.claim_code import read_code
    from host_tools.vault.sealed_file import SealedFile

    code = read_code(code)
    if post == "-":
        post = sys.stdin.readline().strip()
    with SealedFile.open(path, passphrase(), factor) as file:
        note(file, node, code, technician, post, int(time.time()), again, force)
    if as_json:
        console.result_json({"node": node, "technician": technician, "post": post})
        return
    console.result(f"{node}: put up by {technician}{' at ' + post if post else ''}")
