# SPDX-License-Identifier: MIT
"""`lamppost update --firmware-only` at boards of the simulator, with the unmodified esptool: the
code is new, and all else on the flash is what it was, wherever the cable comes out."""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.cli import run
from host_tools.errors import ToolError
from host_tools.flashing.copy_on_flash import find_copy, pack_copy, place_copy
from host_tools.flashing.esp_image import parse_image
from host_tools.flashing.firmware_update import FirmwareUpdate, UpdatePlan
from host_tools.flashing.node_on_flash import read_node
from host_tools.flashing.partition_table import TABLE_AT
from host_tools.flashing.regions import code_files
from host_tools.micropython_path import micropython_path
from host_tools.provisioning.kit import load_board
from host_tools.provisioning.node_flash import BLOCK_BYTES, flash_image
from simulator.world.broker_embedded import EmbeddedBroker
from tests.esp_image_builder import micropython
from tests.host_tools import prepared_fixture
from tests.host_tools.prepared_fixture import WIFI
from tests.simulated_node.serial_board import QUICK, RunningBoard
from tests.simulated_node.test_flash_board import (
    LAYOUT,
    MIB,
    Bench,
    CutLine,
    Spy,
    files_of,
    impatient,  # noqa: F401
    part,
)

BOARD = load_board("esp32-devkitc")
LATER = micropython(version="v1.27.0")
OLD_CODE = {"boot.py": b"# old\n", "main.py": b"# old\n", "node/app.mpy": b"old" * 40_000,
            "node/gone.mpy": b"gone"}  # fmt: skip


@pytest.fixture(scope="module")
def flashed(tmp_path_factory):
    """The flash of a new node."""
    made = Bench(tmp_path_factory.mktemp("flashed"))
    assert made.run(made.plug_in())["state"] == "written"
    made.close()
    return made.content()


@pytest.fixture(scope="module")
def old(flashed):
    """(the flash of a node with old code, which has run; its configuration)"""
    content = bytearray(flashed)
    files = {name: data for name, data in all_files(content).items() if name.startswith("lp/")}
    stranger = {"time.py": b"not ours"}
    blocks = LAYOUT.code.size // BLOCK_BYTES
    content[LAYOUT.code.at : LAYOUT.code.end] = flash_image(
        {**OLD_CODE, **files, **stranger}, blocks
    )
    content[LAYOUT.nvs.at + 0x100 : LAYOUT.nvs.at + 0x140] = bytes(64)
    content[LAYOUT.data.at + 0x8000 : LAYOUT.data.at + 0x8100] = bytes(256)
    return bytes(content), files


@pytest.fixture
def bench(tmp_path, old):
    made = Bench(tmp_path, kits=())
    made.flash.program(0, old[0])
    yield made
    made.close()


def all_files(content: bytes) -> dict[str, bytes]:
    fs, found = files_of(part(content, LAYOUT.code)), {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path[1:]] = file.read()
    return found


def update(port: str, **changes) -> dict:
    plan = dataclasses.replace(UpdatePlan(BOARD, manual=True, wait_s=0), **changes)
    result = FirmwareUpdate(port, plan).run()
    if "another program" in result.get("error", ""):  # see Bench.run()
        time.sleep(2)
        result = FirmwareUpdate(port, plan).run()
    return result


def check_new(content: bytes, old):
    """The code is new, and all else is as it was."""
    before, configuration = old
    assert all_files(content) == {**configuration, **code_files(BOARD["native"])}
    assert find_copy(part(content, LAYOUT.code)) is None
    for row in (LAYOUT.nvs, LAYOUT.data):
        assert part(content, row) == part(before, row), row.label
    assert content[TABLE_AT : TABLE_AT + 0x1000] == before[TABLE_AT : TABLE_AT + 0x1000]


def test_code_is_replaced_and_all_else_stays_byte_for_byte(bench, old):
    result = update(bench.plug_in())
    assert (result["state"], result["written"]) == ("written", ["firmware"]), result
    assert (result["node"], result["kit"]) == ("0000000000", "air")
    assert result["removed"] == ["time.py"]
    content = bench.content()
    check_new(content, old)
    assert content[: LAYOUT.code.at] == old[0][: LAYOUT.code.at]
    again = update(bench.plug_in())
    assert (again["state"], again["written"]) == ("written", [])
    assert bench.content() == content


def test_another_micropython_comes_with_it(bench, old):
    image = parse_image(LATER, "x")
    result = update(bench.plug_in(), image=image)
    assert result["state"] == "written", result
    assert set(result["written"]) <= {"bootloader", "micropython", "firmware"}
    assert {"micropython", "firmware"} <= set(result["written"])
    content = bench.content()
    check_new(content, old)
    app = image.part(0x10000, 0x200000)
    assert content[0x10000 : 0x10000 + len(app)] == app


def test_a_dry_run_reads_and_writes_nothing(bench, old):
    result = update(bench.plug_in(), dry_run=True)
    assert (result["state"], result["written"]) == ("dry run", ["firmware"])
    assert bench.content() == old[0]


@pytest.fixture(scope="module")
def blocks(tmp_path_factory, old):
    """How many blocks are written by an update that nothing happens to."""
    made = Bench(tmp_path_factory.mktemp("blocks"), kits=())
    made.flash.program(0, old[0])
    line = CutLine()
    try:
        image = parse_image(LATER, "x")
        assert update(made.plug_in(line=line), image=image)["state"] == "written"
    finally:
        made.close()
    return line.seen


@pytest.mark.parametrize(("percent", "there"), [
    ((0,), "file system"), ((40,), "both"), ((60, 30), "copy"), ((80,), "copy"), ((99,), "both"),
])  # fmt: skip
def test_the_next_run_completes_what_a_cable_interrupted(bench, old, blocks, percent, there):
    image = parse_image(LATER, "x")
    for one in percent:
        cut = update(bench.plug_in(line=CutLine(blocks * one // 100)), image=image)
        assert cut["state"] == "failed" and cut["hint"], cut
        partition = part(bench.content(), LAYOUT.code)
        node = read_node(partition, BOARD, "x")
        assert node.configuration == old[1], "it can always be read"
    found = [node.files.get(name) == data for name, data in old[1].items()]
    assert all(found) == (there != "copy") and (node.copy_at is None) == (there == "file system")
    done = update(bench.plug_in(), image=image)
    assert done["state"] == "written", done
    check_new(bench.content(), old)


def test_a_file_system_that_a_cut_left_half_is_not_believed(bench, old, blocks):
    """Without the copy, wrong bytes would be written anew as if they were whole."""
    partition = bytearray(part(old[0], LAYOUT.code))
    key = old[1]["lp/node.key.der"]
    at = partition.index(key[40:])
    partition[at : at + 8] = bytes(8)
    with pytest.raises(ToolError, match="configuration cannot be read"):
        read_node(bytes(partition), BOARD, "x")
    policy = old[1]["lp/policy"]
    partition = bytearray(part(old[0], LAYOUT.code))
    at = partition.index(policy[200:260])
    partition[at] ^= 1
    with pytest.raises(ToolError, match="configuration cannot be read"):
        read_node(bytes(partition), BOARD, "x")
    bench.flash.erase(LAYOUT.code.at, LAYOUT.code.size)
    result = update(bench.plug_in())
    assert "configuration cannot be read" in result["error"] and "ticket" in result["hint"]


@pytest.mark.parametrize(("change", "message"), [
    ({"chip": "esp32s3"}, "the board has ESP32-S3"),
    ({"no_table": True}, "is no node"),
    ({"locked": True}, "eFuses: flash encryption"),
    ({"board": "another"}, "was made for the board another"),
])  # fmt: skip
def test_what_is_no_node_of_this_board_is_left_as_it_is(tmp_path, old, change, message):
    made = Bench(tmp_path, chip=change.get("chip", "esp32"), kits=())
    content = bytearray(old[0])
    if "locked" in change:
        locked = {**made.chip.registers, 0x3FF5_A000: 1 << 20}
        made.chip = dataclasses.replace(made.chip, registers=locked)
    if "no_table" in change:
        content[TABLE_AT : TABLE_AT + 0x1000] = b"\xff" * 0x1000
    if "board" in change:
        other = json.dumps({**BOARD, "board": change["board"]}).encode()
        files = {**all_files(content), "lp/board.json": other}
        image = flash_image(files, LAYOUT.code.size // BLOCK_BYTES)
        content[LAYOUT.code.at : LAYOUT.code.end] = image
    made.flash.program(0, bytes(content))
    try:
        result = update(made.plug_in())
        assert result["state"] == "failed" and message in result["error"], result
        assert result["hint"] and made.content() == bytes(content)
    finally:
        made.close()


def test_an_image_with_other_partitions_or_too_old_is_refused(bench, old):
    larger = parse_image(micropython(flash_mib=8), "x")
    assert "for a flash of 8 MiB" in update(bench.plug_in(), image=larger)["error"]
    older = parse_image(micropython(version="v1.20.0"), "x")
    assert "the kit needs 1.25" in update(bench.plug_in(), image=older)["error"]
    assert bench.content() == old[0]


# the command


def command(state: Path, *words) -> subprocess.CompletedProcess:
    """state: a folder for what it keeps of its runs."""
    line = [sys.executable, "-m", "host_tools.cli", "update", "--json", *words]
    environ = {**os.environ, **QUICK, "XDG_STATE_HOME": str(state)}
    return subprocess.run(list(map(str, line)), env=environ, capture_output=True, text=True)


def test_a_node_runs_the_new_firmware_and_says_that_all_is_well(tmp_path, flashed, old):
    """Over the network, with reset lines, at a broker with mutual TLS."""
    try:
        micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    authority = prepared_fixture.authority()
    authority.save(tmp_path, "ca")
    authority.issue("broker", "broker", ["broker.test"]).save(tmp_path, "broker")
    broker = EmbeddedBroker(*[tmp_path / name for name in ("ca.pem", "broker.pem", "broker.key")])
    host, port = broker.start()
    flash = tmp_path / "flash.bin"
    vfs = LAYOUT.code
    flash.write_bytes(flashed[: vfs.at] + part(old[0], vfs) + flashed[vfs.end :])
    options = ("--rfc2217", 0, "--flash", flash, "--speed", 5, "--broker", f"{host}:{port}")
    try:
        with RunningBoard(*options) as board:
            words = ("--firmware-only", "--board", "esp32-devkitc", "--wait", 120)
            done = command(tmp_path, "--port", board.port, *words)
    finally:
        broker.stop()
    (result,) = json.loads(done.stdout)["boards"]
    assert done.returncode == 0 and result["state"] == "done", (result, done.stderr)
    assert all(check["state"] == "ok" for check in result["self_test"]["checks"].values())
    assert all_files(flash.read_bytes()) == {**old[1], **code_files(BOARD["native"])}


def test_no_key_and_no_password_leaves_the_board(bench, tmp_path, monkeypatch):
    """Neither on this computer's disk nor in what others see of its processes."""
    home = tmp_path / "home"
    home.mkdir()
    spy = Spy(home)
    spy.start()
    monkeypatch.setenv("TMPDIR", str(home))
    words = ("--firmware-only", "--board", "esp32-devkitc", "--manual", "--wait", 0)
    done = command(home, "--port", bench.plug_in(), *words)
    spy.over = True
    spy.join()
    assert done.returncode == 0, done.stdout
    assert spy.looks > 5, "esptool was not looked at"
    seen = {*spy.seen, done.stdout.encode(), done.stderr.encode()}
    seen |= {path.read_bytes() for path in home.rglob("*") if path.is_file()}
    secrets = [WIFI[1].encode(), all_files(bench.content())["lp/node.key.der"][-40:]]
    for form in (bytes, bytes.hex, base64.b64encode):
        for secret in secrets:
            told = form(secret)
            told = told.encode() if isinstance(told, str) else told
            assert not any(told in text for text in seen)


def test_names_of_files_on_the_board_do_not_steer_the_terminal(bench, old):
    files = {**old[1], "\x1b]0;a\x07b\nhint: c": b"1"}
    bench.flash.erase(LAYOUT.code.at, LAYOUT.code.size)
    bench.flash.program(LAYOUT.code.at, flash_image(files, LAYOUT.code.size // BLOCK_BYTES))
    line = [sys.executable, "-m", "host_tools.cli", "update", "--firmware-only", "--dry-run",
            "--board", "esp32-devkitc", "--manual", "--port", bench.plug_in()]  # fmt: skip
    environ = {**os.environ, **QUICK, "XDG_STATE_HOME": str(bench.folder)}
    done = subprocess.run(line, env=environ, capture_output=True, text=True)
    assert "removed: ?]0;a?b hint: c\n" in done.stderr, done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(("words", "message"), [
    (("--board", "esp32-devkitc"), "--firmware-only"),
    (("--firmware-only", "--board", "esp32-devkitc", "--sha256", "00"), "--firmware FILE"),
    (("--firmware-only", "--board", "esp32-devkitc", "--port", "a", "--port", "a"), "twice"),
])  # fmt: skip
def test_usage(words, message, capsys):
    assert run(["update", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""


# the copy

FILES = st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=6000), max_size=4)


@settings(deadline=None, max_examples=50)
@given(FILES, st.integers(0, 8), st.data())
def test_a_copy_is_found_whole_or_not_at_all(files, before, data):
    packed = pack_copy(files)
    partition = b"\xff" * (before * BLOCK_BYTES) + packed + b"\xff" * BLOCK_BYTES
    assert find_copy(partition) == (before * BLOCK_BYTES, files)
    at = data.draw(st.integers(0, len(packed.rstrip(b"\xff")) - 1))
    damaged = bytearray(partition)
    damaged[before * BLOCK_BYTES + at] ^= 1 << data.draw(st.integers(0, 7))
    assert find_copy(bytes(damaged)) is None
    cut = before * BLOCK_BYTES + data.draw(st.integers(0, len(packed) - 1))
    torn = partition[:cut].ljust(len(partition), b"\xff")
    assert find_copy(torn) in (None, (before * BLOCK_BYTES, files))


def test_a_copy_lies_where_nothing_else_does():
    blank = b"\xff" * BLOCK_BYTES
    there, comes = b"a" + blank[1:] + blank * 3, blank * 2 + b"b" + blank[1:] + blank
    assert place_copy(BLOCK_BYTES, there, comes) == BLOCK_BYTES
    with pytest.raises(ToolError):
        place_copy(2 * BLOCK_BYTES, there, comes)
    assert len(pack_copy({})) == BLOCK_BYTES and MIB % BLOCK_BYTES == 0
