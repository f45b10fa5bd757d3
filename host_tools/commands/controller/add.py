# SPDX-License-Identifier: MIT
"""`lamppost controller add`: takes nodes."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening


@click.command()
@folder_argument
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@opening
@json_option
def add(folder, path, factor, passphrase, as_json):
    """Take nodes, from a file of roots that the vault sealed for this controller.

    A node that is known is never given another root. A controller that serves knows them after it
    was started again. Example:

    \b
    lamppost controller add office street.roots \\
        --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import add as add_nodes
    from host_tools.policy.figures import count

    found, fresh = add_nodes(folder, passphrase(), factor, path)
    if as_json:
        console.result_json({"file": str(path), "nodes": found, "new": fresh})
        return
    console.result(f"{path}: {count(found, 'node')}, {fresh:,} of them new")
