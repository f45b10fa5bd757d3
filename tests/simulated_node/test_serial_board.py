# SPDX-License-Identifier: MIT
"""A board at the end of a serial line, as esptool and mpremote find it: unmodified programs, each
a process of its own, on free ports."""

import re
import time

import pytest
import serial

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.provisioning.node_flash import flash_image
from simulator.node_image import Image
from simulator.serial_board.chips import CHIPS
from simulator.world.broker_embedded import EmbeddedBroker
from tests.bench.flash_image import app_image, flash_content, write_flash
from tests.simulated_node.serial_board import (
    RunningBoard,
    esptool,
    esptool_on_pty,
    made_node,
    mpremote,
    reset,
    run_program,
    stop_node,
    vfs_of_a_board,
)

APP_AT = 0x10000
MIB = 1024 * 1024
SLOW = 0.1  # a node's window for maintenance is open for half a minute
UNUSABLE = "what describes the node cannot be used"
BOARDS = {
    "esp32-devkitc": "ESP32-D0WD-V3 (revision v3.1)",
    "esp32-s3-devkitc": "ESP32-S3 (QFN56) (revision v0.2)",
    "esp32-c3-devkitm": "ESP32-C3 (QFN32) (revision v0.4)",
    "esp32-c6-devkitc": "ESP32-C6 (QFN40) (revision v0.1)",
}


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_has_the_address_that_it_is_given(name):
    with RunningBoard("--pty", "--board", name, "--mac", "02:4c:50:ab:cd:0e") as board:
        code, text = esptool_on_pty(board.port, "read-mac")
    assert code == 0 and "02:4c:50:ab:cd:0e" in text, text


def test_the_images_of_these_tests_are_valid_to_esptool(app):
    code, text = run_program("esptool", "image-info", app)
    assert code == 0 and text.count("(valid)") == 2, text
    assert "Project name: micropython" in text


@pytest.fixture
def micropython():
    try:
        return micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")


@pytest.fixture
def app(tmp_path):
    path = tmp_path / "app.bin"
    path.write_bytes(app_image(0, 60_000))
    return path


def listen(port: str, until: str, within_s: float = 60) -> str:
    """What comes on the serial line, up to `until`."""
    heard = ""
    with serial.serial_for_url(port, baudrate=115_200, timeout=0.2) as line:
        end = time.monotonic() + within_s
        while until not in heard and time.monotonic() < end:
            heard += line.read(4096).decode(errors="replace")
    assert until in heard, heard
    return heard


@pytest.mark.parametrize("name", BOARDS)
def test_a_chip_is_known_and_its_flash_written_by_the_stub_and_by_the_rom(name, tmp_path):
    data = tmp_path / "data.bin"
    data.write_bytes(bytes(range(256)) * 64)
    flash = tmp_path / "flash.bin"
    with RunningBoard("--pty", "--board", name, "--flash", flash) as board:
        code, text = esptool_on_pty(board.port, "flash-id")
        assert code == 0, text
        assert BOARDS[name] in text and "02:4c:50:00:00:01" in text
        assert f"Detected flash size: {flash.stat().st_size // MIB}MB" in text
        for at, loader in ((0x3000, ()), (0x20000, ("--no-stub",))):
            code, text = esptool_on_pty(board.port, *loader, "write-flash", hex(at), data)
            assert code == 0 and "Hash of data verified" in text, text
    assert board.returncode == 0, board.errors
    content = flash.read_bytes()
    assert content[0x3000:0x7000] == content[0x20000:0x24000] == data.read_bytes()
    assert content[:0x3000].count(0xFF) == 0x3000


def test_what_is_written_is_read_verified_and_erased(app, tmp_path):
    copy = tmp_path / "copy.bin"
    size = app.stat().st_size
    with RunningBoard("--pty") as board:
        for way in ("--compress", "--no-compress"):
            assert esptool_on_pty(board.port, "write-flash", way, APP_AT, app)[0] == 0
            assert esptool_on_pty(board.port, "verify-flash", APP_AT, app)[0] == 0
        assert esptool_on_pty(board.port, "read-flash", APP_AT, size, copy)[0] == 0
        assert copy.read_bytes() == app.read_bytes()
        assert esptool_on_pty(board.port, "erase-region", APP_AT + 0x1000, 0x1000)[0] == 0
        code, text = esptool_on_pty(board.port, "verify-flash", APP_AT, app)
        assert code != 0 and "digest mismatch" in text
        assert esptool_on_pty(board.port, "erase-flash")[0] == 0
        assert esptool_on_pty(board.port, "read-flash", APP_AT, size, copy)[0] == 0
        assert copy.read_bytes().count(0xFF) == size


def test_a_node_is_flashed_over_the_network_boots_and_answers(tmp_path, micropython):
    node = made_node(tmp_path)
    flash, built = tmp_path / "flash.bin", tmp_path / "built.bin"
    write_flash(built, flash_content(CHIPS["esp32"].bootloader_at, 0, node), 4 * MIB)
    hello = tmp_path / "hello.py"
    hello.write_text("print('hello ' + 'there')\n")
    with RunningBoard("--rfc2217", 0, "--flash", flash, "--speed", 60) as board:
        code, text = esptool(board.port, "--baud", 460_800, "write-flash", 0, built)
        assert code == 0 and "Hash of data verified" in text, text
        assert "Hard resetting via RTS pin" in text
        # It runs by now: RTS was let go while DTR was.
        assert "samples=" in listen(board.port, "status ")
    assert board.returncode == 0, board.errors
    with RunningBoard("--rfc2217", 0, "--flash", flash, "--speed", SLOW) as board:
        stop_node(board.port)
        code, text = mpremote(board.port, "fs", "ls")
        assert code == 0 and "config.json" in text and "policy.key" in text, text
        assert mpremote(board.port, "fs", "cp", hello, ":hello.py")[0] == 0
        assert mpremote(board.port, "exec", "import hello") == (0, "hello there\n")
        code, text = mpremote(board.port, "exec", "open('/data/../etc/passwd')")
        assert code == 1 and "OSError" in text, text
        assert mpremote(board.port, "reset")[0] == 0
    assert board.returncode == 0, board.errors
    path = tmp_path / "vfs.img"
    path.write_bytes(flash.read_bytes()[0x200000:0x300000])
    assert Image(path).read("hello.py") == hello.read_bytes()
    path.write_bytes(flash.read_bytes()[0x300000:0x400000])
    assert "outbox" in Image(path).fs.listdir("/"), "the node wrote to its flash"


def test_the_code_that_was_flashed_is_what_runs(tmp_path, micropython):
    node, flash = made_node(tmp_path), tmp_path / "flash.bin"
    main = "print('flashed ' + 'main')\nfrom node.app import run\nrun()\n"
    content = flash_content(0x1000, 0, node)
    content[0x200000] = vfs_of_a_board(node, main)
    write_flash(flash, content, 4 * MIB)
    with RunningBoard("--rfc2217", 0, "--flash", flash, "--speed", 60) as board:
        with serial.serial_for_url(board.port, baudrate=115_200, timeout=30) as line:
            reset(line)
            line.read_until(b"rst:0x1")
            heard = line.read_until(b"samples=")
        assert b"flashed main" in heard and heard.endswith(b"samples="), heard
    with RunningBoard("--rfc2217", 0, "--flash", flash, "--speed", SLOW) as board:
        stop_node(board.port)
        code, text = mpremote(board.port, "exec", "import node; print(node.__path__)")
        assert code == 0 and not text.startswith("/.sim"), text
        code, text = mpremote(board.port, "fs", "ls", ":lp")
        assert code == 0 and "config.json" in text, text


def test_a_board_without_a_node_is_a_micropython_board(tmp_path, micropython):
    flash = tmp_path / "flash.bin"
    write_flash(flash, flash_content(0x1000, 0), 4 * MIB)
    with RunningBoard("--rfc2217", 0, "--flash", flash) as board:
        assert mpremote(board.port, "eval", "6 * 7") == (0, "42\n")
        code, text = mpremote(board.port, "exec", "import os; print(os.listdir('/'))")
        assert code == 0 and "bin" not in text, "the computer's own files are seen"
        code, text = mpremote(board.port, "exec", "x = 1", "exec", "print(x)", "soft-reset",
                              "exec", "print('x' in globals())")  # fmt: skip
        assert (code, text) == (0, "1\nFalse\n")


@pytest.mark.parametrize(
    ("vfs", "said"),
    [
        ({"config.json": b"[1, 2]"}, ""),
        ({"config.json": b'{"wifi": 1}'}, UNUSABLE),
        ({"config.json": b"{}", "kit.json": b'{"sensors": [{}]}'}, UNUSABLE),
        (None, ""),  # no LittleFS
    ],
)
def test_a_flash_that_describes_no_node_gives_the_repl(vfs, said, tmp_path, micropython):
    flash = tmp_path / "flash.bin"
    content = flash_content(0x1000, 0)
    rest = (4 * MIB - 0x20000) // 4096
    content[0x20000] = bytes(4096) if vfs is None else flash_image(vfs, rest)
    write_flash(flash, content, 4 * MIB)
    with RunningBoard("--rfc2217", 0, "--flash", flash) as board:
        assert mpremote(board.port, "eval", "6 * 7") == (0, "42\n")
        with serial.serial_for_url(board.port, baudrate=115_200, timeout=10) as line:
            reset(line)
            assert said in line.read_until(b">>> ").decode()


def test_a_pseudo_terminal_waits_for_download_until_it_is_told_to_run(tmp_path, micropython):
    flash = tmp_path / "flash.bin"
    write_flash(flash, flash_content(0x1000, 0), 4 * MIB)
    with RunningBoard("--pty", "--flash", flash) as board:
        assert esptool_on_pty(board.port, "--no-stub", "run")[0] == 0
        assert mpremote(board.port, "eval", "6 * 7") == (0, "42\n")


def test_a_reset_by_rts_alone_boots_what_is_flashed(tmp_path):
    with (
        RunningBoard("--rfc2217", 0) as board,
        serial.serial_for_url(board.port, baudrate=115_200, timeout=2) as line,
    ):
        reset(line)
        heard = line.read_until(b"invalid header: 0xffffffff")
        assert re.search(rb"rst:0x1 \(POWERON_RESET\),boot:0x13", heard), heard
        assert heard.endswith(b"invalid header: 0xffffffff"), heard
        line.rts, line.dtr = True, False
        line.dtr = True  # as classic reset does, with the network's delay in between
        line.rts = False
        assert b"waiting for download" in line.read_until(b"waiting for download")


def test_a_loop_that_was_typed_is_interrupted(tmp_path, micropython):
    flash = tmp_path / "flash.bin"
    write_flash(flash, flash_content(0x1000, 0), 4 * MIB)
    with (
        RunningBoard("--rfc2217", 0, "--flash", flash) as board,
        serial.serial_for_url(board.port, baudrate=115_200, timeout=20) as line,
    ):
        line.write(b"\r\x03")
        assert line.read_until(b">>> ").endswith(b">>> ")
        line.write(b"while True: pass\r")
        assert line.read_until(b"pass\r\n")
        time.sleep(0.3)
        line.write(b"\x03")
        heard = line.read_until(b">>> ")
        assert b"KeyboardInterrupt" in heard and heard.endswith(b">>> ")
        line.write(b"import time; time.sleep(1); print(5 * 5)\r")
        assert b"25\r\n>>> " in line.read_until(b"25\r\n>>> ")


def test_a_node_reaches_the_broker_that_was_named(tmp_path, micropython):
    node, flash, heard = made_node(tmp_path), tmp_path / "flash.bin", []
    write_flash(flash, flash_content(0x1000, 0, node), 4 * MIB)
    tls = tmp_path / "city" / "tls"
    names = (tls / name for name in ("ca.pem", "broker.pem", "broker.key"))
    broker = EmbeddedBroker(*names, lambda topic, payload: heard.append(topic), 100)
    host, port = broker.start()
    try:
        with RunningBoard("--rfc2217", 0, "--flash", flash, "--broker", f"{host}:{port}"):
            end = time.monotonic() + 60
            while not heard and time.monotonic() < end:
                time.sleep(0.2)
    finally:
        broker.stop()
    assert heard and heard[0] == f"lp/{node.name}/up"


def test_bytes_take_their_time_when_they_are_asked_to(app):
    with RunningBoard("--pty", "--pace") as board:
        code, text = esptool_on_pty(board.port, "write-flash", "-u", APP_AT, app)
    assert code == 0, text
    rate = float(re.search(r"\(([\d.]+) kbit/s\)", text)[1])
    assert rate < 115.2 * 8 / 10


# faults


def test_fault_wrong_chip():
    with RunningBoard("--pty", "--fault", "wrong-chip") as board:
        code, text = esptool_on_pty(board.port, "--chip", "esp32", "chip-id")
    assert code != 0 and "This chip is ESP32-S3, not ESP32" in text, text


def test_fault_small_flash(app):
    with RunningBoard("--pty", "--fault", "small-flash") as board:
        code, text = esptool_on_pty(board.port, "write-flash", 0xFF000, app)
    assert code != 0 and "will not fit in 1048576 bytes of flash" in text, text


def test_fault_corrupt_block_is_sent_again(app):
    with RunningBoard("--pty", "--fault", "corrupt-block=2") as board:
        code, text = esptool_on_pty(board.port, "--trace", "write-flash", APP_AT, app)
    assert code == 0 and "Hash of data verified" in text
    assert "block write failed" in text


def test_fault_stuck_bit_is_found(app):
    at = next(i for i, byte in enumerate(app.read_bytes()) if i > 0x800 and byte & 1)
    with RunningBoard("--pty", "--fault", f"stuck-bit={APP_AT + at}") as board:
        code, text = esptool_on_pty(board.port, "write-flash", APP_AT, app)
    assert code != 0 and "MD5 of file does not match" in text, text


def test_fault_cable_out_leaves_half_a_write(app, tmp_path):
    flash = tmp_path / "flash.bin"
    with RunningBoard("--pty", "--fault", "cable-out=50", "--flash", flash) as board:
        code, text = esptool_on_pty(board.port, "write-flash", "--no-compress", APP_AT, app)
    assert code != 0, text
    assert board.returncode == 0 and "the cable came out" in board.errors
    written = flash.read_bytes()[APP_AT : APP_AT + app.stat().st_size]
    assert written[:0x8000] == app.read_bytes()[:0x8000]
    assert written[0x8000:].count(0xFF) == len(written) - 0x8000


def test_fault_port_busy():
    with RunningBoard("--rfc2217", 0, "--fault", "port-busy") as board:
        code, text = esptool(board.port, "chip-id")
    assert code != 0 and "Could not open" in text, text


def test_a_port_is_for_one_program_at_a_time():
    with (
        RunningBoard("--rfc2217", 0) as board,
        serial.serial_for_url(board.port, baudrate=115_200),
        pytest.raises(serial.SerialException),
    ):
        serial.serial_for_url(board.port, baudrate=115_200)


def test_fault_no_boot_mode():
    with RunningBoard("--rfc2217", 0, "--fault", "no-boot-mode") as board:
        code, text = esptool(board.port, "--connect-attempts", 1, "chip-id")
    assert code != 0 and "Wrong boot mode detected (0x13)" in text, text
