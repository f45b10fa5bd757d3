# SPDX-License-Identifier: MIT
"""`lamppost controller certificate`: takes the certificate under which the controller serves."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening

_path = click.Path(path_type=Path)


@click.command()
@folder_argument
@click.option("--tls-dir", type=_path, required=True, metavar="DIR",
              help="Where ca.pem, CN.pem and CN.key are.")  # fmt: skip
@click.option("--cn", "name", required=True, metavar="CN", help="Whose certificate it is.")
@opening
@json_option
def certificate(folder, tls_dir, name, factor, passphrase, as_json):
    """Take the certificate under which the controller serves, and its key into the vault.

    Delete the file of the key then. It is also how a certificate is renewed. Example:

    \b
    lamppost controller certificate office --tls-dir tls --cn controller \\
        --key-file /media/stick/controller.key
    """
    from host_tools.controller.key_vault import KeyVault
    from host_tools.controller.service import check_own, server_context
    from host_tools.private_file import read_bounded
    from host_tools.provisioning.certificate_files import certificate_files
    from host_tools.provisioning.certificates import MOST_KEY_BYTES

    files = certificate_files(tls_dir, name)
    parts = [read_bounded(file, MOST_KEY_BYTES) for file in files]
    server_context(*parts)
    check_own(parts[1])
    with KeyVault.open(folder, passphrase(), factor) as vault:
        vault.set_tls(*parts)
    if as_json:
        console.result_json({"certificate": str(files[1]), "key": str(files[2])})
        return
    console.result(f"{files[1]} is taken, and its key is in the vault: delete {files[2]}")
