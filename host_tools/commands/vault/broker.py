# SPDX-License-Identifier: MIT
"""`lamppost vault broker`: what a broker is given."""

import time
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.vault import next_steps
from host_tools.commands.vault.factor_options import file_argument, json_option, opening


@click.command()
@file_argument
@opening
@click.option("--with-issued", is_flag=True,
              help="Let in nodes whose tickets are out, so that their self-test ends well. What "
                   "they send opens when their receipts are accepted.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Where mosquitto.conf, openssl.cnf, acl, crl.pem and ca.pem go.")  # fmt: skip
@click.option("--at", metavar="DIR",
              help="Where they will lie on the broker's machine, beside its certificate and key. "
                   "Default: where -o says.")  # fmt: skip
@click.option("--name", metavar="CN",
              help="Of the broker's certificate, CN.pem and CN.key. Default broker.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65_535), metavar="PORT",
              help="Where it listens. Default: that of `setup`.")  # fmt: skip
@click.option("--state", metavar="DIR",
              help="Where it keeps what waits. Default /var/lib/mosquitto.")  # fmt: skip
@click.option("--user", metavar="NAME",
              help="Who it becomes when root starts it. Default: mosquitto's own.")  # fmt: skip
@click.option("--yes", is_flag=True,
              help="Do not ask, when the vault's last change is 400 days ago.")  # fmt: skip
@json_option
def broker(path, factor, passphrase, with_issued, output, at, name, port, state, user, yes,
           as_json):  # fmt: skip
    """Write what a mosquitto needs: its settings, who may do what, who is revoked.

    Write it after each accept and revoke, and restart the broker, which runs with that one
    mosquitto.conf, and with OPENSSL_CONF naming openssl.cnf, or no node whose TLS knows 1.3 gets
    in: the head of mosquitto.conf says how. That file stays as
    it is, when it is there, unless --at, --name, --port, --state or --user is given. The list is
    good for 400 days; an older one shuts everybody out. Example:

    \b
    lamppost vault broker city.vault -o /etc/mosquitto/city \\
        --key-file /media/usb/city.key
    """
    from host_tools.city.broker_config import FILE, OPENSSL_FILE, BrokerPlace, openssl_config
    from host_tools.city.broker_files import broker_files, count_issued
    from host_tools.city.vault_keys import check_kind, place_of
    from host_tools.errors import ToolError
    from host_tools.handover.cards import check_name
    from host_tools.public_file import write_public
    from host_tools.vault.sealed_file import SealedFile

    for one, option in ((name, "--name"), (user, "--user")):
        if one is not None:
            check_name(one, option)
    told = {"at": at, "name": name, "port": port, "state": state, "user": user}
    told = {key: value for key, value in told.items() if value is not None}
    with SealedFile.open(path, passphrase(), factor, read_only=True) as file:
        check_kind(file)
        file.check_clock()
        if not (yes or _is_agreed(file)):
            return 1
        made = broker_files(file, int(time.time()), with_issued)
        made[OPENSSL_FILE] = openssl_config()
        shut_out = 0 if with_issued else count_issued(file)
        if told or not (output / FILE).exists():
            usual = {"at": str(output.resolve()), "port": place_of(file)[0][1]}
            made[FILE] = BrokerPlace(**{**usual, **told}).config()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ToolError(f"{output}: {err.strerror}", "give a folder that can be written") from err
    for name, data in made.items():
        write_public(output / name, data)
    if as_json:
        console.result_json({"folder": str(output), "files": sorted(made),
                             "shut_out": shut_out})  # fmt: skip
        return 0
    console.result(f"{output}: {', '.join(sorted(made))}")
    if shut_out:
        console.note(f"{shut_out} issued nodes are shut out until their receipts are accepted, "
                     "and `flash --verify` fails; to let them in: lamppost vault broker "
                     f"{path} --with-issued -o {output}")  # fmt: skip
    next_steps.show([f"restart the broker, which the head of {output / FILE} says how to start"])
    return 0


def _is_agreed(file) -> bool:
    """By a clock that is ahead, who should be let in would be shut out."""
    from host_tools import chained_log
    from host_tools.city.broker_files import is_clock_far
    from host_tools.errors import ToolError
    from host_tools.times import short

    now_s = int(time.time())
    if not is_clock_far(file, now_s):
        return True
    message = f"{file.path} was last changed on {short(chained_log.newest_s(file.db))} UTC, and "
    message += f"this machine's clock says {short(now_s)}"
    if not console.can_ask():
        raise ToolError(message, "set the clock; if it is right, give --yes", 2)
    console.note(message)
    return console.ask_yes("Is the clock right?")
