# SPDX-License-Identifier: MIT
"""`lamppost flash` at boards of the simulator, with the unmodified esptool: a bare board becomes a
node, whatever happens to the cable on the way."""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from littlefs import LittleFS

from host_tools.errors import ToolError
from host_tools.flashing.doctor import OK, examine
from host_tools.flashing.esp_image import parse_image
from host_tools.flashing.flash_board import FlashBoard, Plan
from host_tools.flashing.layout import lay_out
from host_tools.flashing.partition_table import TABLE_AT, parse_table
from host_tools.flashing.prepared_nodes import PreparedNodes
from host_tools.flashing.secret_files import secret_files
from host_tools.micropython_path import micropython_path
from host_tools.provisioning.kit import load_board
from host_tools.provisioning.nvs_image import nvs_image
from simulator.serial_board.board import Board
from simulator.serial_board.chips import CHIPS
from simulator.serial_board.faults import Faults
from simulator.serial_board.flash_chip import FlashChip
from simulator.serial_board.pty import PtyServer
from simulator.world.broker_embedded import EmbeddedBroker
from tests.esp_image_builder import micropython
from tests.host_tools import prepared_fixture
from tests.host_tools.prepared_fixture import WIFI, prepare
from tests.simulated_node.serial_board import QUICK, RunningBoard, mpremote, stop_node

MIB = 1024 * 1024
IMAGE = micropython()
LAYOUT = lay_out(parse_image(IMAGE, "x"))
ALL = ["bootloader", "micropython", "keys", "data", "firmware", "table"]


class Silent:
    """An application that does nothing."""

    def __init__(self, board, found):
        pass

    def start(self):
        pass

    receive = stop = lambda self, data=None: None


class CutLine:
    """The cable comes out at the n-th block of all that is written; counts them."""

    def __init__(self, blocks: int | None = None):
        self.left = blocks
        self.seen = 0

    def takes(self, packet: bytes):
        if len(packet) > 8 and packet[:1] == b"\0" and packet[1] in (0x03, 0x11):
            self.seen += 1
            if self.left is not None and self.seen > self.left:
                return None
        return packet


class Bench:
    """One board's flash, and a folder of prepared nodes. plug_in() gives the port."""

    def __init__(self, folder: Path, chip: str = "esp32", kits=("air",), mib: int = 4):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.parts = prepare(folder / "nodes", *kits)
        self.chip = CHIPS[chip]
        self.flash = FlashChip(folder / "flash.bin", mib * MIB)
        self._servers = []

    def plug_in(self, *faults: str, line: CutLine | None = None) -> str:
        board = Board(self.chip, self.flash, Silent, Faults.parse(faults))
        board._line = line or board._line
        return self.serve(board, download=True)

    def serve(self, board: Board, download: bool = False) -> str:
        server = PtyServer(board)
        port = server.start()
        board.power_up(download)
        threading.Thread(target=server.serve, args=(lambda text: None,), daemon=True).start()
        self._servers.append(server)
        return port

    def plan(self, **changes) -> Plan:
        plan = Plan(
            load_board("esp32-devkitc"), parse_image(IMAGE, "x"),
            PreparedNodes(self.folder / "nodes"), WIFI, manual=True, wait_s=0,
        )  # fmt: skip
        return dataclasses.replace(plan, **changes)

    def run(self, port: str, **changes) -> dict:
        plan = self.plan(**changes)
        result = FlashBoard(port, plan).run()
        if "another program" in result.get("error", ""):
            # Names of pseudo-terminals are given again at once: another test's esptool, which
            # looked for its board, found ours.
            time.sleep(2)
            result = FlashBoard(port, plan).run()
        return result

    def content(self) -> bytes:
        return self.flash.read(0, self.flash.size)

    def close(self):
        for server in self._servers:
            server.stop()


@pytest.fixture(scope="module", autouse=True)
def impatient(tmp_path_factory):
    """Has esptool wait 3 s instead of 7 for a cable that came out: here none comes back."""
    path = tmp_path_factory.mktemp("esptool") / "esptool.cfg"
    path.write_text("[esptool]\nconnect_attempts = 3\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESPTOOL_CFGFILE", str(path))
        yield


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


def files_of(image: bytes) -> LittleFS:
    fs = LittleFS(
        block_size=4096, block_count=len(image) // 4096, read_size=32, prog_size=32,
        lookahead_size=32, mount=False,
    )  # fmt: skip
    fs.context.buffer[:] = image
    fs.mount()
    return fs


def part(content: bytes, row) -> bytes:
    return content[row.at : row.end]


def test_a_bare_board_becomes_a_node(bench):
    result = bench.run(bench.plug_in())
    assert (result["state"], result["written"]) == ("written", ALL), result
    assert result["mac"] == "02:4c:50:00:00:01"
    content = bench.content()
    assert parse_table(content[TABLE_AT : TABLE_AT + 0x1000]) == LAYOUT.rows
    app = parse_image(IMAGE, "x").part(0x10000, 0x200000)
    assert content[0x10000 : 0x10000 + len(app)] == app
    (parts,) = bench.parts
    assert part(content, LAYOUT.nvs) == nvs_image(parts.ticket, LAYOUT.nvs.size)
    fs = files_of(part(content, LAYOUT.code))
    assert {"boot.py", "main.py", "node", "lp"} == set(fs.listdir("/"))
    assert "app.mpy" in fs.listdir("/node") and "a_weighting.mpy" in fs.listdir("/node/drivers")
    with fs.open("/lp/config.json", "r") as file:
        assert json.load(file)["wifi"] == {"ssid": WIFI[0], "password": WIFI[1]}
    with fs.open("/lp/policy", "rb") as file:
        assert file.read() == parts.policy
    assert files_of(part(content, LAYOUT.data)).listdir("/") == []


@pytest.mark.parametrize("name", ["esp32-s3-devkitc", "esp32-c3-devkitm", "esp32-c6-devkitc"])
def test_boards_with_other_chips_become_nodes(tmp_path, name):
    board = load_board(name)
    chip, mib = board["chip"], board["flash_kib"] // 1024
    made = Bench(tmp_path, chip=chip, mib=mib)
    try:
        image = parse_image(micropython(chip, flash_mib=mib), "x")
        result = made.run(made.plug_in(), board=board, image=image)
        assert (result["state"], result["written"]) == ("written", ALL), result
        content = made.content()
        assert content[0] == 0xE9 and content[0x10000] == 0xE9
        rows = parse_table(content[TABLE_AT : TABLE_AT + 0x1000])
        assert rows == lay_out(image).rows
        assert "lp" in files_of(part(content, rows[-2])).listdir("/")
    finally:
        made.close()


def test_a_dry_run_says_all_and_does_nothing(bench):
    result = bench.run(bench.plug_in(), dry_run=True)
    assert (result["state"], result["written"], result["node"]) == ("dry run", ALL, "0000000000")
    assert bench.content().count(0xFF) == 4 * MIB
    assert not (bench.folder / "nodes" / "bound.json").exists()


def test_what_is_there_is_not_written_again_and_what_the_node_wrote_is_kept(bench):
    assert bench.run(bench.plug_in())["state"] == "written"
    # The node has run since: its epoch stepped, its outbox was filled.
    bench.flash.program(LAYOUT.nvs.at + 0x100, bytes(64))
    bench.flash.program(LAYOUT.data.at + 0x8000, bytes(500))
    before = bench.content()
    again = bench.run(bench.plug_in())
    assert (again["state"], again["written"], again["kept"]) == ("written", [], ["keys", "data"])
    assert bench.content() == before
    other = bench.run(bench.plug_in(), wifi=("another", "password 9"))
    assert (other["written"], other["node"]) == (["firmware"], "0000000000")
    after = bench.content()
    assert part(after, LAYOUT.nvs) == part(before, LAYOUT.nvs)
    assert part(after, LAYOUT.data) == part(before, LAYOUT.data)
    anew = bench.run(bench.plug_in(), anew=True, again=True)
    assert anew["state"] == "written" and {"keys", "data"} <= set(anew["written"])


CUT_PERCENT = [*range(0, 100, 5), 99]


def test_the_next_run_completes_what_a_cable_interrupted(tmp_path):
    """Wherever in the write the cable comes out. Most of it is waiting for esptool, which hopes
    that the cable comes back, so several boards are cut at the same time."""
    made = [Bench(tmp_path / str(percent)) for percent in ("whole", *CUT_PERCENT)]
    try:
        line = CutLine()
        assert made[0].run(made[0].plug_in(line=line))["state"] == "written"
        whole = made[0].content(), line.seen
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_cut_and_complete, made[1:], CUT_PERCENT, [whole] * len(CUT_PERCENT)))
    finally:
        for bench in made:
            bench.close()


def _cut_and_complete(bench: Bench, percent: int, whole: tuple[bytes, int]):
    """whole: (the flash of a board that nothing happened to, how many blocks were written)"""
    content, blocks = whole
    cut = bench.run(bench.plug_in(line=CutLine(blocks * percent // 100)))
    assert cut["state"] == "failed" and "went away" in cut["error"], cut
    assert "goes on" in cut["hint"]
    assert parse_table(bench.content()[TABLE_AT : TABLE_AT + 0x1000]) is None, "not whole"
    rest = CutLine()
    done = bench.run(bench.plug_in(line=rest))
    assert done["state"] == "written", done
    assert rest.seen <= blocks and (percent < 60 or rest.seen < blocks * 0.7), percent
    # Certificates are made anew by each test, and with them the file system that holds them.
    same = [row for row in LAYOUT.rows if row.label in ("factory", "nvs", "lpdata")]
    after = bench.content()
    assert [part(after, row) for row in same] == [part(content, row) for row in same]
    assert after[: TABLE_AT + 0x1000] == content[: TABLE_AT + 0x1000]
    if percent % 20 == 0:
        assert bench.run(bench.plug_in())["written"] == []


def test_a_node_of_somebody_else_is_not_overwritten_by_mistake(bench):
    assert bench.run(bench.plug_in())["state"] == "written"
    (bench.folder / "nodes" / "bound.json").unlink()
    before = bench.content()
    refused = bench.run(bench.plug_in())
    assert refused["state"] == "failed" and "is a node already" in refused["error"]
    assert "--anew" in refused["hint"] and bench.content() == before
    refused = bench.run(bench.plug_in(), anew=True)
    assert "its keys would go" in refused["error"] and "--yes" in refused["hint"]
    assert bench.content() == before
    assert bench.run(bench.plug_in(), anew=True, dry_run=True)["state"] == "dry run"
    assert bench.run(bench.plug_in(), anew=True, ends=True)["state"] == "written"


def test_a_cable_that_comes_out_while_it_is_made_anew_leaves_no_half_node(bench):
    assert bench.run(bench.plug_in())["state"] == "written"
    bench.flash.program(LAYOUT.nvs.at + 0x100, bytes(64))  # what the old node's keys became
    how = {"anew": True, "again": True, "wifi": ("another", "password 9")}
    cut = bench.run(bench.plug_in(line=CutLine(0)), **how)
    assert cut["state"] == "failed"
    done = bench.run(bench.plug_in(), wifi=("another", "password 9"))
    assert "keys" in done["written"], "the keys of before were kept"


@pytest.mark.parametrize(("options", "message"), [
    ({"chip": "esp32s3"}, "the board has ESP32-S3"),
    ({"mib": 1}, "the board's flash has 1024 KiB"),
    ({"kits": ()}, "no prepared node is left"),
])  # fmt: skip
def test_a_board_that_does_not_fit_is_left_as_it_is(tmp_path, options, message):
    made = Bench(tmp_path, **options)
    try:
        before = made.content()
        result = made.run(made.plug_in())
        assert result["state"] == "failed" and message in result["error"], result
        assert result["hint"] and made.content() == before
    finally:
        made.close()


@pytest.mark.parametrize(("chip", "register", "bits", "lock"), [
    ("esp32", 0x3FF5_A000, 1 << 20, "flash encryption"),  # FLASH_CRYPT_CNT
    ("esp32", 0x3FF5_A000, 7 << 20, "flash encryption"),
    ("esp32", 0x3FF5_A018, 1 << 4, "secure boot"),  # ABS_DONE_0
    ("esp32", 0x3FF5_A018, 1 << 5, "secure boot"),
    ("esp32c3", 0x6000_8834, 1 << 18, "flash encryption"),  # SPI_BOOT_CRYPT_CNT
    ("esp32c3", 0x6000_8838, 1 << 20, "secure boot"),  # SECURE_BOOT_EN
])  # fmt: skip
def test_a_locked_board_is_told_before_it_is_erased(tmp_path, chip, register, bits, lock):
    made = Bench(tmp_path, chip=chip)
    known = made.chip.registers
    locked = {**known, register: known.get(register, 0) | bits}
    made.chip = dataclasses.replace(made.chip, registers=locked)
    try:
        board = {"esp32": "esp32-devkitc", "esp32c3": "esp32-c3-devkitm"}[chip]
        result = made.run(made.plug_in(), board=load_board(board))
        assert result["state"] == "failed" and f"eFuses: {lock}" in result["error"], result
        assert "another board" in result["hint"] and made.content().count(0xFF) == 4 * MIB
    finally:
        made.close()


def test_a_kit_that_counts_needs_a_later_micropython(tmp_path):
    made = Bench(tmp_path, kits=("traffic",))
    try:
        older = parse_image(micropython(version="v1.25.0"), "x")
        result = made.run(made.plug_in(), image=older)
        assert "1.25, and the kit needs 1.26" in result["error"]
        assert made.content().count(0xFF) == 4 * MIB
    finally:
        made.close()


def test_an_image_for_a_larger_flash_is_refused(bench):
    larger = parse_image(micropython(flash_mib=8), "x")
    result = bench.run(bench.plug_in(), image=larger)
    assert "for a flash of 8 MiB, and the board has 4096 KiB" in result["error"]
    assert bench.content().count(0xFF) == 4 * MIB


def test_a_worn_flash_is_told(bench):
    bench.flash.wear(LAYOUT.code.at + 40, 0x10)
    bench.flash.wear(0x10030, 0x01)
    result = bench.run(bench.plug_in())
    assert result["state"] == "failed" and "does not hold what was written" in result["error"]
    assert parse_table(bench.content()[TABLE_AT : TABLE_AT + 0x1000]) is None


def test_a_damaged_block_does_not_get_through(bench):
    result = bench.run(bench.plug_in("corrupt-block=1"))
    assert result["state"] in ("written", "failed")
    if result["state"] == "failed":
        assert result["hint"]
        assert bench.run(bench.plug_in())["state"] == "written"
    app = parse_image(IMAGE, "x").part(0x10000, 0x200000)
    assert bench.content()[0x10000 : 0x10000 + len(app)] == app


# the command


def command(folder: Path, *ports: str, **changes) -> list:
    options = {
        "board": "esp32-devkitc", "nodes": folder / "nodes", "firmware": folder / "mp.bin",
        "wait": 0, **changes,
    }  # fmt: skip
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    ports = [word for port in ports for word in ("--port", port)]
    return [sys.executable, "-m", "host_tools.cli", "flash", "--json", *words, *ports]


def environment(folder: Path, **more) -> dict:
    names = {"LAMPPOST_WIFI_SSID": WIFI[0], "LAMPPOST_WIFI_PASSWORD": WIFI[1]}
    return {**os.environ, **QUICK, **names, "XDG_STATE_HOME": str(folder / "state"), **more}


def canaries(parts) -> list[bytes]:
    """Every secret of a node, in the forms in which it might show."""
    ticket = parts.ticket
    secrets = [ticket.seal, ticket.receipt, ticket.command, parts.identity.der()[1][-40:]]
    secrets.append(WIFI[1].encode())
    forms = [form(one) for one in secrets for form in (bytes, _hex, base64.b64encode, _repr)]
    return [form for form in forms if len(form) >= 12]


def _hex(data: bytes) -> bytes:
    return data.hex().encode()


def _repr(data: bytes) -> bytes:
    return repr(data)[2:-1].encode()


class Spy(threading.Thread):
    """Looks at what every user of the machine may see, and at the folder of temporary files."""

    PROGRAMS = (b"esptool",)  # whose variables are looked at, too

    def __init__(self, temporary: Path):
        super().__init__(daemon=True)
        self.seen = []
        self.looks = self.files = 0
        self._temporary = temporary
        self.over = False

    def run(self):
        while not self.over:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                self._look(path)
                if any(name in self.seen[-1] for name in self.PROGRAMS):
                    self.looks += 1
                    self._look(path.with_name("environ"))
            for path in self._temporary.rglob("*"):
                if path.is_file():
                    self.files += 1
                    self._look(path)
            time.sleep(0.02)

    def _look(self, path: Path):
        try:
            self.seen.append(path.read_bytes())
        except OSError:
            self.seen.append(b"")


def test_no_key_is_seen_from_outside(bench, tmp_path):
    (tmp_path / "mp.bin").write_bytes(IMAGE)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    spy = Spy(temporary)
    spy.start()
    words = [*command(tmp_path, bench.plug_in()), "--manual"]
    environ = environment(tmp_path, TMPDIR=str(temporary))
    done = subprocess.run(words, env=environ, capture_output=True)
    spy.over = True
    spy.join()
    assert done.returncode == 0, done.stderr
    assert spy.looks > 5, "esptool was not looked at"
    seen = {*spy.seen, done.stdout, done.stderr}
    for canary in canaries(bench.parts[0]):
        assert not any(canary in text for text in seen)
    assert not list(temporary.rglob("*"))
    assert any(canary in bench.content() for canary in canaries(bench.parts[0])), "blind"


def test_where_there_is_no_memfd_the_files_are_private_and_go(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with secret_files([b"key" * 10]) as (paths, fds):
        (path,) = map(Path, paths)
        assert fds == [] and path.read_bytes() == b"key" * 10
        assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    with pytest.raises(RuntimeError), secret_files([b"key"]) as (paths, fds):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_several_boards_at_once_are_several_nodes(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    benches = [Bench(folder) for folder in folders]
    benches[1].chip = dataclasses.replace(
        benches[1].chip, registers={**benches[1].chip.registers, 0x3FF5_A004: 0x5000_0002}
    )
    try:
        prepare(tmp_path / "nodes", "air", "air")
        (tmp_path / "mp.bin").write_bytes(IMAGE)
        ports = [bench.plug_in() for bench in benches]
        nowhere = "/dev/lamppost-has-no-such-port"
        words = [*command(tmp_path, *ports, nowhere), "--manual"]
        done = subprocess.run(words, env=environment(tmp_path), capture_output=True, text=True)
        boards = json.loads(done.stdout)["boards"]
        assert done.returncode == 1
        assert [board["state"] for board in boards] == ["written", "written", "failed"], boards
        assert {board["node"] for board in boards[:2]} == {"0000000000", "0000000001"}
        assert "no such port" in boards[2]["error"]
    finally:
        for bench in benches:
            bench.close()


def test_the_image_of_another_chip_is_refused_before_a_board_is_looked_at(tmp_path):
    prepare(tmp_path / "nodes", "air")
    (tmp_path / "mp.bin").write_bytes(micropython("esp32s3", size=3000))
    words = command(tmp_path, "/dev/null")
    done = subprocess.run(words, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 1 and "is for esp32s3" in done.stderr and "hint: " in done.stderr


def test_a_node_starts_and_says_that_all_is_well(tmp_path):
    """The new Wi-Fi comes over the network, with reset lines: then the node itself, at a broker
    with mutual TLS. All else was written at a terminal, which is quick."""
    try:
        micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    prepare(tmp_path / "nodes", "air")
    authority = prepared_fixture.authority()
    authority.save(tmp_path, "ca")
    authority.issue("broker", "broker", ["broker.test"]).save(tmp_path, "broker")
    (tmp_path / "mp.bin").write_bytes(IMAGE)
    broker = EmbeddedBroker(*[tmp_path / name for name in ("ca.pem", "broker.pem", "broker.key")])
    host, port = broker.start()
    flash = ("--flash", tmp_path / "flash.bin")
    options = ("--rfc2217", 0, "--broker", f"{host}:{port}", "--speed", 5, *flash)
    other = environment(tmp_path, LAMPPOST_WIFI_PASSWORD="of another day")
    try:
        with RunningBoard("--pty", *flash) as board:
            words = [*command(tmp_path, board.port, kit="air"), "--manual"]
            subprocess.run(words, env=other, check=True)
        with RunningBoard(*options) as board:
            words = command(tmp_path, board.port, kit="air", wait=120)
            done = subprocess.run(words, env=environment(tmp_path), capture_output=True, text=True)
    finally:
        broker.stop()
    with RunningBoard("--rfc2217", 0, "--speed", 0.1, *flash) as board:
        stop_node(board.port)
        code, listing = mpremote(board.port, "resume", "fs", "ls")
    (result,) = json.loads(done.stdout)["boards"]
    assert done.returncode == 0 and result["state"] == "done", (result, done.stderr)
    assert result["written"] == ["firmware"]
    checks = result["self_test"]["checks"]
    assert set(checks) == {"bme280", "scd41", "pms5003", "wifi", "time", "tls"}
    assert all(check["state"] == "ok" for check in checks.values())
    names = {line.split()[-1] for line in listing.splitlines()}
    assert code == 0 and {"boot.py", "main.py", "lp/", "node/"} <= names, listing


def test_the_doctor_knows_a_board(bench):
    port = bench.plug_in()
    found = {finding.what: finding for finding in examine((port,), None, manual=True)}
    assert "ESP32-D0WD-V3" in found["board"].words and "4096 KiB" in found["board"].words
    assert found["eFuses"].state == OK and "can become a node" in found["flash"].words
    assert bench.run(port)["state"] == "written"
    found = {finding.what: finding for finding in examine((bench.plug_in(),), None, manual=True)}
    assert found["flash"].words == "a node is on it"
