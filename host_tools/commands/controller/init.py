# SPDX-License-Identifier: MIT
"""`lamppost controller init`: makes a controller."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.unlock import (
    factor,
    folder_argument,
    passphrase,
    unlock_options,
)


@click.command()
@folder_argument
@click.option("--name", required=True, help="Of the office, as tokens and the log's page have it.")
@click.option("--policy-key", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="The policy.key of who signs the policies.")  # fmt: skip
@unlock_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def init(folder, name, policy_key, key_file, passphrase_file, as_json):
    """Make a controller: its keys, its vault, its ledger.

    The key file is made where there is none yet. Keep it away from the machine. Example:

    lamppost controller init office --name "Data protection office" --policy-key policy.key
    --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import PUBLIC, make
    from host_tools.policy.signed import read_public_key
    from host_tools.vault.factors import make_key_file

    believed = read_public_key(policy_key)
    secret = passphrase(passphrase_file, twice=True)
    made = not key_file.exists()
    if made:
        make_key_file(key_file)
    public = make(folder, secret, factor(key_file), name, believed)
    if as_json:
        console.result_json({
            "name": name, "public_key": str(folder / PUBLIC), "fingerprint": public.fingerprint(),
            "key_file_made": made,
        })  # fmt: skip
        return
    console.result(f"{folder / PUBLIC}: for the vault, and for who asks for sums")
    console.result(f"its fingerprint, to be compared by telephone: {public.fingerprint()}")
    if made:
        console.note(f"{key_file}: the second factor is made; keep a copy in another place")
