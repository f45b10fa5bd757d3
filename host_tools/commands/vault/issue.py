# SPDX-License-Identifier: MIT
"""`lamppost vault issue`: nodes, as tickets for a technician."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@opening
@click.option("--count", type=click.IntRange(1, 500), default=1, metavar="N", help="How many.")
@click.option("--kit", "kit_name", required=True, metavar="KIT", help="A kit's name, or its path.")
@click.option("--policy", "policy_path", type=_PATH, required=True, metavar="FILE",
              help="The published policy (*.policy) that they start with.")  # fmt: skip
@click.option("--to", "technician", required=True, metavar="TECHNICIAN", help="Who installs them.")
@click.option("--expires", default="30d", metavar="SPAN",
              help="How long a ticket may be used. Default 30d.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="FILE",
              help="A new file: NAME.tickets.")  # fmt: skip
@json_option
def issue(path, factor, passphrase, count, kit_name, policy_path, technician, expires, output,
          as_json):  # fmt: skip
    """Make nodes, and tickets by which a technician installs them, sealed to them alone.

    Each ticket has one node's keys and certificate, never the root. Cut off, it goes on when the
    same command is run again. Example:

    \b
    lamppost vault issue city.vault --count 20 --kit air --policy air.policy \\
        --to anna -o anna-1.tickets --key-file /media/usb/city.key
    """
    from host_tools.city.issue import issue as make
    from host_tools.policy import figures
    from host_tools.policy.signed import read_file
    from host_tools.provisioning.kit import load_kit
    from host_tools.public_file import check_target
    from host_tools.times import parse_span
    from host_tools.vault.sealed_file import SealedFile

    valid_s = parse_span(expires, "--expires")
    check_target(output, ".tickets", {path: "the vault", policy_path: "the policy"})
    kit, policy = load_kit(kit_name), read_file(policy_path)
    with SealedFile.open(path, passphrase(), factor) as file:
        now_s = int(time.time())
        is_again = make(file, kit, policy, technician, count, valid_s, output, now_s)
    if is_again:
        console.note("an earlier run was cut off: these are its tickets")
    if as_json:
        console.result_json({"file": str(output), "count": count, "kit": kit.name,
                             "technician": technician, "is_again": is_again})  # fmt: skip
        return
    console.result(f"{output}: {figures.count(count, 'ticket')} for {technician}, kit {kit.name}")
