# SPDX-License-Identifier: MIT
"""The options that open a vault: --passphrase-file, and --key-file or --token."""

import functools
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.core_dumps import forbid_core_dumps

_PATH = click.Path(path_type=Path)
_NO_TERMINAL = "a token with a PIN needs a person at a terminal"

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
file_argument = click.argument("path", metavar="FILE", type=_PATH)
_OPENING = (
    click.option("--key-file", type=_PATH, metavar="PATH", help="The second factor: a key file."),
    click.option("--token", "use_token", is_flag=True, help="The second factor: a FIDO2 token."),
    click.option("--passphrase-file", type=_PATH, metavar="PATH",
                 help="Holds the passphrase, for its owner only. Default: it is asked for."),
)  # fmt: skip


def opening(command):
    """Gives a command what opens a vault: `factor`, and `passphrase`, a function that reads it."""

    @functools.wraps(command)
    def with_factor(*arguments, key_file, use_token, passphrase_file, **named):
        from host_tools.vault.passphrase import read_passphrase

        forbid_core_dumps()
        factor = make_factor(key_file, use_token, "--key-file PATH or --token")
        passphrase = functools.partial(read_passphrase, passphrase_file)
        return command(*arguments, factor=factor, passphrase=passphrase, **named)

    for option in reversed(_OPENING):
        with_factor = option(with_factor)
    return with_factor


def make_factor(key_file: Path | None, use_token: bool, options: str, label: str = ""):
    """The one factor that was named; UsageError when it is none or both. options: how it can be
    named."""
    if (key_file is not None) == use_token:
        raise click.UsageError(f"give the second factor: {options}, one of both")
    if use_token:
        from host_tools.vault.fido2_token import Token

        def ask_pin() -> str:
            return console.ask_hidden("PIN of the token", _NO_TERMINAL)

        return Token(ask_pin, console.note, label)
    from host_tools.vault.factors import KeyFile

    return KeyFile(key_file, label)
