# SPDX-License-Identifier: MIT
"""`lamppost send`: commands of a vault, to the broker."""

from pathlib import Path

import rich_click as click

from host_tools import console

_PATH = click.Path(path_type=Path)


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

    May be sent again at any time: a node takes each command once. Example:

    \b
    lamppost send city.commands --broker broker.city.example:8883 \\
        --tls-dir tls --name vault
    """
    from host_tools.city.send import send as give
    from host_tools.collector.broker_address import parse_address
    from host_tools.handover.command_file import read_commands
    from host_tools.provisioning.certificate_files import certificate_files

    messages, address = read_commands(path), parse_address(broker)
    give(messages, address, *certificate_files(tls_dir, name), server_name)
    if as_json:
        console.result_json({"file": str(path), "sent": len(messages)})
        return
    console.result(f"{len(messages)} commands are at {broker}")
