# SPDX-License-Identifier: MIT
"""`lamppost keyring take`: what was granted goes into the keyring."""

import dataclasses
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import json_option

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("keyring", metavar="KEYRING", type=_PATH)
@click.argument("grant", metavar="GRANT", type=_PATH)
@json_option
def take(keyring, grant, as_json):
    """Take in what the office has granted; a collector that runs sees it within a second.

    Delete GRANT then: with the store's key it opens what the keyring forgets. Example:

    \b
    lamppost keyring take home.json home.grant
    """
    from host_tools.collector.store_key import take_grant
    from host_tools.core_dumps import forbid_core_dumps
    from host_tools.policy.figures import count

    forbid_core_dumps()
    taken = take_grant(keyring, grant)
    if as_json:
        console.result_json({"keyring": str(keyring), **dataclasses.asdict(taken)})
    else:
        news = count(taken.mixes, "mix", "mixes"), count(taken.policies, "policy", "policies")
        nodes = f"{count(len(taken.new), 'new node')}, {len(taken.known)} known"
        nodes += f", {len(taken.revoked)} gone"
        console.result(f"{keyring}: {nodes}; for those known: {', '.join(news)}")
    console.note(f"delete {grant}: with the store's key it opens what the keyring forgets")
