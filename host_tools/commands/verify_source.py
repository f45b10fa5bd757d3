# SPDX-License-Identifier: MIT
"""Where `lamppost verify` and `lamppost flash --verify` look for a node's first opened record: in
a collector's store, or at the broker."""

import contextlib
import functools
from pathlib import Path

import rich_click as click

_WHERE = "store", "broker", "tls_dir", "name", "server_name"
_path = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--store", type=_path, metavar="FILE",
                 help="Look into a collector's store on this machine."),
    click.option("--broker", metavar="HOST:PORT",
                 help="Or listen at the broker (TLS); nothing is stored, no receipt is sent."),
    click.option("--tls-dir", type=_path, metavar="DIR",
                 help="With --broker: where ca.pem, CN.pem and CN.key are."),
    click.option("--name", metavar="CN",
                 help="With --broker: whose certificate to show, of a reader, or of a collector, "
                      "and of none that runs: it would be thrown off."),
    click.option("--server-name", default="", metavar="NAME",
                 help="In the broker's certificate, if it is not HOST."),
    click.option("--within", metavar="TIME",
                 help="How long to wait at most, as 15m. Default: twice the policy's shortest "
                      "window and 2m; 15m where no policy is at hand."),
)  # fmt: skip


def verify_source_options(command):
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def within_s(within: str | None) -> int | None:
    """Seconds; None where it was not given."""
    from host_tools.times import parse_span

    return None if within is None else parse_span(within, "--within")


def check_source(store, broker, tls_dir, name, server_name):
    """UsageError unless the options of a store or of a broker are given, and whole."""
    if (store is None) == (broker is None):
        raise click.UsageError("give --store FILE, or --broker HOST:PORT, one of both")
    if broker is not None and None in (tls_dir, name):
        raise click.UsageError("--broker needs --tls-dir DIR and --name CN")
    if broker is None and (tls_dir, name, server_name) != (None, None, ""):
        raise click.UsageError("--tls-dir, --name and --server-name go with --broker")


@contextlib.contextmanager
def verify_source(keys, *, store, broker, tls_dir, name, server_name):
    """Gives what wait_for() asks. keys: what opens what comes from the broker."""
    if store is not None:
        from host_tools.verifying.at_store import StoreWatch

        with StoreWatch(store) as watch:
            yield watch
        return
    from host_tools.collector.broker_address import parse_address
    from host_tools.provisioning.certificate_files import certificate_files
    from host_tools.verifying.at_broker import BrokerWatch

    address, files = parse_address(broker), certificate_files(tls_dir, name)
    with BrokerWatch(keys, address, *files, server_name) as watch:
        yield watch


def verify_flashed_options(command):
    """Gives `flash` its --verify with where to look, as first_records(as_json): a context manager
    that gives FirstRecords. What is wrong with the way there is told before a board is touched."""

    @functools.wraps(command)
    def with_verify(*arguments, verify, within, dry_run, **named):
        where = {key: named.pop(key) for key in _WHERE}
        if verify and dry_run:
            raise click.UsageError("--verify and --dry-run do not go together: nothing is written")
        if verify:
            check_source(**where)
        elif within is not None or any(where.values()):
            raise click.UsageError("--store, --broker and their options go with --verify")
        make = functools.partial(_first_records, where if verify else None, within_s(within))
        return command(*arguments, first_records=make, dry_run=dry_run, **named)

    option = click.option(
        "--verify", is_flag=True,
        help="Then wait for the first opened record of each board, as `lamppost verify` does, "
             "with --store or --broker.",
    )  # fmt: skip
    return option(verify_source_options(with_verify))


@contextlib.contextmanager
def _first_records(where: dict | None, limit_s: int | None, as_json: bool):
    if where is None:
        yield FirstRecords()
        return
    from host_tools.verifying.at_broker import PartsKeys

    keys = PartsKeys()
    with verify_source(keys, **where) as watch:
        yield FirstRecords(keys, watch, limit_s, as_json)


class FirstRecords:
    """Of the boards that are being flashed; without a watch it waits for none."""

    def __init__(self, keys=None, watch=None, limit_s: int | None = None, as_json: bool = False):
        self._keys, self._watch, self._limit_s, self._as_json = keys, watch, limit_s, as_json
        self._nodes = None
        self._outcomes = []

    def watched(self, nodes):
        """The source of nodes that `flash` is to take from instead."""
        if self._watch is None:
            return nodes
        from host_tools.verifying.flashed import WatchedNodes

        self._nodes = WatchedNodes(nodes, self._keys, self._watch)
        return self._nodes

    def wait_for(self, results: list[dict]):
        """results: what became of the boards; each that was written gets its "verify"."""
        if self._watch is None:
            return
        from host_tools import console
        from host_tools.verifying.flashed import verify_flashed

        with console.progress(not self._as_json) as show:
            self._outcomes = verify_flashed(
                self._nodes, self._watch, results, self._limit_s,
                lambda words: show("verify", words, 100),
            )  # fmt: skip

    def show(self):
        show_outcomes(self._outcomes, False)

    def are_opened(self) -> bool:
        return all(outcome.trouble is None for outcome in self._outcomes)


def show_outcomes(outcomes: list, as_json: bool):
    """What opened is a line each on stdout; what did not, is told as an error."""
    from host_tools import console

    if as_json:
        console.result_json({"nodes": [outcome.as_object() for outcome in outcomes]})
    for outcome in outcomes:
        if not as_json:
            console.result(outcome.words())
        if outcome.trouble is not None:
            console.complain(outcome.trouble)
