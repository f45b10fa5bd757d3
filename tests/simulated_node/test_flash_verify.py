# SPDX-License-Identifier: MIT
"""A bare board, a ticket of a real vault, a real broker with mutual TLS, the unmodified esptool:
one command, and what it says last is the first record that was opened."""

import json
import subprocess

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from tests.bench.mqtt import ROOT
from tests.host_tools.city_broker import city_broker
from tests.host_tools.city_place import City
from tests.host_tools.vault_place import argon2id  # noqa: F401
from tests.simulated_node.serial_board import RunningBoard
from tests.simulated_node.test_flash_board import IMAGE, environment

SPEED = 20


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """No store knows its node; who verifies has a certificate of their own."""
    try:
        micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    city = City(tmp_path_factory.mktemp("city")).fill()
    city.issue(1)
    tls = city.folder / "tls"
    city.vault("certificate", "broker", "--role", "broker", "--host", "broker.test", "-o", tls)
    city.vault("certificate", "anna-2", "--role", "collector", "-o", tls)
    city.vault("broker", "--with-issued", "-o", city.folder / "broker")
    (city.folder / "mp.bin").write_bytes(IMAGE)
    return city


def test_from_a_bare_board_to_the_first_opened_record(city):
    with city_broker(city) as (host, port):
        options = ("--rfc2217", 0, "--broker", f"{host}:{port}", "--speed", SPEED)
        with RunningBoard(*options) as board:
            words = [
                ROOT / "flash.sh", "--board", "esp32-devkitc", "--kit", "air",
                "--port", board.port,
                "--firmware", city.folder / "mp.bin", "--ticket", city.tickets,
                "--technician", city.anna, *city.opening(),
                "--verify", "--broker", f"{host}:{port}", "--server-name", "broker.test",
                "--tls-dir", city.folder / "tls", "--name", "anna-2", "--json",
            ]  # fmt: skip
            done = subprocess.run(
                [str(word) for word in words], env=environment(), capture_output=True, text=True
            )
    assert done.returncode == 0, (done.stdout, done.stderr)
    (result,) = json.loads(done.stdout)["boards"]
    assert result["state"] == "done", result
    print(result)
