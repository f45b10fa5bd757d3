# SPDX-License-Identifier: MIT
"""A factor that a vault gets: an existing key file, one that is made now, or a token."""

import contextlib
import os
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import make_factor
from host_tools.errors import ToolError


@contextlib.contextmanager
def new_factor(path: Path, key_file: Path | None, new_key_file: Path | None, use_token: bool,
               label: str, options: str):  # fmt: skip
    """Gives the factor for the vault `path`. A key file that was made is gone again if the vault
    does not get it; after an error the vault may have it nonetheless, and then it stays."""
    if new_key_file is None:
        yield make_factor(key_file, use_token, options, label)
        return
    if key_file is not None or use_token:
        raise click.UsageError(f"give one of {options}")
    from host_tools.vault.factors import KeyFile, make_key_file

    before = _slots(path)
    make_key_file(new_key_file)
    try:
        yield KeyFile(new_key_file, label)
    except BaseException:
        if _may_have_it(path, before):
            console.note(f"{new_key_file} stays: {path} opens with it already")
        else:
            with contextlib.suppress(OSError):
                os.unlink(new_key_file)
        raise
    if new_key_file.stat().st_dev == path.stat().st_dev:
        console.note(f"{new_key_file} is on the same disk as the vault: move it to a medium that "
                     "you take away, and keep a copy elsewhere")  # fmt: skip


def _slots(path: Path) -> set[bytes]:
    """What tells the vault's slots apart; none when there is no vault. ToolError when what is
    there cannot be read."""
    from host_tools.vault.layout import decode
    from host_tools.vault.sealed_file import read_sealed

    if not os.path.lexists(path):
        return set()
    parts = decode(read_sealed(path))
    return set() if parts is None else {slot.public for slot in parts.header.slots}


def _may_have_it(path: Path, before: set[bytes]) -> bool:
    """Whether the vault has got a slot, as far as is known."""
    try:
        return not _slots(path) <= before
    except ToolError:
        return True
