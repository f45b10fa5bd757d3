# SPDX-License-Identifier: MIT
"""A bare board, a ticket of a real vault, a real broker with mutual TLS, the unmodified esptool:
one command, and what it says last is the first record that was opened."""

import os
import re
import subprocess
import sys

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.read_store import StoreReader
from host_tools.collector.store import Store
from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path
from tests.bench.mqtt import ROOT
from tests.host_tools.city_place import City
from tests.host_tools.prepared_fixture import WIFI
from tests.host_tools.vault_place import argon2id  # noqa: F401
from tests.simulated_node.serial_board import RunningBoard
from tests.simulated_node.test_flash_board import IMAGE

SPEED = 20
ROLES = {"anna-2": "reader", "collector-1": "collector"}


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """No store knows its node; who verifies has a certificate of their own."""
    try:
        micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    city = City(tmp_path_factory.mktemp("city")).fill()
    city.issue(1)
    tls = city.folder / "tls"
    city.vault("certificate", "broker", "--role", "broker", "--host", "broker.test", "-o", tls)
    for name, owner in (
        ("anna-2", ("--technician", "anna")),
        ("collector-1", ("--store", "home")),
    ):
        city.vault("certificate", name, "--role", ROLES[name], *owner, "-o", tls)
    (city.folder / "mp.bin").write_bytes(IMAGE)
    return city


def flash_command() -> list:
    """./flash.sh, where it finds what it would else install."""
    if (ROOT / ".venv" / "bin" / "lamppost").exists():
        return [ROOT / "flash.sh"]
    return [sys.executable, "-m", "host_tools.cli", "flash"]


def test_from_a_bare_board_to_the_first_opened_record(city):
    tls = city.folder / "tls"
    files = [tls / name for name in ("ca.pem", "broker.pem", "broker.key")]
    broker = MosquittoBroker(city.folder, *files, ROLES)
    names = {"LAMPPOST_WIFI_SSID": WIFI[0], "LAMPPOST_WIFI_PASSWORD": WIFI[1],
             "XDG_STATE_HOME": str(city.folder / "state")}  # fmt: skip
    host, port = broker.start()
    try:
        options = ("--rfc2217", 0, "--broker", f"{host}:{port}", "--speed", SPEED)
        with RunningBoard(*options) as board:
            words = [
                *flash_command(), "--board", "esp32-devkitc", "--kit", "air",
                "--port", board.port, "--firmware", city.folder / "mp.bin",
                "--ticket", city.tickets, "--technician", city.anna, *city.opening(),
                "--verify", "--broker", f"{host}:{port}", "--server-name", "broker.test",
                "--tls-dir", tls, "--name", "anna-2",
            ]  # fmt: skip
            done = subprocess.run(
                [str(word) for word in words], cwd=ROOT, env={**os.environ, **names},
                capture_output=True, text=True,
            )  # fmt: skip
            (node_id,) = city.nodes()
            check_flashed(done, node_id)
            check_receipted(city, node_id, (host, port), board.port)
    finally:
        broker.stop()


def check_flashed(done, node_id: str):
    assert done.returncode == 0, (done.stdout, done.stderr)
    *table, last = done.stdout.splitlines()
    assert any(node_id in row and row.rstrip().endswith(" done") for row in table), done.stdout
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
