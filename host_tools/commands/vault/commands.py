# SPDX-License-Identifier: MIT
"""`lamppost vault commands`: what nodes are to be told."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import mix_days
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="NAME.commands.")  # fmt: skip
@json_option
def commands(path, factor, passphrase, output, as_json):
    """Write the commands that nodes are to get, each sealed for its node, for `lamppost send`.

    All that are of use still, also those that were written before: a node takes each once. A mix
    whose day has come is not: the node would refuse it. What is held goes out with a later file,
    when earlier mixes have passed: a node lets 4 wait. Example:

    \b
    lamppost vault commands city.vault -o city.commands \\
        --key-file /media/usb/city.key
    """
    from host_tools.city import mixing, rotate
    from host_tools.city.outgoing import write_derived
    from host_tools.city.vault_keys import check_kind
    from host_tools.handover import command_file
    from host_tools.policy.figures import count
    from host_tools.public_file import check_target
    from host_tools.vault.sealed_file import SealedFile

    check_target(output, command_file.SUFFIX, {path: "the vault"})
    now_s = int(time.time())
    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        check_kind(file)
        file.check_clock()
        queued = mixing.queued(file, now_s)
        # First what has no number: a node may start anew for a tree, and would forget such parts.
        rotations = rotate.messages(file)
        found = rotations + mixing.messages(file, now_s)
        under_way = {n: serial for n, serial in rotate.waiting(file).items()
                     if n in dict(rotations)}  # fmt: skip
        far = mixing.far_ahead(file, {one.node_id for one in queued}, now_s)
    going = [one.until_s for one in queued if one.verb == "mix" and not one.is_held]
    write_derived(output, command_file.encode(found, min(going, default=None)))
    mix_days.note_far(far)
    if as_json:
        console.result_json({"file": str(output), "commands": len(found),
                             "queued": [_row(one) for one in queued],
                             "rotations": under_way,
                             "far": mix_days.as_object(far)})  # fmt: skip
        return
    _show(queued, under_way)
    console.result(f"{output}: {count(len(found), 'command')}")


def _row(one) -> dict:
    """Without what it brings, which may be a key."""
    from host_tools.times import iso

    until = iso(one.until_s)
    row = {"node": one.node_id, "number": one.number, "verb": one.verb, "until": until}
    mix = {"epoch": one.arguments[0], "day": until[:10]} if one.verb == "mix" else {}
    return {**row, **mix, "is_held": one.is_held}


def _show(queued: list, rotations: dict[str, int]):
    """rotations: {node: the serial of its new certificate}; no day ends one."""
    from rich.table import Table

    if not queued and not rotations:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("node", "command", "epoch", "until", "held"):
        table.add_column(name, overflow="fold")
    for row in map(_row, queued):
        epoch, held = str(row.get("epoch", "")), "yes" if row["is_held"] else ""
        table.add_row(row["node"], row["verb"], epoch, row["until"][:10], held)
    for node_id, serial in rotations.items():
        table.add_row(node_id, f"rotate, certificate {serial}", "", "until it is done", "")
    console.result(table)
