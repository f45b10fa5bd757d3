# SPDX-License-Identifier: MIT
"""`lamppost keyring epochs`: from which epoch on each node can be opened."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import json_option


@click.command()
@click.argument("path", metavar="KEYRING", type=click.Path(path_type=Path))
@json_option
def epochs(path, as_json):
    """Say from which epoch on each node can be opened: no envelope without receipt is older.

    With --json it is for `lamppost vault grant --oldest`, when another home store takes over.
    Example:

    \b
    lamppost keyring epochs home.json --json > oldest.json
    """
    from host_tools.collector.keyring import Keyring
    from host_tools.errors import ToolError

    if not path.is_file():
        raise ToolError(f"{path}: there is no such keyring", "check the path")
    ring = Keyring(path)
    found = {node_id: ring.node(node_id).epoch for node_id in ring.node_ids()}
    if as_json:
        console.result_json({"keyring": str(path), "epochs": found})
        return
    console.result("\n".join(f"{node_id} {epoch}" for node_id, epoch in found.items()))
