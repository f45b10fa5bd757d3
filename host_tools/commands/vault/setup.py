# SPDX-License-Identifier: MIT
"""`lamppost vault setup`: a vault gets its city."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@opening
@click.option("--name", required=True, help="Of the office, as on its card.")
@click.option("--broker", required=True, metavar="HOST:PORT", help="As nodes reach it.")
@click.option("--sntp", required=True, metavar="HOST", help="Where nodes get the time.")
@click.option("--policy-key", type=_PATH, required=True, metavar="FILE",
              help="The policy.key by which nodes check policies.")  # fmt: skip
@click.option("--tls-dir", type=_PATH, metavar="DIR",
              help="ca.pem and ca.key, if the city has them. Default: new ones.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="CARD",
              help="The office's card, for technicians and stores: NAME.office.")  # fmt: skip
@json_option
def setup(path, factor, passphrase, name, broker, sntp, policy_key, tls_dir, output, as_json):
    """Give a vault its city: authority, the key that signs tickets, what nodes are told.

    Again with other values: for nodes that are made from then on. Read the fingerprint out to who
    takes the card. Example:

    \b
    lamppost vault setup city.vault --key-file /media/usb/city.key \\
        --name data-office --broker broker.city.example:8883 \\
        --sntp time.city.example --policy-key signer/policy.key \\
        -o city.office
    """
    from host_tools.city.vault_keys import office_of, set_up
    from host_tools.collector.broker_address import parse_address
    from host_tools.handover.cards import check_name, fingerprint
    from host_tools.policy.signed import read_public_key
    from host_tools.public_file import check_target, write_public
    from host_tools.vault.sealed_file import SealedFile

    check_name(name, "--name")
    check_target(output, ".office", {path: "the vault"})
    address, key = parse_address(broker), read_public_key(policy_key)
    with SealedFile.open(path, passphrase(), factor) as file:
        set_up(file, name, address, sntp, key, tls_dir)
        card = office_of(file)
    write_public(output, card.encode())
    words = fingerprint(card.sign)
    if as_json:
        console.result_json({"file": str(path), "card": str(output), "fingerprint": words})
        return
    console.result(f"{output}: the card of {name}, fingerprint {words}")
