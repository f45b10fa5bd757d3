# SPDX-License-Identifier: MIT
"""`lamppost flash --verify`: what it checks before a board is touched, which boards it waits for,
and what counts. The whole way is in tests/simulated_node/test_flash_verify.py."""

import time

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.flashing.prepared_nodes import PreparedNodes
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.kit import load_kit
from host_tools.verifying.at_broker import PartsKeys
from host_tools.verifying.at_store import StoreWatch
from host_tools.verifying.flashed import WatchedNodes, verify_flashed
from tests.esp_image_builder import micropython
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import lamppost, refused
from tests.host_tools.prepared_fixture import prepare

NODE, OTHER = "0000000000", "0000000001"
MACS = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34"
GOOD = {name: {"state": "ok", "hint": ""} for name in ("bme280", "wifi", "time", "tls")}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return folder / "nodes", prepare(folder / "nodes", "air", "air")


@pytest.fixture
def store(tmp_path, prepared):
    compiled, keyring = compile_policy(load_kit("air").policy_path), Keyring(tmp_path / "k.json")
    for parts in prepared[1]:
        keyring.add_node(parts.ticket, compiled.rules, compiled.terms)
    with Store(tmp_path / "city.sqlite", keyring) as store:
        yield store


def told(store, parts, end_s: int):
    """The store takes an envelope of this node, whose windows ended at `end_s`."""
    node = ref.ReferenceNode(
        bytes(32), parts.ticket.node_id, parts.ticket.day0, parts.policy[:-2512]
    )
    node.number = end_s // 300 % 1000
    message = node.seal(node.due(end_s), end_s)
    store.take_batch([(node.topic, message)], int(time.time()))


def result(node_id, **changes) -> dict:
    return {"node": node_id, "state": "done", "self_test": {"checks": GOOD}, **changes}


def verify(store, prepared, results, within_s=1.0) -> list:
    keys = PartsKeys()
    with StoreWatch(store._file.path) as watch:
        nodes = WatchedNodes(PreparedNodes(prepared[0]), keys, watch)
        for mac in MACS:
            parts = nodes.bound_to(mac) or nodes.take(mac)
            assert keys.node(parts.ticket.node_id).seal == parts.ticket.seal
        return verify_flashed(nodes, watch, results, within_s, lambda words: None)


def test_only_what_was_measured_since_counts(store, prepared):
    now_s = int(time.time()) // 300 * 300
    told(store, prepared[1][0], now_s)  # before the flash
    told(store, prepared[1][1], now_s + 300)
    results = [result(NODE), result(OTHER)]
    first, second = verify(store, prepared, results)
    assert (first.node_id, first.record) == (NODE, None)
    assert "its newest record is of" in first.trouble.message
    assert (second.node_id, second.trouble) == (OTHER, None)
    assert results[1]["verify"]["record"]["quantity"] == "pm2_5_ngm3"
    assert results[0]["verify"]["verified"] is False and results[0]["verify"]["hint"]


def test_boards_of_which_nothing_can_come_are_not_waited_for(store, prepared):
    bad = {**GOOD, "tls": {"state": "failed", "hint": "the broker refuses this node"}}
    results = [
        {"node": NODE, "state": "failed", "error": "the board went away", "hint": "again"},
        result(OTHER, self_test={"checks": bad}, state="needs you"),
    ]
    (outcome,) = verify(store, prepared, results)
    assert "no record can come: tls failed" in outcome.trouble.message
    assert "the broker refuses this node" in outcome.trouble.hint
    assert "verify" not in results[0] and results[1]["verify"]["verified"] is False


def test_a_sensor_that_fails_is_no_reason_not_to_wait(store, prepared):
    told(store, prepared[1][0], int(time.time()) // 300 * 300 + 300)
    bad = {**GOOD, "bme280": {"state": "failed", "hint": "check its supply"}}
    (outcome,) = verify(store, prepared, [result(NODE, self_test={"checks": bad})])
    assert outcome.trouble is None


WORDS = ("flash", "--board", "esp32-devkitc", "--port", "/dev/lamppost-has-no-such-port")


@pytest.mark.parametrize("words", [
    ("--verify",),
    ("--verify", "--broker", "h:1"),
    ("--verify", "--store", "x", "--broker", "h:1", "--tls-dir", "t", "--name", "n"),
    ("--verify", "--store", "x", "--dry-run"),
    ("--verify", "--store", "x", "--within", "never"),
    ("--store", "x"),
    ("--within", "5m"),
])  # fmt: skip
def test_wrong_usage(tmp_path, words):
    refused(*WORDS, "--nodes", tmp_path, "--firmware", "x", *words, code=2)


def test_a_way_that_cannot_be_gone_is_told_before_a_board_is_touched(tmp_path, prepared,
                                                                     monkeypatch):  # fmt: skip
    monkeypatch.setenv("LAMPPOST_WIFI_SSID", "city")
    monkeypatch.setenv("LAMPPOST_WIFI_PASSWORD", "a password")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "mp.bin").write_bytes(micropython())
    words = (*WORDS, "--nodes", prepared[0], "--firmware", tmp_path / "mp.bin", "--verify")
    err = refused(*words, "--store", tmp_path / "none.sqlite")
    assert "no such store" in err and "no such port" not in err
    err = refused(*words, "--broker", "127.0.0.1:1", "--tls-dir", tmp_path, "--name", "anna-2")
    assert "ca.pem: there is no such file" in err
    code, out, err = lamppost(*words[:-1], "--json")
    assert code == 1 and "no such port" in out
