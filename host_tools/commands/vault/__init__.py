# SPDX-License-Identifier: MIT
"""`lamppost vault`: a city's keys. One verb per file, as in ../."""

import rich_click as click

from host_tools.verbs import Verbs

# verb: what it does. Its command is <verb>.py:<verb>, with _ for -.
VERBS = {
    "init": "Make a vault that opens with a passphrase and a second factor.",
    "unlock": "Prove that a vault opens, and say what is in it.",
    "status": "Say what a vault tells unopened: its factors, its newest log entry.",
    "log": "Show who changed what, and check that nothing of it was dropped.",
    "add-factor": "Let another key file or token open a vault, too.",
    "remove-factor": "Take a factor away, as when it is lost.",
    "passphrase": "Change the passphrase that goes with your factor.",
    "backup": "Copy a vault, sealed, and prove that the copy opens.",
    "restore": "Put a backup in its place.",
}


@click.group(cls=Verbs, package=__name__, words=VERBS)
def vault():
    """Keep a city's keys in one file that opens with two factors only.

    FILE is the vault. It opens with the passphrase AND a second factor, a key file or a FIDO2
    token; one of both opens nothing. The passphrase is asked for, or read from --passphrase-file
    or the file that LAMPPOST_PASSPHRASE_FILE names.
    """
