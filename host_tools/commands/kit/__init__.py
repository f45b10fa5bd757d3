# SPDX-License-Identifier: MIT
"""`lamppost kit`: the sensors of a node. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>.
VERBS = {
    "wiring": "Draw how a kit is wired to a board, and list what to buy.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def kit():
    """Kits: which sensors, on which bus."""
