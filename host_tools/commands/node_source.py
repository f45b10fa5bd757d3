# SPDX-License-Identifier: MIT
"""Where `lamppost flash`, `verify` and `label` take nodes from: a folder of prepared ones, or
tickets."""

import contextlib
from pathlib import Path

import rich_click as click

from host_tools.commands.vault.factor_options import make_factor
from host_tools.core_dumps import forbid_core_dumps
from host_tools.errors import ToolError

_path = click.Path(path_type=Path)
_ONE_COMMAND = "let it end, or give both boards to one command: --port A --port B"
_OPTIONS = (
    click.option("--nodes", "folder", type=_path, metavar="DIR",
                 envvar="LAMPPOST_NODES", show_envvar=True,
                 help="The prepared nodes (*.parts): who has the folder has their keys."),
    click.option("--ticket", "tickets", type=_path, metavar="FILE",
                 help="Instead of --nodes: tickets that the office issued to you (*.tickets)."),
    click.option("--technician", type=_path, metavar="FILE",
                 help="Your sealed file, which opens them: lamppost technician init."),
    click.option("--key-file", type=_path, metavar="PATH",
                 help="Your second factor: a key file."),
    click.option("--token", "use_token", is_flag=True, help="Your second factor: a token."),
    click.option("--passphrase-file", type=_path, metavar="PATH",
                 help="Holds your passphrase. Default: it is asked for."),
)  # fmt: skip


def node_source_options(command):
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextlib.contextmanager
def node_source(kit: str | None, is_dry: bool, *, folder, tickets, technician, key_file,
                use_token, passphrase_file):  # fmt: skip
    """Gives what has bound_to(mac), look(mac), take(mac), note_whole(mac) and of_node(id).
    UsageError when it is not named."""
    if (tickets is None) != (technician is None) or (tickets is None and folder is None):
        raise click.UsageError("give --nodes DIR, or --ticket FILE with --technician FILE")
    forbid_core_dumps()
    if tickets is None:
        from host_tools.flashing.prepared_nodes import PreparedNodes

        yield PreparedNodes(folder, kit)
        return
    from host_tools.technician.ticket_nodes import TicketNodes
    from host_tools.vault.file_lock import LockedError
    from host_tools.vault.passphrase import read_passphrase
    from host_tools.vault.sealed_file import SealedFile

    factor = make_factor(key_file, use_token, "--key-file PATH or --token")
    text = read_passphrase(passphrase_file)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(SealedFile.open(technician, text, factor, is_dry))
        except LockedError as err:
            raise ToolError(err.message, _ONE_COMMAND) from err
        yield TicketNodes(file, tickets, kit)
