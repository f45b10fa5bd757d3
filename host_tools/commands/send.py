# SPDX-License-Identifier: MIT
"""`lamppost send`: commands of a vault, to the broker."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console

_PATH = click.Path(path_type=Path)
_AGAIN = "have it connect, or see that the broker has its files; then send the file again"


@click.command()
@click.argument("path", metavar="COMMANDS", type=_PATH)
@click.option("--broker", required=True, metavar="HOST:PORT", help="Its TLS listener.")
@click.option("--tls-dir", type=_PATH, required=True, metavar="DIR",
              help="Where ca.pem, CN.pem and CN.key are.")  # fmt: skip
@click.option("--name", required=True, metavar="CN",
              help="Whose certificate to show; its OU must be vault.")  # fmt: skip
@click.option("--server-name", default="", metavar="NAME",
              help="In the broker's certificate, if it is not HOST.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def send(path, broker, tls_dir, name, server_name, as_json):
    """Give the broker what `lamppost vault commands` has written; it keeps that for each node.

    May be sent again: a node takes each command once. Once the day of a mix in it has come, have
    it written anew. Exit code 1: for some node the broker keeps nothing, as it was never
    connected. Example:

    \b
    lamppost send city.commands --broker broker.city.example:8883 \\
        --tls-dir tls --name vault
    """
    from host_tools.city.send import send as give
    from host_tools.collector.broker_address import parse_address
    from host_tools.commands.vault.refusals import complain_of, first_of
    from host_tools.handover.command_file import read_commands
    from host_tools.provisioning.certificate_files import certificate_files

    messages, address = read_commands(path, int(time.time())), parse_address(broker)
    done = give(messages, address, *certificate_files(tls_dir, name), server_name)
    complain_of("node", done.not_kept, _AGAIN)
    if as_json:
        told = {"file": str(path), "sent": done.count, "not_kept": first_of(done.not_kept)}
        console.result_json({**told, "not_kept_count": len(done.not_kept)})
    else:
        console.result(f"{done.count} of {len(messages)} commands are at {broker}")
    return 1 if done.not_kept else 0
