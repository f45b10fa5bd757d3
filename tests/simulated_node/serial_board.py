# SPDX-License-Identifier: MIT
"""`lamppost sim board` as a process, and other people's programs that speak with it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import serial

from tests.bench.mqtt import ROOT

WITHIN_S = 120
QUICK = {"PYTHONPATH": str(ROOT / "tests" / "quick_rfc2217")}  # see there


class RunningBoard:
    """A context manager; port: what esptool and mpremote are told."""

    def __init__(self, *options):
        command = [sys.executable, "-m", "host_tools.cli", "sim", "board", "--json", *options]
        self._process = subprocess.Popen(
            [str(word) for word in command], cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        first = self._process.stdout.readline()
        assert first, self._process.communicate()[1]
        self.port = json.loads(first)["port"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self.returncode, self.errors = None, None
        try:
            _, self.errors = self._process.communicate(timeout=30)
        finally:
            self._process.kill()
            self.returncode = self._process.wait()


def run_program(module: str, *words) -> tuple[int, str]:
    """The exit code of an unmodified program, and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *[str(word) for word in words]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=WITHIN_S, errors="replace", env={**os.environ, **QUICK},
    )  # fmt: skip
    return done.returncode, done.stdout


def esptool(port: str, *words) -> tuple[int, str]:
    return run_program("esptool", "--port", port, *words)


def esptool_on_pty(port: str, *words) -> tuple[int, str]:
    """A pseudo-terminal has no lines to reset by."""
    return esptool(port, "--before", "no-reset", "--after", "no-reset", *words)


def mpremote(port: str, *words) -> tuple[int, str]:
    return run_program("mpremote", "connect", port, *words)


def reset(line):
    """By RTS alone, as by the button EN; line: of pyserial."""
    line.dtr, line.rts = False, True
    line.rts = False


def restart(line):
    """Resets, and drops what the board said before."""
    reset(line)
    assert line.read_until(b"rst:0x1 (").endswith(b"rst:0x1 (")


def stop_node(port: str):
    """Resets a node, and stops it within its window for maintenance."""
    with serial.serial_for_url(port, baudrate=115_200, timeout=WITHIN_S) as line:
        restart(line)
        assert line.read_until(b"maintenance: ").endswith(b"maintenance: ")
        line.write(b"\x03")
        assert line.read_until(b">>> ").endswith(b">>> ")


def vfs_of_a_board(node: Path, main: str | None = None, other: dict | None = None) -> bytes:
    """The partition `vfs` as it lies on a board: main.py, the compiled firmware, and lp/. main:
    another main.py; other: {path: content} of other files."""
    from littlefs import LittleFS

    from host_tools.provisioning.firmware import compile_tree, firmware_sources
    from host_tools.umqtt_source import umqtt_path
    from simulator.node_image import Image

    sources = dict(firmware_sources())
    sources["umqtt/simple.py"] = umqtt_path() / "umqtt" / "simple.py"
    folder = compile_tree(sources, None)
    fs = LittleFS(block_size=4096, block_count=256, read_size=32, prog_size=32, lookahead_size=32)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}
    config = Image(node / "flash.img")
    files.update({f"lp/{name}": config.read(name) for name in config.fs.listdir("/")})
    if main is not None:
        files["main.py"] = main.encode()
    files.update(other or {})
    for name, data in files.items():
        fs.makedirs(str(Path(name).parent), exist_ok=True)
        with fs.open(name, "wb") as file:
            file.write(data)
    fs.unmount()
    return bytes(fs.context.buffer)


def made_node(folder: Path) -> Path:
    """The folder with the partitions of a node of its own city."""
    import time

    from host_tools.policy.compile_policy import compile_policy
    from host_tools.provisioning.kit import load_board, load_kit
    from simulator.city_folder import BROKER_NAME, CityFolder

    board = load_board("esp32-devkitc")
    kit = load_kit("air", board)
    city = CityFolder(folder / "city")
    city.lock()
    try:
        wanted = [(kit, compile_policy(kit.policy_path, kit))]
        (node,) = city.nodes(wanted, board, int(time.time()), BROKER_NAME, None)
    finally:
        city.close()
    return folder / "city" / "nodes" / node.node_id
