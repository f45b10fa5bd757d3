# SPDX-License-Identifier: MIT
"""`lamppost vault log`: who changed what."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault import newest
from host_tools.commands.vault.factor_options import file_argument, json_option, opening
from host_tools.errors import ToolError


@click.command()
@file_argument
@opening
@click.option("--verify", is_flag=True, help="Only check the chain of hashes, and say so.")
@click.option("--seen", metavar="HASH", help="Fail unless this hash, which you noted once, is in "
              "the log: else the file is an older copy, or another one.")  # fmt: skip
@json_option
def log(path, factor, passphrase, verify, seen, as_json):
    """Show who changed what, and check that nothing of it was dropped.

    Each entry's hash covers all before it. Example:

    \b
    lamppost vault log city.vault --key-file /media/usb/city.key --verify
    """
    from host_tools import chained_log
    from host_tools.vault.sealed_file import SealedFile

    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        broken, last = chained_log.first_broken(file.db), file.newest
        entries = list(chained_log.entries(file.db))
    if broken is not None:
        raise ToolError(f"{path}: entry {broken} of the log does not follow from those before",
                        "bring back a backup, and find out who had the vault open")  # fmt: skip
    if seen is not None and seen.lower() not in {entry[4].hex() for entry in entries}:
        raise ToolError(f"{path}: that hash is not in the log",
                        "this is an older copy, or another vault: find the newer one")  # fmt: skip
    shown = [] if verify else entries
    if as_json:
        told = {"file": str(path), "is_whole": True, **newest.as_object(last)}
        rows = [{"number": number, "time_s": time_s, "verb": verb, "detail": detail}
                for number, time_s, verb, detail, _ in shown]  # fmt: skip
        console.result_json(told if verify else {**told, "entries": rows})
        return
    _show(shown, f"the log is whole; {newest.as_text(last)}")


def _show(entries: list, end: str):
    from host_tools.times import short

    for number, time_s, verb, detail, _ in entries:
        words = " ".join(f"{name}={value}" for name, value in detail.items())
        console.result(f"{number:5}  {short(time_s)}  {verb}  {words}".rstrip())
    console.result(end)
