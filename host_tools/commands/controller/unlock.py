# SPDX-License-Identifier: MIT
"""The options by which a controller's vault is opened: a passphrase and a second factor."""

import os
from pathlib import Path

import rich_click as click

from host_tools.errors import ToolError

_VARIABLE = "LAMPPOST_PASSPHRASE_FILE"
_path = click.Path(path_type=Path)

folder_argument = click.argument("folder", metavar="DIR", type=_path)
_key_file = click.option(
    "--key-file", type=_path, required=True, metavar="PATH",
    help="The second factor: the key file, on a medium that is taken away.",
)  # fmt: skip
_passphrase_file = click.option(
    "--passphrase-file", type=_path, metavar="PATH",
    help=f"Take the passphrase from this file (/dev/fd/N: from a descriptor). Default: the file "
    f"that {_VARIABLE} names, else you are asked.",
)  # fmt: skip


def unlock_options(command):
    """Adds --key-file and --passphrase-file."""
    return _key_file(_passphrase_file(command))


def factor(key_file: Path):
    """The second factor."""
    from host_tools.vault.factors import KeyFile

    return KeyFile(key_file)


def passphrase(file: Path | None, twice: bool = False) -> str:
    """From the file, or the one that the environment names, or asked for; twice: typed again, as
    it is a new one. Never an argument: those are seen by everybody on the machine."""
    file = file or os.environ.get(_VARIABLE)
    if not file:
        return click.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    try:
        text = Path(file).read_text()
    except (OSError, UnicodeDecodeError) as err:
        reason = getattr(err, "strerror", None) or "it is no text"
        raise ToolError(f"{file}: {reason}", "give a file with the passphrase") from None
    return text.rstrip("\r\n")
