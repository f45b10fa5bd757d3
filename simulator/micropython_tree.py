# SPDX-License-Identifier: MIT
"""The folder that a simulated node on MicroPython runs from: everything compiled to .mpy.

The firmware is compiled by the very step that flashing uses; look-alikes, buses and chips lie
beside it, those that replace a module of MicroPython's under that module's name.
"""

import subprocess
from pathlib import Path

from host_tools.child_environment import child_environment
from host_tools.provisioning.firmware import compile_tree, firmware_sources
from host_tools.umqtt_source import umqtt_path

_SIMULATOR = Path(__file__).parent
# Found by path before MicroPython's own, or where it has none.
_BY_PATH = ("machine", "network", "esp32", "onewire", "bluetooth")
_REPLACED = ("time", "socket", "select")
_PARTS = ("hal", "hal/on_micropython", "buses", "chips")


# What sys.implementation._mpy says: the name that mpy-cross has for it. Machine code that reads
# 32-bit words with their sign needs a 32-bit MicroPython, as a board has.
_NATIVE = {1: "x86"}


def micropython_tree(micropython: str | None = None) -> Path:
    """Makes the folder (cached by content) and returns it: where a node process runs. micropython:
    the program, or None for one of 32 bits."""
    sources = dict(firmware_sources())
    sources["umqtt/simple.py"] = umqtt_path() / "umqtt" / "simple.py"
    for name in ("__init__.py", "node_process.py"):
        sources[f"simulator/{name}"] = _SIMULATOR / name
    for part in _PARTS:
        for path in sorted((_SIMULATOR / part).glob("*.py")):
            sources[f"simulator/{part}/{path.name}"] = path
    for name in ("__init__.py", "flash.py"):
        sources[f"simulator/world/{name}"] = _SIMULATOR / "world" / name
    for name in ("__init__.py", "interrupt_key.py", "repl_loop.py"):
        sources[f"simulator/serial_board/{name}"] = _SIMULATOR / "serial_board" / name
    for name in _BY_PATH:
        sources[f"{name}.py"] = _SIMULATOR / "hal" / f"{name}.py"
    for name in _REPLACED:
        sources[f"{name}.py"] = _SIMULATOR / "hal" / "on_micropython" / f"{name}.py"
    return compile_tree(sources, "x86" if micropython is None else _native(micropython))


def _native(micropython: str) -> str | None:
    code = "import sys; print(sys.implementation._mpy >> 10)"
    done = subprocess.run(
        [micropython, "-c", code], env=child_environment(), capture_output=True, text=True
    )
    return _NATIVE.get(int(done.stdout)) if done.stdout.strip().isdigit() else None


def micropython_command(micropython: str, heap: str, tree: Path, code: str) -> list:
    """The command line that runs `code` with the modules of `tree`, and no others.

    It runs within the tree, as a board runs within its flash: every module keeps its path in the
    heap, and the sources of this project, which may lie in the present folder, are not taken.
    """
    begin = f"import uos; uos.chdir({str(tree)!r})"
    return [micropython, "-X", f"heapsize={heap}", "-c", f"{begin}; {code}"]


def micropython_environment() -> dict:
    """The environment of such a process: no other folder is searched."""
    return child_environment(MICROPYPATH=".frozen")
