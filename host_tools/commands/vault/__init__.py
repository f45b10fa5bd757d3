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
    "setup": "Give a vault its city: authority, broker, the key that signs policies.",
    "technician": "Who may install nodes.",
    "store": "Who may open what nodes send.",
    "certificate": "Make a certificate for whom else than nodes, such as a broker or collector.",
    "certificates": "List certificates of all but nodes, and whose each is.",
    "issue": "Make nodes, and tickets by which a technician installs them.",
    "accept": "Take a technician's receipts in: what is installed counts from now on.",
    "claim": "Note who put a node up, and at which post.",
    "grant": "Let a store or reader open nodes from a day on.",
    "update": "Write what a store needs after revocations: mixes, who counts no more.",
    "revoke": "Take back a node, ticket, technician, store, reader or certificate.",
    "rotate": "Give nodes new certificates while they run.",
    "mix": "Shut out who has old seals of a node, also when one came too late.",
    "policy": "Have nodes take a new policy, once the stores know it.",
    "resend": "Have nodes send again what a store lost that came back from a backup.",
    "mask": "Queue the trees of a node's masked streams again.",
    "roots": "Write what a controller needs to open sums of masked streams.",
    "nodes": "List nodes, their tickets, and who may open them.",
    "commands": "Write the commands that nodes are to get, for `lamppost send`.",
    "broker": "Write what the broker needs: who may do what, who is revoked.",
    "clock": "Go on after the newest log entry was written by a clock that was ahead.",
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
