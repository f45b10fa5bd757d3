# SPDX-License-Identifier: MIT
"""`lamppost controller add`: takes nodes."""

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
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@unlock_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def add(folder, path, key_file, passphrase_file, as_json):
    """Take nodes, from a file of roots that the vault sealed for this controller.

    A node that is known is never given another root. A controller that serves knows them after it
    was started again. Example:

    lamppost controller add office street.roots --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import add as add_nodes
    from host_tools.policy.figures import count

    secret = passphrase(passphrase_file)
    found, fresh = add_nodes(folder, secret, factor(key_file), path)
    if as_json:
        console.result_json({"file": str(path), "nodes": found, "new": fresh})
        return
    console.result(f"{path}: {count(found, 'node')}, {fresh:,} of them new")
