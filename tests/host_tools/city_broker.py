# SPDX-License-Identifier: MIT
"""A real mosquitto with what a city's vault writes for it, and nothing else: the city's folder
`broker` has those files and the certificate, `state` what it keeps from one to the next."""

import contextlib
import getpass
import os
import socket
import subprocess
import time

import pytest

from simulator.world.broker_mosquitto import mosquitto_path


@contextlib.contextmanager
def city_broker(city, change=lambda: None):
    """Gives (host, port), with the files of the moment. change(): what happens to them before."""
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write_files(city, port)
    change()
    path, log = city.folder / "broker" / "mosquitto.conf", city.folder / "mosquitto.log"
    with log.open("wb") as told:
        environment = {**os.environ, "OPENSSL_CONF": str(path.with_name("openssl.cnf"))}
        process = subprocess.Popen([mosquitto_path(), "-c", path], stderr=told, env=environment)
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


def write_files(city, port: int = 8883):
    """As an office does for a broker on this machine."""
    (city.folder / "state").mkdir(exist_ok=True)
    user = ("--user", getpass.getuser()) if os.geteuid() == 0 else ()
    city.vault("broker", "-o", city.folder / "broker", "--state", city.folder / "state", "--port",
               port, *user)  # fmt: skip
