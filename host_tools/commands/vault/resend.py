# SPDX-License-Identifier: MIT
"""`lamppost vault resend`: nodes send again what a store lost."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import next_steps
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, metavar="[NODE…]")
@opening
@click.option("--from-store", "store_path", type=click.Path(path_type=Path), metavar="STORE",
              help="The store that came back (.sqlite), or a copy: it tells from where on. "
                   "Without NODE: all active nodes.")  # fmt: skip
@click.option("--log", "log_hex", metavar="HEX", help="Without a store: the node's outbox.")
@click.option("--from", "first", type=click.IntRange(1, 2**32 - 1), metavar="N",
              help="The first envelope that is wanted.")  # fmt: skip
@json_option
def resend(path, nodes, factor, passphrase, store_path, log_hex, first, as_json):
    """Have nodes send again what they still hold, after a store was restored from a backup.

    What the store has is not stored twice. A node that has begun a new outbox meanwhile refuses:
    run it again once the store has heard of that. Then `lamppost vault commands` and
    `lamppost send`. Example:

    \b
    lamppost vault resend city.vault --from-store home.sqlite \\
        --key-file /media/usb/city.key
    """
    from host_tools.city import resending, store_tells
    from host_tools.policy.figures import count
    from host_tools.vault.sealed_file import SealedFile

    by_hand = log_hex is not None and first is not None and len(nodes) == 1
    if (store_path is None) != by_hand or (store_path and (log_hex or first)):
        raise click.UsageError("give --from-store; or one NODE with --log and --from")
    unheard = []
    known = store_tells.outboxes(store_path) if store_path else {}  # before the vault is opened
    with SealedFile.open(path, passphrase(), factor) as file:
        if store_path is None:
            wanted = {nodes[0]: (_log(log_hex), first)}
        else:
            wanted, unheard = resending.from_store(file, known, nodes)
        if wanted:
            resending.resend(file, wanted, int(time.time()))
            steps = next_steps.commands(file, path)
    for node_id in unheard:
        console.note(f"{node_id}: the store has heard nothing of it")
    if as_json:
        told = {node_id: {"log": log.hex(), "from": n} for node_id, (log, n) in wanted.items()}
        console.result_json({"file": str(path), "nodes": told, "unheard": unheard})
        return
    console.result(f"asked: {count(len(wanted), 'node')}")
    if wanted:
        next_steps.show(steps)


def _log(text: str) -> bytes:
    from host_tools.city.store_tells import LOG_BYTES

    try:
        log = bytes.fromhex(text)
    except ValueError:
        log = b""
    if len(log) != LOG_BYTES:
        raise click.UsageError(f"--log: {text!r} is not {LOG_BYTES} bytes in hex")
    return log
