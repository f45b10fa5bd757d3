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
_MOST_BYTES = 16 << 20  # of --oldest, which a city of 100,000 nodes fills to an eighth


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
@click.option("--yes", is_flag=True,
              help="Do not ask, where it is more than 31 days back.")  # fmt: skip
@click.option("-o", "--output", type=_PATH, required=True, metavar="FILE",
              help="The keys, sealed to the store: NAME.grant.")  # fmt: skip
@json_option
def grant(path, nodes, factor, passphrase, store, from_text, oldest, yes, output,
          as_json):  # fmt: skip
    """Let a store or reader open nodes from a day on. What was before stays shut.

    A home store also gets the keys of receipts. The file has the seals of the days that it says,
    whatever was granted before; a store that holds an earlier one keeps that. It opens what it
    grants as long as it lies there with the store's key: have it deleted once it is taken. What is
    more than 31 days back it shows, and asks. Example:

    \b
    lamppost vault grant city.vault 0a1b2c3d4e --to roads --from 2026-03-01 \\
        -o roads.grant --key-file /media/usb/city.key
    """
    from host_tools.city import grant as grants
    from host_tools.city.outgoing import write_derived
    from host_tools.city.people import HOME, store_of
    from host_tools.policy.figures import count
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
        epochs = _oldest(oldest, nodes) if oldest else grants.epochs_from(file, nodes, from_s)
        days = grants.days_of(file, epochs, now_s)
        far = grants.far_back(days, now_s)
        if far and not yes and not _is_agreed({node: days[node] for node in far}, store):
            return 1
        write_derived(output, grants.grant(file, epochs, store, now_s))
    if as_json:
        told = {"file": str(output), "store": store, "epochs": epochs, "days": days}
        console.result_json(told)
        return 0
    for node_id, day in days.items():
        console.result(f"{node_id}: from {day} on, its epoch {epochs[node_id]}")
    console.result(f"{output}: {count(len(epochs), 'node')} for {store}")
    return 0


def _is_agreed(days: dict[str, str], store: str) -> bool:
    for node_id, day in days.items():
        console.note(f"{node_id}: from {day} on")
    if not console.can_ask():
        from host_tools.policy.figures import count

        message = f"{count(len(days), 'node')} would be opened from more than 31 days back"
        raise ToolError(message, "give --yes, or a later day", 2)
    return console.ask_yes(f"Let {store} open all that these nodes sent since then?")


def _oldest(path: Path, nodes) -> dict[str, int]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError
        epochs = json.loads(path.read_text())["epochs"]
        return {node: _epoch(epochs[node]) for node in nodes}
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    except (ValueError, KeyError, TypeError, RecursionError):
        message = f"{path} does not say the oldest epoch of each of these nodes"
        raise ToolError(message, "make it there: lamppost keyring epochs KEYRING --json") from None


def _epoch(value) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value
