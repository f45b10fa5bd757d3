# SPDX-License-Identifier: MIT
"""`lamppost policy keygen`: a key that signs policies."""

from pathlib import Path

import rich_click as click

from host_tools import console


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def keygen(folder, as_json):
    """Make a key that signs policies, in a new folder.

    Its policy.key is for the nodes. The seed is secret: who has it can sign. The key signs 1,024
    times, on this machine, for this user: what is used up is noted twice, as state in the folder
    and in lamppost/signers of your state folder; where one is an older copy nothing is signed.
    Before you move or copy a key, read host_tools/provisioning/README.md.

    \b
    lamppost policy keygen signer
    """
    from host_tools.policy.signed import PUBLIC_KEY, make_key

    signer = make_key(folder)
    path = folder / PUBLIC_KEY
    if as_json:
        console.result_json({
            "public_key": signer.public_key.hex(), "file": str(path),
            "remaining": signer.remaining(),
        })  # fmt: skip
        return
    console.result(f"{path}: for the nodes; {folder} signs {signer.remaining():,} times")
