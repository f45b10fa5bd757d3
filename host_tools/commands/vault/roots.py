# SPDX-License-Identifier: MIT
"""`lamppost vault roots`: what a controller needs to open sums."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@opening
@click.option("--controller", type=_PATH, required=True, metavar="FILE",
              help="Its controller.public: compare the fingerprint.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="FILE",
              help="Sealed to the controller: NAME.roots.")  # fmt: skip
@json_option
def roots(path, factor, passphrase, controller, output, as_json):
    """Write the roots of masked streams of all active nodes, for `lamppost controller add`.

    Never for who has a store: with both, single values open. Example:

    \b
    lamppost vault roots city.vault --controller controller.public \\
        -o street.roots --key-file /media/usb/city.key
    """
    from host_tools.city.roots import hand_out_roots
    from host_tools.policy import figures
    from host_tools.provisioning.controller_key import read_key
    from host_tools.public_file import check_target
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, ".roots", {path: "the vault", controller: "the controller's key"})
    key = read_key(controller)
    with SealedFile.open(path, passphrase(), factor) as file:
        count = hand_out_roots(file, key, output)
    if as_json:
        console.result_json({"file": str(output), "controller": key.name, "nodes": count,
                             "fingerprint": key.fingerprint()})  # fmt: skip
        return
    console.result(f"{output}: {figures.count(count, 'node')} for {key.name}, "
                   f"fingerprint {key.fingerprint()}")  # fmt: skip
