# SPDX-License-Identifier: MIT
"""`lamppost controller token`: answers a request in a file."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening
from host_tools.errors import ToolError

_path = click.Path(path_type=Path)


@click.command()
@folder_argument
@click.argument("request", metavar="REQUEST", type=_path)
@click.option("-o", "--output", "target", metavar="TOKEN", type=_path, required=True,
              help="The file to write.")  # fmt: skip
@click.option("--by", required=True, metavar="NAME", help="Who brought the request: for the log.")
@opening
@json_option
def token(folder, request, target, by, factor, passphrase, as_json):
    """Answer a request in a file: for an office without a network.

    The same rules hold as on the network, and the log tells of it alike. Example:

    \b
    lamppost controller token office street.request -o street.token \\
        --by "Energy office" --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import unlock
    from host_tools.provisioning.controller_key import is_name
    from host_tools.public_file import check_room, write_public

    if not is_name(by):
        raise click.UsageError("--by: give a name of 1 to 64 printable characters")
    try:
        encoded = request.read_bytes()
    except OSError as err:
        hint = "`lamppost sum --request` writes one"
        raise ToolError(f"{request}: {err.strerror}", hint) from err
    if target.exists():
        raise ToolError(f"{target} is there already", "give another name with -o")
    check_room(target, 4096)  # before something is charged
    controller = unlock(folder, passphrase(), factor)
    answer = controller.answer(encoded, by)
    write_public(target, answer)
    if as_json:
        console.result_json({"request": str(request), "token": str(target), "bytes": len(answer)})
        return
    console.result(f"{target}: the token, for who brought {request}")
