# SPDX-License-Identifier: MIT
"""The command `lamppost`: one verb per file in commands/, loaded when it is used.

Exit code 0 done, 1 failed, 2 wrong usage.
"""

import os
import signal
import sys

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError
from host_tools.verbs import Verbs

# verb: what it does, in the words of `lamppost --help`. Its command is commands/<verb>.py:<verb>.
VERBS = {
    "demo": "Run a city of simulated nodes and show what arrives.",
    "collect": "Fill a store with what nodes send, and send them receipts.",
    "read": "Show what a collector has stored.",
    "sum": "Open a sum over many nodes, none of which can be read singly.",
    "boards": "Say which kits fit which boards, and why others do not.",
    "kit": "Draw a kit's wiring, and list what to buy.",
    "policy": "Check, compile, sign and compare what nodes may tell.",
    "controller": "Open sums of masked streams, by the rules of their policies.",
    "vault": "Keep a city's keys in one file that opens with two factors only.",
    "technician": "Keep a technician's keys and tickets, offline.",
    "keyring": "Take in what a store may open.",
    "send": "Give the broker the commands that a vault has written.",
    "flash": "Turn a bare board into a node: firmware, keys, self-test.",
    "update": "Give nodes new firmware by USB: keys, data and configuration stay.",
    "maintain": "Stop a node at MicroPython's prompt.",
    "wipe": "Erase a board that leaves service, and prove it.",
    "doctor": "Say what would keep flashing from working, and how to mend it.",
    "verify": "Wait for the first opened record of a node, and show it.",
    "label": "Draw a node's sticker: its id, its claim code, a QR code to the notice.",
    "completion": "Write what makes a shell complete `lamppost`.",
    "sim": "Play a scenario of faults, and say what was lost, repeated, refused.",
}


@click.group(
    cls=Verbs,
    package="host_tools.commands",
    words=VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="lamppost", message="%(prog)s %(version)s")
def lamppost():
    """Smart-city sensor nodes without surveillance."""


def run(args: list | None = None) -> int:
    """Runs one command line; returns the exit code."""
    click.rich_click.COLOR_SYSTEM = console.color_system()  # of the help
    click.rich_click.FORCE_TERMINAL = None  # it would colour what goes into the logs of a CI
    try:
        code = lamppost.main(args, prog_name="lamppost", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as err:  # rich-click, having shown the help because no verb was given
        return err.code
    except click.UsageError as err:
        context = err.ctx.command_path if err.ctx else "lamppost"
        console.complain(ToolError(err.format_message(), f"{context} --help"))
        return 2
    except click.ClickException as err:
        console.complain(ToolError(err.format_message()))
        return err.exit_code
    except ToolError as err:
        console.complain(err)
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        console.complain(ToolError("interrupted"))
        return 1
    except BrokenPipeError:  # who reads stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def main():
    for signum in (signal.SIGTERM, signal.SIGHUP):  # what was started is ended then, too
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signum, signal.default_int_handler)
    sys.exit(run())


if __name__ == "__main__":
    main()
