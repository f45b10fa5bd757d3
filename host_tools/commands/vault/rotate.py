# SPDX-License-Identifier: MIT
"""`lamppost vault rotate`: new certificates for nodes that run."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import next_steps
from host_tools.commands.vault.agreement import is_agreed, listed
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, metavar="[NODE…]")
@opening
@click.option("--done", is_flag=True,
              help="The nodes have told that they use it: revoke those before.")  # fmt: skip
@click.option("--from-store", "store_path", type=click.Path(path_type=Path), metavar="STORE",
              help="With --done: only of nodes that have told so in this store (.sqlite), or a "
                   "copy. Without NODE: of all that are under way.")  # fmt: skip
@click.option("--yes", is_flag=True, help="With --done: do not ask; --from-store asks nothing.")
@json_option
def rotate(path, nodes, factor, passphrase, done, store_path, yes, as_json):
    """Give nodes new certificates and private keys while they run, and a mix.

    `lamppost vault commands` writes what brings them. The old ones serve until you say --done: do
    so for a node only once its health tells the new one (`lamppost read --quantity certificate`),
    or it is locked out, so it asks; --from-store looks itself. Without NODE: which rotations are
    under way. Example:

    \b
    lamppost vault rotate city.vault 0a1b2c3d4e --key-file /media/usb/city.key
    lamppost vault rotate city.vault --done --from-store home.sqlite \\
        --key-file /media/usb/city.key
    """
    from host_tools.city import rotate as rotation
    from host_tools.city import store_tells
    from host_tools.city.grant import stores_of
    from host_tools.vault.sealed_file import SealedFile

    if store_path is not None and not done:
        raise click.UsageError("--from-store goes with --done")
    if done and not nodes and store_path is None:
        raise click.UsageError("--done: which nodes? Name them, or give --from-store")
    waiting, now_s, certificates = {}, int(time.time()), {}
    if store_path is not None:
        certificates = store_tells.certificates(store_path, now_s)  # before the vault is opened
    with SealedFile.open(path, passphrase(), factor, read_only=not (nodes or done)) as file:
        if done:
            if store_path is not None:
                nodes, waiting = _proved(file, certificates, nodes)
            elif not is_agreed(*_what_ends(rotation.ending(file, nodes)), yes):
                return 1
            revoked = rotation.finish(file, nodes, now_s) if nodes else {}
        elif nodes:
            serials = rotation.rotate(file, nodes, now_s)
            steps = next_steps.update(path, stores_of(file, nodes))
            steps += next_steps.commands(file, path)
        else:
            serials = rotation.waiting(file)
        if waiting:
            again = next_steps.commands(file, path)
    if done:
        _show_done(path, revoked, waiting, as_json)
        if waiting and not as_json:
            console.note("the certificates before go on to serve; have the new one brought again:")
            next_steps.show(again)
        return 0
    if as_json:
        console.result_json({"file": str(path), "certificates": serials})
        return 0
    for node_id, serial in serials.items():
        console.result(f"{node_id}: certificate {serial}" + ("" if nodes else " is under way"))
    if not serials:
        console.result("no rotation is under way")
    elif nodes:
        next_steps.show(steps)
        _show_when(path, serials)
    return 0


def _what_ends(revoked: dict[str, int]) -> tuple[str, list[str]]:
    """(question, what will end)"""
    count = sum(revoked.values())
    return f"End the certificates before of {len(revoked)} nodes?", [
        f"nodes: {listed(revoked)}; their certificates before, which end: {count}",
        "a node that has not told the new one is locked out: see it with lamppost read --quantity "
        "certificate, or give --from-store",
    ]


def _proved(file, certificates: dict, nodes) -> tuple[list, dict]:
    """([nodes that have told the certificate under way], {each other: what it has told})"""
    from host_tools.city import rotate as rotation

    told = rotation.told(file, certificates, nodes)
    return (
        [node_id for node_id, one in told.items() if one.is_proved],
        {node_id: one for node_id, one in told.items() if not one.is_proved},
    )


def _show_when(path, nodes):
    named = " ".join(f"--node {node_id}" for node_id in nodes)
    console.note(f"look: lamppost read --quantity certificate {named}")
    console.note(f"once they tell it: lamppost vault rotate {path} --done --from-store STORE, or "
                 f"{' '.join(nodes)} --done")  # fmt: skip


def _show_done(path, revoked: dict, waiting: dict, as_json: bool):
    from host_tools.times import iso, short

    if as_json:
        console.result_json({"file": str(path), "revoked": revoked, "waiting": {
            node_id: {"certificate": one.serial, "told": one.last,
                      "told_at": None if one.end_s is None else iso(one.end_s)}
            for node_id, one in waiting.items()
        }})  # fmt: skip
        return
    for node_id, count in revoked.items():
        console.result(f"{node_id}: certificates before it that are revoked: {count}")
    for node_id, one in waiting.items():
        last = "nothing" if one.end_s is None else f"{one.last} at {short(one.end_s)} UTC"
        console.result(f"{node_id}: certificate {one.serial} is under way; it told last: {last}")
    if not revoked and not waiting:
        console.result("no rotation is under way")
    if revoked:
        next_steps.show([next_steps.broker(path)])
