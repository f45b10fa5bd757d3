# SPDX-License-Identifier: MIT
"""`lamppost wipe` at boards of the simulator, with the unmodified esptool: what is told as erased
was read as erased."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from host_tools.flashing.prepared_nodes import PreparedNodes
from host_tools.flashing.probe import FoundBoard
from host_tools.flashing.wipe_board import Place, WipeBoard, WipePlan, _places
from tests.simulated_node.test_flash_board import LAYOUT, MIB, Bench, canaries

PLACES = ["table", "nvs", "vfs", "lpdata"]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The flash of a node."""
    made = Bench(tmp_path_factory.mktemp("whole"))
    assert made.run(made.plug_in())["state"] == "written"
    assert any(canary in made.content() for canary in canaries(made.parts[0]))
    made.close()
    return made.content()


@pytest.fixture
def node(bench, whole):
    """A bench whose board is a node."""
    bench.flash.program(0, whole)
    bound = {bench.parts[0].ticket.node_id: "02:4c:50:00:00:01"}
    (bench.folder / "nodes" / "bound.json").write_text(json.dumps(bound))
    return bench


def wipe(port: str, **options) -> dict:
    run = WipeBoard(port, WipePlan(manual=True, **options))
    if "another program" in run.look().get("error", ""):  # see Bench.run()
        time.sleep(2)
        run.look()
    return run.run()


def test_a_node_is_erased_and_that_is_read_back(node):
    nodes = PreparedNodes(node.folder / "nodes")
    result = wipe(node.plug_in(), node_of=nodes.node_of)
    assert (result["state"], result["node"], result["holds"]) == ("wiped", "0000000000", "a node")
    assert result["mac"] == "02:4c:50:00:00:01"
    assert [place["name"] for place in result["proved"]] == PLACES
    assert node.content().count(0xFF) == 4 * MIB


def test_a_board_whose_keys_came_by_ticket_says_which_node_it_is(node):
    run = WipeBoard(node.plug_in(), WipePlan(manual=True))
    assert run.look()["node"] == "0000000000", run.result


def test_a_board_that_cannot_say_which_node_it_is_is_erased(node):
    node.flash.erase(LAYOUT.code.at, LAYOUT.code.size)
    result = wipe(node.plug_in())
    assert (result["state"], result["node"], result["holds"]) == ("wiped", None, "a node")


def test_the_whole_flash_is_read_where_nothing_says_what_is_where(node, tmp_path):
    node.flash.wear(0x1F_0123, 0x40)  # far from the keys
    assert wipe(node.plug_in())["state"] == "wiped"
    again = wipe(node.plug_in())
    assert (again["state"], again["holds"], again["node"]) == ("failed", "no node", None)
    assert "0x1f0000" in again["error"] and again["proved"] == []
    small = Bench(tmp_path / "small", mib=1)
    small.flash.program(0x1000, b"something")
    try:
        result = wipe(small.plug_in(), full=True)
    finally:
        small.close()
    assert result["proved"] == [{"name": "the whole flash", "at": 0, "size": MIB}]
    assert small.content().count(0xFF) == MIB


@pytest.mark.parametrize("missing", ["nvs", "vfs", "lpdata"])
def test_the_whole_flash_is_read_where_the_table_does_not_name_all(missing):
    rows = tuple(row for row in LAYOUT.rows if row.label != missing)
    found = FoundBoard("esp32", "", "", 4096, [], rows)
    assert _places(found, False) == [Place("the whole flash", 0, 4 * MIB)]
    found = FoundBoard("esp32", "", "", 4096, [], LAYOUT.rows)
    assert [place.name for place in _places(found, False)] == PLACES


@pytest.mark.parametrize("row", [LAYOUT.nvs, LAYOUT.code, LAYOUT.data], ids=lambda row: row.label)
def test_a_sector_that_keeps_what_it_holds_is_found(node, row):
    node.flash.keep(row.at)
    result = wipe(node.plug_in())
    assert result["state"] == "failed", result
    assert f"{row.label} is not erased: 1 sector not blank" in result["error"]
    assert f"{row.at:#x}" in result["error"] and "destroy the board" in result["hint"]
    assert row.label not in [place["name"] for place in result["proved"]]


def test_a_board_that_was_exchanged_meanwhile_is_left_alone(node, tmp_path):
    other = Bench(tmp_path / "other")
    other.chip = dataclasses.replace(
        other.chip, registers={**other.chip.registers, 0x3FF5_A004: 0x5000_0002}
    )
    other.flash.program(0, b"of somebody else")
    before = other.content()
    try:
        run = WipeBoard(node.plug_in(), WipePlan(manual=True))
        run.look()
        run._esptool.port = other.plug_in()  # the same name of a port, on a real laptop
        result = run.run()
    finally:
        other.close()
    assert result["state"] == "failed" and "not the board that was looked at" in result["error"]
    assert other.content() == before


def command(state, *words) -> subprocess.CompletedProcess:
    """state: a folder for what it keeps of its runs."""
    line = [sys.executable, "-m", "host_tools.cli", "wipe", "--json", "--manual", *words]
    return subprocess.run(
        [str(word) for word in line], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**os.environ, "LAMPPOST_NODES": "", "XDG_STATE_HOME": str(state)},
    )  # fmt: skip


def test_at_a_terminal_it_shows_the_boards_and_asks(node):
    port, before = node.plug_in(), node.content()
    ours, theirs = os.openpty()
    line = [sys.executable, "-m", "host_tools.cli", "wipe", "--manual", "--port", port,
            "--nodes", str(node.folder / "nodes")]  # fmt: skip
    try:
        os.write(ours, b"n\n")
        done = subprocess.run(
            line, stdin=theirs, capture_output=True, text=True,
            env={**os.environ, "XDG_STATE_HOME": str(node.folder)},
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 1 and "Erase all" in done.stderr, done.stderr
    assert "02:4c:50:00:00:01: node 0000000000" in done.stderr and node.content() == before


def test_the_command_wants_yes_off_a_terminal_and_looks_without(node):
    port, before = node.plug_in(), node.content()
    refused = command(node.folder, "--port", port)
    assert refused.returncode == 2 and "--yes" in refused.stderr and node.content() == before
    looked = command(node.folder, "--port", port, "--dry-run", "--nodes", node.folder / "nodes")
    (result,) = json.loads(looked.stdout)["boards"]
    assert looked.returncode == 0 and result["to_prove"] == PLACES, looked.stderr
    assert result["node"] == "0000000000" and node.content() == before
    nowhere = "/dev/lamppost-has-no-such-port"
    done = command(node.folder, "--port", port, "--port", nowhere, "--yes")
    wiped, failed = json.loads(done.stdout)["boards"]
    assert done.returncode == 1 and "no such port" in failed["error"]
    assert wiped["state"] == "wiped" and node.content().count(0xFF) == 4 * MIB
