# SPDX-License-Identifier: MIT
"""`lamppost sum`: opens a sum of masked streams, with a token of the controller."""

import contextlib
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError

_path = click.Path(path_type=Path)


@click.command()
@click.option("--store", "path", type=_path, metavar="PATH",
              help="The store, or a copy of it. Default: the one written last.")  # fmt: skip
@click.option("--stream", type=int, metavar="N", help="The number of a masked stream.")
@click.option("--quantity", metavar="NAME", help="Or what it measures, such as energy_mwh.")
@click.option("--nodes", default=None, metavar="LIST",
              help="ID,ID,… or @FILE with one in each line. Default: all.")  # fmt: skip
@click.option("--from", "begin", metavar="TIME", help="ISO time (UTC): where a window begins.")
@click.option("--to", "end", metavar="TIME", help="ISO time (UTC): where a window ends.")
@click.option("--every", metavar="TIME", help="A curve: a sum for each 15m, 1h, 1d of it.")
@click.option("--purpose", metavar="TERM", help="Default: the stream's own, by its policy.")
@click.option("--controller", "url", metavar="URL", help="Who gives the token: https://…")
@click.option("--tls-dir", type=_path, metavar="DIR",
              help="Where ca.pem, CN.pem and CN.key are.")  # fmt: skip
@click.option("--name", metavar="CN", help="Whose certificate to show the controller.")
@click.option("--request", "request_path", type=_path, metavar="FILE",
              help="Write the request there, for a controller without a network.")  # fmt: skip
@click.option("--token", "token_path", type=_path, metavar="FILE",
              help="Open the --request with this token.")  # fmt: skip
@click.option("--controller-key", "key_path", type=_path, metavar="FILE",
              help="Its controller.public: no other token is believed.")  # fmt: skip
@click.option("--csv", "form", flag_value="csv", help="CSV, one figure per line.")
@click.option("--json", "form", flag_value="json", help="One JSON object.")
def sum(path, token_path, request_path, key_path, form, url, tls_dir, name, **question):
    """Open a sum over nodes and a time, or a curve of sums.

    What each node sent stays masked. The controller's office gives a token by the policy, and
    the token opens this one sum. Only nodes that cover the whole time are in it.

    \b
    lamppost sum --quantity energy_mwh --from 2026-03-01 --to 2026-03-02 \\
        --every 15m --controller https://controller.city.example:8443 \\
        --tls-dir tls --name office --controller-key controller.public
    lamppost sum --stream 7 --from 2026-03-01 --to 2026-03-02 --request R
    lamppost sum --request R --token T --controller-key controller.public
    """
    from host_tools.collector.read_store import open_to_read
    from host_tools.provisioning.controller_key import read_key
    from host_tools.state_folder import store_written_last

    _check_ways(url, request_path, token_path, key_path, question)
    path = path or store_written_last()
    with contextlib.closing(open_to_read(path)) as db:
        if token_path is not None:
            request, signed = _read_request(request_path), _read(token_path, "token")
            reader, left_out = _reader(db, path, request.stream, None), []
            _show(path, reader, request, signed, read_key(key_path).verifier(), left_out, form)
            return
        reader, plan = _planned(db, path, question)
        if url is None:
            _write_request(path, request_path, plan, form)
            return
        key = read_key(key_path)  # before a token costs anything
        signed = _ask(url, key, plan, tls_dir, name)
        _show(path, reader, plan.request, signed, key.verifier(), plan.left_out, form)


def _check_ways(url, request_path, token_path, key_path, question: dict):
    """UsageError unless it is one of the three ways, with what that needs."""
    if token_path is not None:
        if request_path is None:
            raise click.UsageError("--token opens the sum of a --request: name both")
        given = [option for option, value in question.items() if value is not None]
        given += ["url"] if url is not None else []
        if given:
            named = ", ".join(map(_option, given))
            raise click.UsageError(f"the --request says what sum it is: leave out {named}")
    elif (url is None) == (request_path is None):
        raise click.UsageError("give --controller URL, or --request FILE")
    if key_path is None and (token_path is not None or url is not None):
        raise click.UsageError("give --controller-key: without it no token is believed")
    if token_path is None and (question["begin"] is None or question["end"] is None):
        raise click.UsageError("give --from and --to")


def _option(name: str) -> str:
    return "--" + {"begin": "from", "end": "to", "url": "controller"}.get(name, name)


def _reader(db, path: Path, stream: int | None, quantity: str | None):
    """Of the one masked stream that is meant; ToolError when that is none, or several."""
    from host_tools.collector.coverage import MaskedReader, policies_of
    from host_tools.policy.figures import duration

    known = policies_of(db)
    streams = {one.stream.number: one.stream for one in known}
    chosen = [
        number for number, one in streams.items()
        if stream in (None, number) and quantity in (None, one.quantity)
    ]  # fmt: skip
    if len(chosen) == 1:
        return MaskedReader(db, chosen[0])
    if not known:
        raise ToolError(f"{path}: there is no masked stream", "see `lamppost read`")
    listed = ", ".join(
        f"{number} ({one.quantity}, {duration(one.window_s)})" for number, one in streams.items()
    )
    what = "there is no such masked stream" if not chosen else "that is more than one stream"
    raise ToolError(f"{path}: {what}", f"give --stream, one of {listed}")


def _planned(db, path: Path, question: dict):
    """(reader, plan) of what was asked."""
    from host_tools.collector.sums import plan, ranges_of
    from host_tools.times import parse_instant

    every_s = _every_s(question["every"])
    begin_s = parse_instant(question["begin"], "--from")
    ranges = ranges_of(begin_s, parse_instant(question["end"], "--to"), every_s)
    reader = _reader(db, path, question["stream"], question["quantity"])
    nodes = _nodes(question["nodes"], reader)
    return reader, plan(reader, ranges, nodes, question["purpose"])


def _every_s(text: str | None) -> int | None:
    from host_tools.times import parse_duration

    if text is None:
        return None
    every_s = parse_duration(text)
    if not every_s:
        raise ToolError(f"--every: {text!r} is not a time", "for instance 15m, 1h, 1d", 2)
    return every_s


def _nodes(text: str | None, reader) -> list[str]:
    from host_tools.provisioning.ticket import is_node_id

    if text in (None, "all"):
        return reader.node_ids()
    if text.startswith("@"):
        nodes = _read(Path(text[1:]), "list of nodes").decode("utf-8", "replace").split()
    else:
        nodes = text.split(",")
    wrong = [node_id for node_id in nodes if not is_node_id(node_id)]
    if wrong or not nodes:
        message = f"--nodes: {wrong[0]!r} is not a node" if wrong else "--nodes: there is none"
        raise ToolError(message, "ids of 10 characters: ID,ID,… or @FILE with one in each line", 2)
    return nodes


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", f"give the file of the {what}") from err


def _read_request(path: Path):
    from host_tools.controller.documents import Request

    encoded = _read(path, "request")
    try:
        return Request.decode(encoded)
    except ToolError as err:
        err.args = (f"{path}: {err.message}",)
        err.message = err.args[0]
        raise


def _ask(url: str, key, plan, tls_dir: Path | None, name: str | None) -> bytes:
    from host_tools.controller.ask import Tls, ask, check_key
    from host_tools.policy.figures import count
    from host_tools.provisioning.certificate_files import certificate_files

    if tls_dir is None or name is None:
        hint = "--tls-dir holds ca.pem, and NAME.pem and NAME.key of --name"
        raise ToolError("a controller wants a certificate: give --tls-dir and --name", hint, 2)
    files = certificate_files(tls_dir, name)
    nodes = count(len(plan.request.nodes), "node")
    left = f"; left out: {count(len(plan.left_out), 'node')}" if plan.left_out else ""
    console.note(f"asking {url} for the sum of {nodes}{left}")
    tls = Tls(*files)
    check_key(url, key, tls)  # a token of another would be charged, and of no use
    return ask(url, plan.request, tls)


def _write_request(store: Path, path: Path, plan, form: str | None):
    from host_tools.collector.sum_account import RequestAccount
    from host_tools.public_file import write_public

    write_public(path, plan.request.encode())
    account = RequestAccount(path, store, plan)
    if form == "json":
        console.result_json(account.as_object())
    elif form == "csv":
        console.result_csv(account.rows())
    else:
        console.result(account.words())


def _show(path: Path, reader, request, signed: bytes, key, left_out: list, form: str | None):
    """Opens the sum, and shows it."""
    from host_tools.collector.sum_account import sum_account
    from host_tools.controller.documents import Token

    token = Token.verify(signed, key, request)
    account = sum_account(path, reader, request, token, left_out)
    if form == "json":
        console.result_json(account.as_object())
    elif form == "csv":
        console.result_csv(account.rows())
    else:
        console.note(str(path))
        for part in account.parts():
            console.result(part)
