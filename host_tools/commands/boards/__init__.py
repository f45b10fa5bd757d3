# SPDX-License-Identifier: MIT
"""`lamppost boards`: what a node can be made of. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>.
VERBS = {
    "check": "Say which kits fit which boards, and why others do not.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def boards():
    """Boards: their pins and peripherals, and the kits that fit them."""
