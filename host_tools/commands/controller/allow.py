# SPDX-License-Identifier: MIT
"""`lamppost controller allow`: takes a published policy."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.unlock import (
    factor,
    folder_argument,
    passphrase,
    unlock_options,
)


@click.command()
@folder_argument
@click.argument("path", metavar="FILE.policy", type=click.Path(path_type=Path))
@unlock_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def allow(folder, path, key_file, passphrase_file, as_json):
    """Take a published policy: by it, and no other, sums are opened.

    Its signature is checked. Give every version as soon as it is published: from its first day on
    a sum opens only when the newer one allows it as well. Example:

    lamppost controller allow office energy-dwelling.policy --key-file /media/stick/controller.key
    """
    from host_tools.controller.folder import allow_policy

    secret = passphrase(passphrase_file)
    allowed, fresh = allow_policy(folder, secret, factor(key_file), path)
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
