# SPDX-License-Identifier: MIT
"""`lamppost vault certificate`: for whom else than nodes."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_ROLES = click.Choice(["broker", "collector", "reader", "vault", "controller", "requester"])


@click.command()
@file_argument
@click.argument("name")
@opening
@click.option("--role", type=_ROLES, required=True,
              help="collector: a home store's; reader: writes to no node; vault: who sends "
                   "commands; requester: who asks a controller.")  # fmt: skip
@click.option("--store", metavar="STORE",
              help="Whose collector it is, a store's or reader's: it ends with that.")  # fmt: skip
@click.option("--host", "hosts", multiple=True, metavar="HOST",
              help="Of a broker or controller: a name or address of its own. Again for "
                   "more.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Where NAME.pem and NAME.key go, for their owner only.")  # fmt: skip
@json_option
def certificate(path, name, factor, passphrase, role, store, hosts, output, as_json):
    """Make a certificate and its key, which the vault does not keep.

    NAME stands in it (CN), and `revoke certificate NAME` ends it. Example:

    \b
    lamppost vault certificate city.vault collector-1 --role collector \\
        --store home -o tls --key-file /media/usb/city.key
    """
    from host_tools.city.certify import COLLECTORS, SERVERS, certify
    from host_tools.handover.cards import check_name
    from host_tools.vault.sealed_file import SealedFile

    check_name(name, "NAME")
    if (role in SERVERS) != bool(hosts):
        raise click.UsageError("--host is for a broker or controller, which needs one")
    if (role in COLLECTORS) != (store is not None):
        raise click.UsageError("--store is for a collector or reader, which needs one")
    with SealedFile.open(path, passphrase(), factor) as file:
        files = certify(file, name, role, hosts, store, output)
    if as_json:
        console.result_json({"files": [str(one) for one in files]})
        return
    console.result("\n".join(map(str, files)))
