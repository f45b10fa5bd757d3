# SPDX-License-Identifier: MIT
"""`lamppost keyring init`: a store's key and card."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import json_option

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("keyring", metavar="KEYRING", type=_PATH)
@click.option("--name", required=True, help="Of the store, as the office will know it.")
@click.option("--office", "office_path", type=_PATH, required=True, metavar="CARD",
              help="The office's card: compare the fingerprint.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="CARD",
              help="The store's card, for the office: NAME.card.")  # fmt: skip
@json_option
def init(keyring, name, office_path, output, as_json):
    """Make a store's key, and the card for the office. Run again, it writes the card again.

    Example:

    \b
    lamppost keyring init home.json --name home --office city.office \\
        -o home.card
    """
    from host_tools.collector.store_key import key_path, make_store_key, read_store_key
    from host_tools.core_dumps import forbid_core_dumps
    from host_tools.errors import ToolError
    from host_tools.handover.cards import check_name, read_office
    from host_tools.public_file import check_target, write_public

    forbid_core_dumps()
    check_name(name, "--name")
    check_target(output, ".card", {office_path: "the office's card"})
    office = read_office(office_path)
    if key_path(keyring).exists():
        key = read_store_key(keyring)
        if (key.name, key.office) != (name, office):
            message = f"{key_path(keyring)} is of {key.name}, for {key.office.name}"
            raise ToolError(message, "give another keyring, or that name and office")
    else:
        key = make_store_key(keyring, name, office)
    write_public(output, key.card().encode())
    told = {"card": str(output), "store": name, "fingerprint": key.card().fingerprint(),
            "office": office.name, "office_fingerprint": office.fingerprint()}  # fmt: skip
    if as_json:
        console.result_json(told)
        return
    console.result(f"{output}: the card of {name}, fingerprint {told['fingerprint']}\n"
                   f"office {office.name}, fingerprint {told['office_fingerprint']}")  # fmt: skip
