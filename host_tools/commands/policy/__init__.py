# SPDX-License-Identifier: MIT
"""`lamppost policy`: what nodes may tell. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>.
VERBS = {
    "check": "Say what a policy lets out, and what guidance says to that.",
    "show": "Show a policy's rules and terms.",
    "diff": "Say what a new version lets out that the old did not, and what less.",
    "notice": "Write the page for the public, which prints as a sign.",
    "datachain": "Write the same for machines: a DTPR data chain.",
    "compile": "Check a policy, sign it, and write the file to publish.",
    "keygen": "Make a key that signs policies.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def policy():
    """Check, compile, sign and compare what nodes may tell.

    FILE is a policy as people write it (TOML), or a published one (*.policy).
    """
