# SPDX-License-Identifier: MIT
"""`lamppost verify`: the first opened record of a node."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.node_source import node_source, node_source_options
from host_tools.commands.verify_source import (
    check_source,
    show_outcomes,
    verify_source,
    verify_source_options,
    within_s,
)
from host_tools.errors import ToolError

_path = click.Path(path_type=Path)


@click.command()
@click.argument("nodes", nargs=-1, required=True, metavar="NODE…")
@verify_source_options
@click.option("--keyring", type=_path, metavar="FILE",
              help="With --broker: what opens it. Or the nodes, as for `flash`:")  # fmt: skip
@node_source_options
@click.option("--port", metavar="PORT",
              help="Or listen to the board there, which is not reset: all that it sent has a "
                   "receipt, which only the home store gives.")  # fmt: skip
@click.option("--fresh", is_flag=True,
              help="Only what is measured from now on counts.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def verify(nodes, keyring, port, fresh, as_json, within, store, broker, tls_dir, name,
           server_name, **source):  # fmt: skip
    """Wait for the first opened record of each node, and show it. Exit code 1: one has none.

    In a store a record counts that is younger than --within. At the broker what comes from now on
    is opened with a keyring, or with the keys of nodes that you have flashed: the office need not
    know the node yet. For that you need a certificate: `lamppost vault certificate --role
    reader --technician YOU`.

    \b
    lamppost verify k7x2m9qw4t --store city.sqlite
    lamppost verify k7x2m9qw4t --broker broker.city.example:8883 \\
        --tls-dir tls --name anna-2 --ticket anna-1.tickets \\
        --technician anna.technician --key-file /media/usb/anna.key
    lamppost verify k7x2m9qw4t --port /dev/ttyUSB0
    """
    _check_nodes(nodes)
    limit_s, where = within_s(within), {"store": store, "broker": broker, "tls_dir": tls_dir,
                                        "name": name, "server_name": server_name}  # fmt: skip
    if sum(way is not None for way in (store, broker, port)) != 1:
        raise click.UsageError("give one of --store FILE, --broker HOST:PORT and --port PORT")
    if broker is None and (keyring or source["tickets"]):
        raise click.UsageError("--keyring and --ticket go with --broker")
    if port is not None and (fresh or any(where.values())):
        raise click.UsageError("--port goes with --within and --json alone")
    if port is not None:
        outcomes = [_at_port(nodes, port, limit_s, as_json)]
    else:
        check_source(**where)
        outcomes = _wait(nodes, limit_s, fresh, keyring, source, where, as_json)
    show_outcomes(outcomes, as_json)
    return 0 if all(outcome.trouble is None for outcome in outcomes) else 1


def _check_nodes(nodes: tuple):
    from host_tools.provisioning.ticket import is_node_id

    for node_id in nodes:
        if not is_node_id(node_id):
            hint = "10 characters, as on its label: see `lamppost vault nodes`"
            raise ToolError(f"{node_id!r} is not a node's id", hint, 2)
    if len(set(nodes)) != len(nodes):
        raise click.UsageError("a node is named twice")


def _at_port(nodes: tuple, port: str, limit_s: int | None, as_json: bool):
    from host_tools.verifying.at_port import wait_at_port
    from host_tools.verifying.wait import limit_s as default_s

    if len(nodes) != 1:
        raise click.UsageError("--port is for one node: the one whose board is there")
    with console.progress(not as_json) as show:
        return wait_at_port(
            nodes[0], port, limit_s or default_s(None), lambda words: show(nodes[0], words, 0)
        )


def _wait(nodes, limit_s, fresh, keyring, source, where, as_json) -> list:
    from host_tools.verifying.wait import limit_s as default_s
    from host_tools.verifying.wait import wait_for

    is_at_broker, now_s, limits_s = where["broker"] is not None, time.time(), {}
    keys = _keys(nodes, keyring, source) if is_at_broker else None
    with verify_source(keys, **where) as watch:
        for node_id in nodes:
            limits_s[node_id] = limit_s or default_s(watch.policy(node_id))
            # What comes from the broker is opened now, however old it is.
            since_s = 0 if is_at_broker else now_s - limits_s[node_id]
            watch.add(node_id, now_s if fresh else since_s)
        with console.progress(not as_json) as show:
            return wait_for(watch, limits_s, lambda words: show("verify", words, 0))


def _keys(nodes: tuple, keyring: Path | None, source: dict):
    """What opens envelopes of these nodes."""
    if keyring is not None:
        if source["tickets"] is not None:
            raise click.UsageError("give --keyring FILE or --ticket FILE, one of both")
        from host_tools.collector.keyring import Keyring
        from host_tools.core_dumps import forbid_core_dumps

        forbid_core_dumps()
        if not keyring.is_file():
            hint = "give that of a store: lamppost keyring init, then lamppost keyring take"
            raise ToolError(f"{keyring}: there is no such keyring", hint)
        return Keyring(keyring)
    from host_tools.verifying.at_broker import PartsKeys

    keys = PartsKeys()
    with node_source(None, True, **source) as prepared:
        for node_id in nodes:
            keys.add(prepared.of_node(node_id))
            if not prepared.is_used(node_id):
                console.note(f"node {node_id}: no board got its keys from {prepared.NAMED} so far "
                             "(unused): lamppost flash")  # fmt: skip
    return keys
