# SPDX-License-Identifier: MIT
"""What a person can get wrong with `lamppost demo`: one line that names the place, one that says
the mend, exit 1 or 2, and nothing left half made."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import boards
from host_tools.errors import ToolError
from host_tools.provisioning.certificates import Authority
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path

KITS = Path(boards.__path__[0]) / "kits"
SHORT = ("--headless", "--json", "--for", "20m")


@pytest.fixture
def state(tmp_path):
    """A user's folders of our own: what a run leaves there is seen."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def run(state, *words):
    state.mkdir(exist_ok=True)
    environment = {**os.environ, "XDG_STATE_HOME": str(state), "TMPDIR": str(state)}
    return subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "demo", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )


def refused(state, *words):
    """Runs what must be refused; returns the error line."""
    done = run(state, *SHORT, *words)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ") and lines[1].startswith("hint: "), done.stderr
    left = [p for p in state.rglob("*") if p.is_file() and p.suffix not in (".lock",)]
    assert left == [], left
    return lines[0]


@pytest.mark.parametrize(
    "words",
    [
        ("--for", "soon"), ("--for", "0h"), ("--for", "-1h"), ("--speed", "0"),
        ("--speed", "fast"), ("--speed", "nan"), ("--kit", "wind"), ("--nodes", "0"),
        ("--nodes", "many"),
        ("--replay", "nowhere"), ("--seed", "x"), ("--mood", "odd"), ("--broker", "nonsense"),
        ("--broker", "host:port"), ("--broker", "127.0.0.1:1"), ("--heap", "lots"),
        ("--interpreter", "lua"), ("--heap", "128k"), ("--dir", ""),
        ("--interpreter", "micropython", "--heap", "32k"), ("--broker", "mosquito"),
        ("--tls-dir", "."), ("--start", "1900-01-01"), ("--speed", "1e308"),
        ("--for", "9999d"), ("--start", "yesterday"), ("--tls-dir", "nowhere", "--broker",
        "127.0.0.1:1"), ("--unknown",), ("word",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_word_on_the_command_line(state, words):
    refused(state, *words)


@pytest.mark.parametrize(
    ("csv", "place"),
    [
        ("no,header\n1,2\n", "time"),
        ("time,temperature_c\n2020-01-01T00:00:00Z,warm\n", "a.csv:2"),
        ("time,temperature_c\nyesterday,1\n", "a.csv:2"),
        ("", "a.csv"),
    ],
)
def test_a_wrong_recording(state, tmp_path, csv, place):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "a.csv").write_text(csv)
    assert place in refused(state, "--replay", folder)


def test_a_folder_without_recordings(state, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(state, "--replay", tmp_path / "empty")


def own_kit(tmp_path, change_kit=None, change_policy=None):
    folder = tmp_path / "kit"
    shutil.copytree(KITS / "traffic", folder)
    kit = json.loads((folder / "kit.json").read_text())
    if change_kit:
        change_kit(kit)
    (folder / "kit.json").write_text(json.dumps(kit))
    if change_policy:
        text = (folder / "policy.toml").read_text()
        (folder / "policy.toml").write_text(change_policy(text))
    return folder


def test_a_kit_of_ones_own(state, tmp_path):
    def only_the_loop(kit):
        kit["kit"] = "mine"
        kit["sensors"] = kit["sensors"][1:]

    def only_vehicles(text):
        return text.replace('kit = "traffic"', 'kit = "mine"').split("[[stream]]\nnumber = 2")[0]

    for path in (own_kit(tmp_path, only_the_loop, only_vehicles), tmp_path / "kit" / "kit.json"):
        done = run(state, "--headless", "--json", "--for", "45m", "--kit", path)
        assert done.returncode == 0, done.stderr
        (node,) = json.loads(done.stdout)["nodes"]
        assert node["kit"] == "mine"
        assert node["records"] == 2


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda kit: kit["sensors"][0].update(part="hcsr04"), "sensor 1"),
        (lambda kit: kit["sensors"][1].update(bus="i2c0"), "sensor 2"),
        (lambda kit: kit["sensors"][1].update(bus="uart9"), "sensor 2"),
        (lambda kit: kit["sensors"][0].update(interval_s=7), "sensor 1"),
        (lambda kit: kit["sensors"][0].update(quantities=["co2_ppm"]), "sensor 1"),
        (lambda kit: kit["sensors"][0].update(options={"colour": 1}), "sensor 1"),
        (lambda kit: kit.update(policy="other.toml"), "other.toml"),
        (lambda kit: kit.update(outbox_kib=10**9), "outbox_kib"),
        (lambda kit: kit.update(sensors=[]), "kit.json"),
        (lambda kit: kit.pop("sensors"), "kit.json"),
    ],
)
def test_a_wrong_kit(state, tmp_path, change, place):
    line = refused(state, "--kit", own_kit(tmp_path, change))
    assert place in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = "), ("version = 1", "version = true"),
        ('quantity = "vehicles"', 'quantity = "faces"'), ('["sum"]', '["median"]'),
        ("window_s = 900", "window_s = 901"), ("range = [0, 5000]", "range = [5000, 0]"),
        ("resolution = 1", "resolution = 0"), ("number = 2", "number = 1"),
        ("why = ", "wherefore = "), ('quantity = "vehicles"', 'quantity = "co2_ppm"'),
        ('kit = "traffic"', 'kit = "air"'),
    ],
)  # fmt: skip
def test_a_wrong_policy(state, tmp_path, old, new):
    kit = own_kit(tmp_path, change_policy=lambda text: text.replace(old, new, 1))
    assert "policy.toml" in refused(state, "--kit", kit)


def test_a_folder_that_is_none_or_holds_other_things(state, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused(state, "--dir", tmp_path / "file")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1").write_text("mine")
    refused(state, "--dir", tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter-1"]
    for name in ("lock", "nodes"):
        (tmp_path / "thesis" / name).write_text("mine")
    refused(state, "--dir", tmp_path / "thesis")
    assert (tmp_path / "thesis" / "nodes").read_text() == "mine"
    assert (tmp_path / "thesis" / "lock").read_text() == "mine"


def test_a_refused_run_makes_no_folder(state, tmp_path):
    refused(state, "--dir", tmp_path / "new", "--replay", tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()


def test_another_run_in_the_same_folder_goes_on_where_the_last_one_ended(state, tmp_path):
    folder = tmp_path / "city"
    for _ in range(2):
        done = run(state, *SHORT, "--kit", "air", "--dir", folder)
        assert done.returncode == 0, done.stderr
        (node,) = json.loads(done.stdout)["nodes"]
        assert node["envelopes"] == node["opened"] == node["receipted"] == 4
    assert "air" in refused(state, "--kit", "energy", "--dir", folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("city.json", b"[]"), ("city.json", b'{"nodes": 5}'), ("city.json", b"{"),
        ("tls/ca.pem", None), ("tls/ca.pem", b"?"), ("tls/broker.key", None),
        ("keyring.json", None), ("keyring.json", b"{}"),
    ],
)  # fmt: skip
def test_a_folder_that_was_damaged(tmp_path, city, name, content):
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    state = tmp_path / "state"
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    assert str(folder / name) in refused(state, "--kit", "air", "--dir", folder)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """The folder of a city that ran."""
    folder = tmp_path_factory.mktemp("ran")
    assert run(folder / "state", *SHORT, "--kit", "air", "--dir", folder / "city").returncode == 0
    return folder / "city"


def test_a_broker_that_cannot_be_reached_leaves_the_folder_as_it_was(state, tmp_path):
    authority = Authority.create()
    authority.save(tmp_path / "tls", "ca")
    where = ("--broker", "127.0.0.1:1", "--tls-dir", tmp_path / "tls")
    refused(state, *where, "--dir", tmp_path / "a" / "b" / "city")
    assert not (tmp_path / "a").exists()


def test_two_demos_in_one_folder(state, tmp_path):
    command = [sys.executable, "-m", "host_tools.cli", "demo", "--headless", "--speed", "60"]
    first = subprocess.Popen(
        [*command, "--dir", str(tmp_path / "city")],
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )
    try:
        wait_until(lambda: (tmp_path / "city" / "city.json").exists())
        assert "in use" in refused(state, "--dir", tmp_path / "city")
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=20)
    assert first.returncode == 130


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_control_c_leaves_nothing_behind(state, signum):
    started = subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli", "demo", "--headless", "--speed", "60",
         "--kit", "air", "--kit", "energy", "--kit", "traffic"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(state), "TMPDIR": str(state)},
    )  # fmt: skip
    wait_until(lambda: len(children(started.pid)) == 3)
    nodes = children(started.pid)
    time.sleep(1)
    began = time.monotonic()
    started.send_signal(signum)
    _, err = started.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert started.returncode == 130
    assert "Traceback" not in err and "error" not in err
    assert "were stopped after" in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in nodes)
    assert not list(state.glob("lamppost-*"))


def children(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def wait_until(condition, within_s=20):
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_broker_that_runs(state, tmp_path):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    authority = Authority.create()
    authority.save(tmp_path / "tls", "ca")
    authority.issue("broker", "broker", ("localhost", "127.0.0.1")).save(
        tmp_path / "tls", "broker"
    )
    files = [tmp_path / "tls" / name for name in ("ca.pem", "broker.pem", "broker.key")]
    Authority.create().save(tmp_path / "other", "ca")
    broker = MosquittoBroker(tmp_path / "mosquitto", *files, {"collector-1": "collector"})
    _, port = broker.start()
    try:
        for host in ("127.0.0.1", "localhost"):
            where = f"{host}:{port}"
            done = run(state, *SHORT, "--broker", where, "--tls-dir", tmp_path / "tls")
            assert done.returncode == 0, done.stderr
            account = json.loads(done.stdout)
            assert account["broker"] == where
            assert all(node["wire_bytes"] > 1000 for node in account["nodes"])
        shutil.rmtree(state)
        state.mkdir()
        where = f"127.0.0.1:{port}"
        line = refused(state, "--broker", where, "--tls-dir", tmp_path / "other")
    finally:
        broker.stop()
    assert "certificate" in line


def test_mosquitto_asked_for_and_missing(state, monkeypatch, tmp_path):
    monkeypatch.setattr("simulator.world.broker_mosquitto.mosquitto_path", lambda: None)
    authority = Authority.create()
    authority.issue("broker", "broker", ("localhost",)).save(tmp_path, "broker")
    files = [tmp_path / name for name in ("broker.pem", "broker.pem", "broker.key")]
    broker = MosquittoBroker(tmp_path, *files, {})
    with pytest.raises(ToolError) as caught:
        broker.start()
    assert "mosquitto" in caught.value.message
    assert "install" in caught.value.hint


def test_a_broker_that_is_interrupted_while_it_starts_is_ended(tmp_path, monkeypatch):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    started = []

    def interrupted(broker, port):
        started.append(broker._process)
        raise KeyboardInterrupt

    monkeypatch.setattr(MosquittoBroker, "_comes_up", interrupted)
    plan = Plan(kits=choose_kits(("air",), None), broker="mosquitto", folder=tmp_path / "city")
    with pytest.raises(KeyboardInterrupt), CityRun(plan) as city:
        city.start()
    assert started[0].poll() is not None
    assert not (tmp_path / "city").exists()
