# SPDX-License-Identifier: MIT
"""The option --key of the verbs that read a policy, and what they say without it."""

from pathlib import Path

import rich_click as click

from host_tools import console

key_option = click.option(
    "--key", metavar="FILE", type=click.Path(path_type=Path),
    help="Also check the signature, by this policy.key.",
)  # fmt: skip


def remark(key: Path | None, *paths: Path):
    """Says of each published policy that its signature was not checked."""
    from host_tools.policy.load import is_published

    for path in paths:
        if key is None and is_published(path):
            console.note(f"{path}: signature not checked (give --key)")
