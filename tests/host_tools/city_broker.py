# SPDX-License-Identifier: MIT
"""A real mosquitto with what a city's vault gives its broker: `tls` has its certificate, `broker`
its acl and crl.pem."""

import contextlib
import os
import socket
import subprocess
import time

import pytest

from simulator.world.broker_mosquitto import OPENSSL_CONFIG, mosquitto_path

_CONFIG = """\
listener {port} 127.0.0.1
cafile {folder}/broker/ca.pem
crlfile {folder}/broker/crl.pem
certfile {folder}/tls/broker.pem
keyfile {folder}/tls/broker.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/broker/acl
max_inflight_messages 0
log_dest stderr
{user}
"""


@contextlib.contextmanager
def city_broker(city):
    """Gives (host, port), with the files of the moment."""
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = f"user {os.environ.get('USER', 'root')}" if os.geteuid() == 0 else ""
    path, log = city.folder / "mosquitto.conf", city.folder / "mosquitto.log"
    path.write_text(_CONFIG.format(port=port, folder=city.folder, user=user))
    openssl = city.folder / "openssl.cnf"
    openssl.write_text(OPENSSL_CONFIG)
    environ = {**os.environ, "OPENSSL_CONF": str(openssl)}
    with log.open("wb") as told:
        process = subprocess.Popen([mosquitto_path(), "-c", path], stderr=told, env=environ)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(5)
