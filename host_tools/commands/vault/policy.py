# SPDX-License-Identifier: MIT
"""`lamppost vault policy`: a new policy for nodes that there are."""

import dataclasses
import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import next_steps
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, metavar="[NODE…]")
@opening
@click.option("--policy", "policy_path", type=click.Path(path_type=Path), required=True,
              metavar="FILE", help="The published policy (*.policy).")  # fmt: skip
@click.option("--all", "is_all", is_flag=True, help="All active nodes of the policy's kit.")
@click.option("--kit", "kit_name", metavar="KIT", help="The same, and it must be this kit.")
@json_option
def policy(path, nodes, factor, passphrase, policy_path, is_all, kit_name, as_json):
    """Have nodes take a new policy, of a higher version. It is in force from 00:00 UTC on.

    Then `lamppost vault update` for each store that it names, and last `lamppost vault commands`
    with `lamppost send`: a store opens nothing under a policy that it does not know. The same
    command may be run again. Exit code 1: a node cannot have it. Example:

    \b
    lamppost vault policy city.vault --all --policy air-2.policy \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.sending_policies import nodes_of_kit, send_policy
    from host_tools.commands.vault.refusals import complain_of, first_of
    from host_tools.errors import ToolError
    from host_tools.policy.figures import count
    from host_tools.policy.signed import read_file
    from host_tools.vault.sealed_file import SealedFile

    if [bool(nodes), is_all, kit_name is not None].count(True) != 1:
        raise click.UsageError("give NODE…, --all or --kit, one of them")
    published = read_file(policy_path)
    rules = published.policy()
    if kit_name not in (None, rules.kit):
        message = f"{policy_path} is for kit {rules.kit}, not {kit_name}"
        raise ToolError(message, "give the policy of that kit")
    with SealedFile.open(path, passphrase(), factor) as file:
        chosen = nodes or nodes_of_kit(file, rules.kit)
        done = send_policy(file, published, chosen, int(time.time()))
        steps = next_steps.update(path, done.stores)
        steps += next_steps.commands(file, path) if done.stores else []
    hint = "see `lamppost vault nodes`; the others are not stopped by it"
    complain_of("node", done.refused, hint)
    if as_json:
        console.result_json({
            "policy": rules.id, "version": rules.version, **dataclasses.asdict(done),
            "refused": first_of(done.refused), "refused_count": len(done.refused),
        })  # fmt: skip
    else:
        going = count(len(done.nodes), "node")
        console.result(f"{rules.id} version {rules.version}: {going} to get it, "
                       f"{len(done.known)} were to get it before")  # fmt: skip
        next_steps.show(steps)
    return 1 if done.refused else 0
