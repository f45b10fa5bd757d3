# SPDX-License-Identifier: MIT
"""Every scenario that comes with Lamppost comes out as it says, by the command that a person would
use; and what a person can get wrong in a scenario is told in one line that names the place."""

import concurrent.futures
import json
import subprocess
import sys

import pytest

from host_tools.errors import ToolError
from node.pipeline.outbox import Outbox
from simulator.hal.bench import bench
from simulator.hal.esp32 import Partition
from simulator.hal.on_cpython import vfs
from simulator.ledger import Ledger
from simulator.node_image import read_outbox
from simulator.scenario import built_in, find_scenario, load_scenario
from simulator.world.broker_mosquitto import mosquitto_path
from simulator.world.flash import BLOCK_BYTES, Flash

NAMES = [path.stem for path in built_in()]
_WORKERS = 3  # they wait for processes and for real time more than they compute
_WITHIN_S = 600


def sim(*words):
    return subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "sim", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
    )


@pytest.fixture(scope="module")
def runs(request):
    """{name: its run}, of the scenarios whose tests were asked for; some run at the same time."""
    asked = {item.callspec.params.get("name") for item in request.session.items
             if hasattr(item, "callspec") and item.fspath == request.node.fspath}  # fmt: skip
    pool = concurrent.futures.ThreadPoolExecutor(_WORKERS)
    names = [name for name in NAMES if name in asked and playable(name)]
    yield {name: pool.submit(sim, name, "--json") for name in names}
    pool.shutdown(cancel_futures=True)


def playable(name):
    return load_scenario(find_scenario(name)).broker == "embedded" or mosquitto_path()


@pytest.mark.parametrize("name", NAMES)
def test_scenario(runs, name):
    if not playable(name):
        pytest.skip("mosquitto is not installed")
    done = runs[name].result()
    assert done.stdout, done.stderr
    account = json.loads(done.stdout)
    assert done.returncode == 0, (done.stderr, account)
    assert account["broken"] == []
    assert account["repeated"] == account["unstated"] == account["watchdog_resets"] == 0
    assert account["sealed"] == account["stored"] + account["lost"] > 0


SMALL = """
title = "Small"
why = "To see what is refused."
for = "1h"
"""
FAULT = SMALL + '[[fault]]\nat = "10m"\n'


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("title = 'a'", "s.toml: the scenario has no for", "add for"),
        (SMALL + "kit = ['air']", "s.toml: the scenario has 'kit'", "did you mean kits?"),
        (SMALL.replace("1h", "soon"), "s.toml: the scenario has for = 'soon'", "90s, 2h30m, 3d"),
        (SMALL.replace("1h", "0s"), "s.toml: the scenario has a for that cannot be", "1s to 400d"),
        (SMALL + "broker = 'amqp'", "s.toml: the scenario has broker 'amqp'",
         "known: embedded, mosquitto"),
        (FAULT + "what = 'borker'", "fault 1 has what 'borker'", "did you mean broker?"),
        (FAULT + "what = 'broker'\nhow = 'killed'", "fault 1 (broker) has no for", '"0s"'),
        (FAULT + "what = 'broker'\nhow = 'kiled'\nfor = '1s'", "has how 'kiled'", "killed"),
        (FAULT + "what = 'nvs_erased'\nfor = '1m'", "fault 1 (nvs_erased) has a for", "leave"),
        (FAULT + "what = 'broker'\nhow = 'killed'\nfor = '1s'\nnode = 0", "has a node", "leave"),
        (FAULT + "what = 'nvs_erased'\nnode = 1", "fault 1 (nvs_erased) has node = 1", "0 to 0"),
        (FAULT + "what = 'nvs_erased'\nblock = 1", "fault 1 has 'block'", "known:"),
        (FAULT + "what = 'wires'\nhow = 'cut'\nfor = '1s'", "(wires) has a for", "at once"),
        (FAULT + "what = 'wires'\nhow = 'refused'", "(wires) has no for", "10m"),
        (FAULT + "what = 'sntp'\nsays = 'noon'", "(sntp) has says = 'noon'", "+1h"),
        (FAULT + "what = 'sntp'\nsays = '+soon'", "(sntp) has says = 'soon'", "3d"),
        (FAULT + "what = 'power_cut'\nflash = 'data'\nafter = [9, 1]", "has after = [9, 1]", "lo"),
        (FAULT + "what = 'nvs_erased'\nrandom = {count = 1}", "has at and random", "or random"),
        (FAULT.replace("10m", "2h") + "what = 'nvs_erased'", "scenario is over", "a longer for"),
        (SMALL + "[[fault]]\nwhat = 'nvs_erased'", "does not say when", "at ="),
        (SMALL + "[[fault]]\nwhat = 'nvs_erased'\nrandom = {}", "random, has no count", "add"),
        (SMALL + "[expect]\nlots = 0", "s.toml: expect has 'lots'", "lost"),
        (SMALL + "[expect]\nlost = {min = 2, max = 1}", "expect, lost, is", "min = 1"),
        (SMALL + "[expect]\nlost = 'none'", "expect has lost = 'none'", "whole number"),
        ("title = ", "s.toml: ", "TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_mend(tmp_path, text, says, hint):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(ToolError) as caught:
        load_scenario(path)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_times_are_the_same_for_a_seed_and_others_for_another(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(SMALL + "[[fault]]\nwhat = 'nvs_erased'\nrandom = {count = 5}")

    def moments(seed):
        return load_scenario(path, seed).faults[0].moments_ms

    assert moments(1) == moments(1) == sorted(moments(1))
    assert len(set(moments(1))) == 5
    assert moments(1) != moments(2)


def test_a_scenario_that_comes_out_otherwise_fails_and_says_what(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        SMALL.replace("1h", "40m") + "drain = '5m'\n"
        "[[fault]]\nwhat = 'wifi'\nhow = 'down'\nat = '16m'\n"
        "[expect]\nevents = ['lost']\nresets = {min = 2}\n"
    )
    done = sim(path, "--dir", tmp_path / "city")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("not as expected: ")]
    assert [line.split(" (")[0] for line in said] == [
        "not as expected: waiting: 6, and expected 0",
        "not as expected: resets: 0, and expected 2 or more",
        "not as expected: no event 'lost', and one was expected",
    ]
    assert "error: s: 3 not as expected" in done.stderr and "hint: " in done.stderr
    tables, _ = done.stdout.split(" of simulated time in ")
    assert not [line for line in tables.splitlines() if len(line) > 80]
    assert f"lamppost read --store {tmp_path / 'city' / 'store.sqlite'}\n" in done.stdout
    assert (tmp_path / "city" / "store.sqlite").exists()
    again = sim(path, "--dir", tmp_path / "city")
    assert again.returncode == 1 and "not empty" in again.stderr


def test_list_names_them_all():
    done = sim("--list")
    assert done.returncode == 0
    assert all(any(line.startswith(name) for line in done.stdout.splitlines()) for name in NAMES)
    listed = json.loads(sim("--list", "--json").stdout)
    assert [one["name"] for one in listed] == NAMES


def test_one_that_is_nested_too_deep_is_told(tmp_path):
    (tmp_path / "deep.toml").write_text("kits = " + "[" * 9000 + "]" * 9000)
    with pytest.raises(ToolError, match="nested too deep"):
        load_scenario(tmp_path / "deep.toml")


def test_an_unknown_name_is_suggested():
    done = sim("power-cut")
    assert done.returncode == 1
    assert "did you mean power-cuts?" in done.stderr


def test_the_ledger_sees_what_must_never_be(tmp_path):
    """A repeated nonce, and a damaged image: nothing else here would ever show them."""
    from node.pipeline import envelope

    ledger = Ledger()
    kid = envelope.kid(3, b"series01", b"\0" * 32)
    for text in (b"a" * 40, b"a" * 40, b"b" * 40):
        ledger.see("aaaaaaaaaa", envelope.pack(kid, 7, text))
    assert ledger.repeated("aaaaaaaaaa") == 1
    (tmp_path / "data.img").write_bytes(b"\0" * 4096 * 256)
    assert read_outbox(tmp_path / "data.img") is None


def test_what_a_node_has_sealed_is_read_from_its_flash(tmp_path, monkeypatch):
    """The outbox as the firmware writes it, in several segments."""
    path = tmp_path / "data.img"
    path.write_bytes(b"\xff" * 64 * BLOCK_BYTES)
    monkeypatch.setitem(bench.partitions, "lpdata", Flash(str(path)))
    vfs.VfsLfs2.mkfs(Partition("lpdata"))
    monkeypatch.setitem(vfs.mounted, "/data", vfs.VfsLfs2(Partition("lpdata")))
    outbox = Outbox(64 * 1024)
    sealed = {number: b"envelope %d " % number + bytes(150) for number in range(1, 121)}
    for envelope in sealed.values():
        outbox.append(envelope)
    read = read_outbox(path)
    assert (read.log, read.envelopes, read.newest) == (outbox.log, sealed, 120)
