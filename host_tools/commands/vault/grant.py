# SPDX-License-Identifier: MIT
"""`lamppost vault grant`: who may open what, from when on."""

import json
import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault.factor_options import file_argument, json_option, opening
from host_tools.errors import ToolError

_PATH = click.Path(path_type=Path)


@click.command()
@file_argument
@click.argument("nodes", nargs=-1, required=True, metavar="NODE…")
@opening
@click.option("--to", "store", required=True, metavar="STORE", help="A store or a reader.")
@click.option("--from", "from_text", metavar="DATE",
              help="The first day that it may open. Default for a reader: today.")  # fmt: skip
@click.option("--oldest", type=_PATH, metavar="FILE",
              help="Of a home store: from the oldest envelope without receipt on, as "
                   "`lamppost keyring epochs --json` of the present one says.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="FILE",
              help="The keys, sealed to the store: NAME.grant.")  # fmt: skip
@json_option
def grant(path, nodes, factor, passphrase, store, from_text, oldest, output, as_json):
    """Let a store or reader open nodes from a day on. What was before stays shut.

    A home store also gets the keys of receipts. Who has the right already keeps the earlier day.
    The file opens what it grants as long as it lies there with the store's key: have it deleted
    once it is taken. Example:

    \b
    lamppost vault grant city.vault 0a1b2c3d4e --to roads --from 2026-03-01 \\
        -o roads.grant --key-file /media/usb/city.key
    """
    from host_tools.city import grant as grants
    from host_tools.city.outgoing import write_derived
    from host_tools.city.people import HOME, store_of
    from host_tools.public_file import check_target
    from host_tools.times import parse_instant
    from host_tools.vault.sealed_file import SealedFile

    if from_text and oldest:
        raise click.UsageError("give --from or --oldest")
    check_target(output, ".grant", {path: "the vault"})
    now_s = int(time.time())
    from_s = parse_instant(from_text, "--from") if from_text else now_s
    with SealedFile.open(path, passphrase(), factor) as file:
        if store_of(file, store)[1] == HOME and not (from_text or oldest):
            hint = "give --oldest FILE of the present home store, or --from DATE"
            raise ToolError(f"{store} is a home store: from when on?", hint, 2)
        epochs = grants.epochs_from(file, nodes, from_s)
        if oldest:
            epochs = _oldest(oldest, nodes)
        write_derived(output, grants.grant(file, epochs, store, now_s))
    if as_json:
        console.result_json({"file": str(output), "store": store, "epochs": epochs})
        return
    console.result(f"{output}: {len(epochs)} nodes for {store}")


def _oldest(path: Path, nodes) -> dict[str, int]:
    epochs = None
    try:
        epochs = json.loads(path.read_text())["epochs"]
        return {node: _epoch(epochs[node]) for node in nodes}
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    except (ValueError, KeyError, TypeError):
        message = f"{path} does not say the oldest epoch of each of these nodes"
        raise ToolError(message, "make it there: lamppost keyring epochs KEYRING --json") from None


def _epoch(value) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value
