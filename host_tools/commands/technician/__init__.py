# SPDX-License-Identifier: MIT
"""`lamppost technician`: keys and tickets of who installs nodes. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>.
VERBS = {
    "init": "Make your sealed file, and the card for the office.",
    "status": "Say whose file it is, for which office, and how many tickets are used.",
    "tickets": "List the tickets of a file: free, used, expired.",
    "receipts": "Write receipts of the tickets that you have used, for the office.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def technician():
    """Keep a technician's keys and tickets, offline.

    FILE opens with your passphrase AND a second factor, a key file or a FIDO2 token. Tickets that
    the office issues to you open with it alone, each once: `lamppost flash --ticket`.
    """
