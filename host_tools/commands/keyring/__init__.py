# SPDX-License-Identifier: MIT
"""`lamppost keyring`: what a store may open. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>.
VERBS = {
    "init": "Make a store's key, and the card for the office.",
    "take": "Take in what the office has granted.",
    "epochs": "Say from which epoch on each node can be opened.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def keyring():
    """Take in what a store may open.

    KEYRING is the file that `lamppost collect` works with. Beside it, in KEYRING.key, lies the key
    to which the office seals what it grants.
    """
