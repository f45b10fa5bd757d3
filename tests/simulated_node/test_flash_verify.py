# SPDX-License-Identifier: MIT
"""A bare board, a ticket of a real vault, a real broker with mutual TLS, the unmodified esptool:
one command, and what it says last is the first record that was opened."""

import re
import subprocess

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.read_store import StoreReader
from host_tools.collector.store import Store
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
    for name in ("anna-2", "collector-1"):
        city.vault("certificate", name, "--role", "collector", "-o", tls)
    city.vault("broker", "--with-issued", "-o", city.folder / "broker")
    (city.folder / "mp.bin").write_bytes(IMAGE)
    return city


def test_from_a_bare_board_to_the_first_opened_record(city):
    tls = city.folder / "tls"
    with city_broker(city) as (host, port):
        options = ("--rfc2217", 0, "--broker", f"{host}:{port}", "--speed", SPEED)
        with RunningBoard(*options) as board:
            words = [
                ROOT / "flash.sh", "--board", "esp32-devkitc", "--kit", "air",
                "--port", board.port, "--firmware", city.folder / "mp.bin",
                "--ticket", city.tickets, "--technician", city.anna, *city.opening(),
                "--verify", "--broker", f"{host}:{port}", "--server-name", "broker.test",
                "--tls-dir", tls, "--name", "anna-2",
            ]  # fmt: skip
            done = subprocess.run(
                [str(word) for word in words], env=environment(), capture_output=True, text=True
            )
            (node_id,) = city.nodes()
            check_flashed(done, node_id)
            check_receipted(city, node_id, (host, port), board.port)


def check_flashed(done, node_id: str):
    assert done.returncode == 0, (done.stdout, done.stderr)
    *table, last = done.stdout.splitlines()
    assert any(node_id in row and " done " in row for row in table), done.stdout
    assert re.fullmatch(
        rf"{node_id}  pm2_5_ngm3 mean [0-9.]+ µg/m³, window 20.* to .* UTC, opened 20.*, .* old; "
        "waited .*",
        last,
    ), done.stdout


def check_receipted(city, node_id: str, broker, port: str):
    """The office takes the receipts of the technician, and its store opens what the node kept for
    it: nothing of that was lost to who looked first."""
    city.take_back()
    city.ok("keyring", "take", city.home, city.keys)
    tls, store = city.folder / "tls", city.folder / "city.sqlite"
    files = [tls / name for name in ("ca.pem", "collector-1.pem", "collector-1.key")]
    with (
        Store(store, Keyring(city.home)) as opened,
        MqttWorker(opened, broker, *files, server_name="broker.test"),
    ):
        at_port = city.ok("verify", node_id, "--port", port, "--within", "120s")
        in_store = city.ok("verify", node_id, "--store", store, "--within", "60s")
    assert "have a receipt" in at_port["nodes"][0]["told"]
    assert in_store["nodes"][0]["record"]["value"] is not None
    with StoreReader(store) as reader:
        (account,) = reader.accounts()
    assert account.lost == [] and account.kept == account.refused == 0
