# SPDX-License-Identifier: MIT
"""`lamppost controller serve`: answers requests over HTTPS, until it is stopped."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening
from host_tools.errors import ToolError


@click.command()
@folder_argument
@click.option("--listen", metavar="HOST:PORT", default="0.0.0.0:8443", show_default=True,
              help="Where; port 0 takes a free one.")  # fmt: skip
@click.option("--crl", type=click.Path(path_type=Path), metavar="FILE",
              help="Who is revoked: the crl.pem of `lamppost vault broker`. A new one counts at "
                   "once; without a good one nobody is answered.")  # fmt: skip
@opening
@json_option
def serve(folder, listen, crl, factor, passphrase, as_json):
    """Answer requests over HTTPS, until SIGTERM or Ctrl-C.

    Who asks shows a certificate of the authority with the OU requester; its CN is the name in the
    log. Example:

    \b
    lamppost controller serve office --listen 0.0.0.0:8443 --crl crl.pem \\
        --key-file /media/stick/controller.key
    """
    import asyncio

    from host_tools.controller import ledger
    from host_tools.controller.folder import unlock
    from host_tools.controller.revocations import Revocations
    from host_tools.controller.service import serve as serve_requests
    from host_tools.controller.service import server_context

    host, port = _address(listen)
    controller = unlock(folder, passphrase(), factor)
    if controller.tls is None:
        raise ToolError(f"{folder} has no certificate", "give it: lamppost controller certificate")
    context = server_context(*controller.tls)
    revoked = None if crl is None else Revocations(crl, controller.tls[0])

    def ready(taken: int):
        console.note(f"{controller.name} answers on {host}, port {taken}")
        if revoked is None:
            console.note("without --crl a certificate that is revoked still counts")

    try:
        path = folder / ledger.FILE
        told = ready, console.complain
        asyncio.run(serve_requests(controller, path, context, host, port, *told, revoked))
    except KeyboardInterrupt:
        console.note("ended; the ledger has every answer")
    if as_json:
        console.result_json(controller.status())
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and host and port.isdecimal() and int(port) < 1 << 16:
        return host.strip("[]"), int(port)
    raise ToolError(f"--listen: {text!r} is not HOST:PORT", "for instance 0.0.0.0:8443", 2)
