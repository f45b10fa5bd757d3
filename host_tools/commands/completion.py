# SPDX-License-Identifier: MIT
"""`lamppost completion`: what makes a shell complete `lamppost`."""

import rich_click as click

from host_tools import console

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell):
    """Write what makes a shell complete `lamppost`. For zsh, ~/.zfunc must be in fpath.

    \b
    lamppost completion bash \\
        > ~/.local/share/bash-completion/completions/lamppost
    lamppost completion zsh > ~/.zfunc/_lamppost
    lamppost completion fish > ~/.config/fish/completions/lamppost.fish
    """
    from click.shell_completion import get_completion_class

    from host_tools.cli import lamppost

    kind = get_completion_class(shell)
    console.result_text(kind(lamppost, {}, "lamppost", "_LAMPPOST_COMPLETE").source())
