# SPDX-License-Identifier: MIT
"""`lamppost controller`: who opens masked sums. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>.
VERBS = {
    "init": "Make a controller: its keys, its vault, its ledger.",
    "add": "Take nodes, from a file of roots that the vault sealed for this controller.",
    "allow": "Take a published policy: by it, and no other, sums are opened.",
    "certificate": "Take the certificate under which it serves.",
    "serve": "Answer requests over HTTPS.",
    "token": "Answer a request in a file: for an office without a network.",
    "log": "Show what was asked for, and what came of it.",
    "status": "Show what it holds, and how far its ledger is.",
    "restore": "Go on with a ledger that came back from a backup.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def controller():
    """Open sums of masked streams by the rules of their policies, and nothing else.

    DIR is the controller's folder. It opens with a passphrase and a second factor.
    """
