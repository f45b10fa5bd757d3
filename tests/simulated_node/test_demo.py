# SPDX-License-Identifier: MIT
"""`lamppost demo` as a user runs it: from power-on to receipted records, in all its ways."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from simulator.world.broker_mosquitto import mosquitto_path

ROOT = Path(__file__).parents[2]
START = "2026-06-01T05:00:00Z"
RECORDINGS = Path(os.environ.get("LAMPPOST_RECORDINGS", ROOT.parent / "shared" / "data"))


def lamppost(*words, timeout=280):
    """Runs the command line; returns (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "host_tools.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return done.returncode, done.stdout, done.stderr


def demo(*words):
    """The account of a demo that must come out whole."""
    code, out, err = lamppost("demo", "--headless", "--json", *words)
    assert code == 0, err + out
    account = json.loads(out)
    assert account["lost"] == 0
    for node in account["nodes"]:
        assert node["envelopes"] == node["opened"] == node["receipted"] > 0
        assert node["lost"] == node["duplicates"] == 0
        assert node["records"] > 0 and node["samples"] > 0 and node["wire_bytes"] > 0
    return account


def need_micropython():
    try:
        micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")


def need_mosquitto():
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")


def records(folder):
    """All values of a store by kit's stream, without the node's id, which is random."""
    (store,) = folder.glob("*.sqlite")
    with sqlite3.connect(store) as db:
        return db.execute(
            "SELECT quantity, statistic, slot_start_s, window_s, value FROM value"
            " ORDER BY 1, 2, 3, 4"
        ).fetchall()


def test_a_day_of_all_three_kits():
    account = demo("--for", "24h")
    assert [node["kit"] for node in account["nodes"]] == ["air", "energy", "traffic"]
    assert account["simulated_s"] == 86_400
    assert all(node["faults"] == 0 for node in account["nodes"])
    assert all(node["heap_peak_bytes"] is None for node in account["nodes"])
    # 5-minute windows give 288 instants less the first, partial one; one empty envelope greets
    assert account["nodes"][0]["envelopes"] == 288
    assert account["nodes"][1]["envelopes"] == account["nodes"][2]["envelopes"] == 96


def test_a_day_with_mosquitto():
    need_mosquitto()
    assert demo("--for", "24h", "--broker", "mosquitto")["broker"] == "mosquitto"


def test_a_day_of_recordings():
    if not (RECORDINGS / "air_hourly.csv").exists():
        pytest.skip("no recordings: set LAMPPOST_RECORDINGS to their folder")
    demo("--for", "24h", "--replay", RECORDINGS)


def test_a_day_on_micropython():
    need_micropython()
    account = demo("--for", "24h", "--interpreter", "micropython", "--heap", "160k")
    for node in account["nodes"]:
        assert 10_000 < node["heap_peak_bytes"] < 160 * 1024


def without_noise(record):
    """What is drawn at each node anew comes from no seed."""
    quantity, *_ = record
    return record[:-1] if quantity in ("people_leftward", "people_rightward") else record


def test_the_same_seed_gives_the_same_records_on_both_interpreters(tmp_path):
    need_micropython()
    for interpreter in ("cpython", "micropython"):
        demo("--for", "3h", "--start", START, "--seed", 7, "--interpreter", interpreter,
             "--dir", tmp_path / interpreter)  # fmt: skip
    one, other = records(tmp_path / "cpython"), records(tmp_path / "micropython")
    assert len(one) > 400
    assert [without_noise(record) for record in one] == [without_noise(record) for record in other]
    demo("--for", "3h", "--start", START, "--seed", 8, "--dir", tmp_path / "another")
    assert records(tmp_path / "another") != one
