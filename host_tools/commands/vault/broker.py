# SPDX-License-Identifier: MIT
"""`lamppost vault broker`: what a broker is given."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("--with-issued", is_flag=True,
              help="Let in nodes whose tickets are out, so that their self-test ends well. What "
                   "they send opens when their receipts are accepted.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Where acl, crl.pem and ca.pem go.")  # fmt: skip
@json_option
def broker(path, factor, passphrase, with_issued, output, as_json):
    """Write what a mosquitto needs: who may do what (acl_file), who is revoked (crlfile).

    Write it after each accept and revoke, and restart the broker. The list is good for 400 days;
    an older one shuts everybody out. Example:

    \b
    lamppost vault broker city.vault -o /etc/mosquitto/city \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.broker_files import broker_files
    from host_tools.city.vault_keys import check_kind
    from host_tools.errors import ToolError
    from host_tools.public_file import write_public
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        check_kind(file)
        made = broker_files(file, int(time.time()), with_issued)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ToolError(f"{output}: {err.strerror}", "give a folder that can be written") from err
    for name, data in made.items():
        write_public(output / name, data)
    if as_json:
        console.result_json({"folder": str(output), "files": sorted(made)})
        return
    console.result(f"{output}: {', '.join(sorted(made))}")
