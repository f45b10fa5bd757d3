# SPDX-License-Identifier: MIT
"""`lamppost maintain`: a node stops, and its board gives a prompt."""

import rich_click as click

from host_tools import console


@click.command()
@click.option("--port", metavar="PORT", help="Where the board is. Default: the only one.")
@click.option("--manual", is_flag=True,
              help="The port has no DTR and RTS: you press EN.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def maintain(port, manual, as_json):
    """Stop a node at MicroPython's prompt (REPL), for mpremote.

    A node that runs takes no Ctrl-C. It does for 3 s after a reset: this resets the board, and
    types Ctrl-C then. The node stays stopped, with all that it has, until it is reset. Exit code
    0: there is a prompt. Example:

    \b
    lamppost maintain --port /dev/ttyUSB0
    mpremote connect /dev/ttyUSB0 resume fs ls :lp
    mpremote connect /dev/ttyUSB0 reset
    """
    from host_tools.flashing.maintenance import stop_at_repl
    from host_tools.flashing.ports import choose_port

    port = port or choose_port()
    with console.progress(not as_json) as show:
        stopped = stop_at_repl(port, manual, lambda *how: show(port, *how))
    if as_json:
        console.result_json(stopped)
        return 0
    what = "The node has stopped" if stopped["node"] else "No node runs; the board is free"
    console.result_text(
        f"{what}: MicroPython's prompt is at {port}. For example:\n"
        f"  mpremote connect {port} resume repl     without `resume` mpremote resets it first\n"
        f"  mpremote connect {port} reset           the node runs again"
    )
    return 0
