# SPDX-License-Identifier: MIT
"""`lamppost vault clock`: goes on after a clock that was ahead."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@json_option
def clock(path, factor, passphrase, as_json):
    """Go on from this machine's clock, when a vault was last changed by a clock that was ahead.

    No verb changes a vault whose newest log entry lies ahead of the clock. Set the clock first;
    only when that entry's time was wrong, say so by this. Then look for mixes that lie far ahead
    (lamppost vault nodes --long). Example:

    \b
    lamppost vault clock city.vault --key-file /media/usb/city.key
    """
    from host_tools.times import iso, short
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor) as file:
        wrong_s = file.correct_clock()
    if as_json:
        console.result_json({"file": str(path), "was_ahead": iso(wrong_s)})
        return
    console.result(f"{path}: the log goes on; its entry of {short(wrong_s)} UTC had a wrong time")
