# SPDX-License-Identifier: MIT
"""`lamppost vault certificates`: who else than nodes has one."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@json_option
def certificates(path, factor, passphrase, as_json):
    """List certificates of all but nodes: role, whose it is, until when, whether it is revoked.
    Example:

    \b
    lamppost vault certificates city.vault --key-file /media/usb/city.key
    """
    from host_tools.city.listing import certificates_of
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        rows = certificates_of(file)
    if as_json:
        console.result_json({"file": str(path), "certificates": rows})
        return
    from rich.table import Table

    from host_tools.times import short

    table = Table(box=None, pad_edge=False)
    for name in ("name", "role", "owner", "until", "revoked"):
        table.add_column(name, overflow="fold")
    for row in rows:
        revoked = "" if row["revoked_s"] is None else short(row["revoked_s"])
        table.add_row(row["name"], row["role"], row["owner"] or "", short(row["until_s"]), revoked)
    console.result(table)
