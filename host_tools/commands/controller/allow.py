# SPDX-License-Identifier: MIT
"""`lamppost controller allow`: takes a published policy."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option, opening


@click.command()
@folder_argument
@click.argument("path", metavar="FILE.policy", type=click.Path(path_type=Path))
@opening
@json_option
def allow(folder, path, factor, passphrase, as_json):
    """Take a published policy: by it, and no other, sums are opened.

    Its signature is checked. Give every version as soon as it is published: from its first day on
    a sum opens only when the newer one allows it as well. Example:

    \b
    lamppost controller allow office energy-dwelling.policy \\
        --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import allow_policy

    allowed, fresh = allow_policy(folder, passphrase(), factor, path)
    policy = allowed.policy
    numbers = [stream.number for stream in policy.streams if stream.bins is not None]
    if as_json:
        console.result_json({
            "file": str(path), "id": policy.id, "version": policy.version, "kit": policy.kit,
            "digest": policy.digest.hex(), "masked_streams": numbers, "new": fresh,
        })  # fmt: skip
        return
    what = f"masked streams {', '.join(map(str, numbers))}" if numbers else "no masked stream"
    console.result(f"{path}: {allowed.title}, {what}{'' if fresh else '; known already'}")
