# SPDX-License-Identifier: MIT
"""`lamppost collect`: a worker that fills a store from a broker, until it is stopped."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError

_LOOK_S = 0.5

_path = click.Path(path_type=Path)


@click.command()
@click.option("--store", "path", type=_path, required=True, metavar="PATH",
              help="The store; made when it is not there. Workers may share one.")  # fmt: skip
@click.option("--keyring", "keyring_path", type=_path, required=True, metavar="PATH",
              help="What it opens with: lamppost keyring init, then take.")  # fmt: skip
@click.option("--broker", required=True, metavar="HOST:PORT", help="Its TLS listener.")
@click.option("--tls-dir", type=_path, required=True, metavar="DIR",
              help="Where ca.pem, CN.pem and CN.key are.")  # fmt: skip
@click.option("--name", required=True, metavar="CN",
              help="Whose certificate to show: each worker has its own.")  # fmt: skip
@click.option("--share", "group", default="", metavar="GROUP",
              help="Share the work with this store's workers of the same group.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end.")
def collect(path, keyring_path, broker, tls_dir, name, group, as_json):
    """Fill a store with what nodes send, and send them receipts, until SIGTERM or Ctrl-C.

    It outlives outages of the broker by itself. Any number of workers may fill one store. Example:

    \b
    lamppost collect --store city.sqlite --keyring keyring.json \\
        --broker broker.city.example:8883 --tls-dir tls --name collector-1 \\
        --share collectors
    """
    from host_tools.collector.account import Account
    from host_tools.collector.broker_address import parse_address
    from host_tools.collector.keyring import Keyring
    from host_tools.collector.mqtt_worker import MqttWorker
    from host_tools.collector.store import Store
    from host_tools.collector.store_key import share_tag
    from host_tools.core_dumps import forbid_core_dumps
    from host_tools.provisioning.certificate_files import certificate_files

    forbid_core_dumps()
    address = parse_address(broker)
    if not keyring_path.is_file():
        hint = "make it: lamppost keyring init, then lamppost keyring take"
        raise ToolError(f"{keyring_path}: there is no such keyring", hint)
    files = certificate_files(tls_dir, name)
    with Store(path, Keyring(keyring_path)) as store:
        worker = MqttWorker(store, address, *files, group=group, group_tag=share_tag(keyring_path))
        if worker.name != name:
            hint = f"give --name {worker.name}, or the certificate of {name}"
            raise ToolError(f"{files[1]} is the certificate of {worker.name}", hint)
        account = Account(worker, str(path), broker, group)
        try:
            worker.start()
            _watch(worker, account, console.is_live() and not as_json)
        except KeyboardInterrupt:
            pass
        finally:
            worker.stop()
        if as_json:
            console.result_json(account.as_object())
        else:
            console.note(account.closing_words())
        _check(worker)
    return 0


def _watch(worker, account, live: bool):
    """Shows what happens until the worker ends by itself."""
    said = None
    with console.live(account.table, live) as show:
        while worker.failure is None:
            state = account.state()
            if not live and state != said:
                console.note(state)
                said = state
            worker.wait_for(lambda: worker.failure is not None, _LOOK_S)
            show()


def _check(worker):
    """ToolError when the worker has ended by itself."""
    if isinstance(worker.failure, ToolError):
        raise worker.failure
    if worker.failure is not None:
        hint = "start it again: what it did not acknowledge comes again"
        raise ToolError(worker.trouble, hint)
