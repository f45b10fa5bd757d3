# SPDX-License-Identifier: MIT
"""Gives the firmware, and only the firmware, MicroPython's world on CPython.

The packages node and umqtt, boot.py and main.py run with their own `__import__` and `open`: they
import our time, socket, os, machine … and see the simulated flash. The rest of the process, its
libraries included, keeps CPython's own modules.
"""

import builtins
import importlib
import importlib.abc
import importlib.machinery
import sys
from pathlib import Path

_HERE = "simulator.hal.on_cpython."
# What the firmware imports: the module it gets.
LOOK_ALIKES = {
    "time": "simulator.hal.ticks",
    "utime": "simulator.hal.ticks",
    "machine": "simulator.hal.machine",
    "network": "simulator.hal.network",
    "esp32": "simulator.hal.esp32",
    "onewire": "simulator.hal.onewire",
    "bluetooth": "simulator.hal.bluetooth",
    "os": _HERE + "os",
    "uos": _HERE + "os",
    "socket": _HERE + "socket",
    "usocket": _HERE + "socket",
    "select": _HERE + "select",
    "tls": _HERE + "tls",
    "vfs": _HERE + "vfs",
    "cryptolib": _HERE + "cryptolib",
    "gc": _HERE + "gc",
    "micropython": _HERE + "micropython",
    "ustruct": "struct",
    "ubinascii": "binascii",
}
FIRMWARE_PACKAGES = ("node", "umqtt")


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0 and name in LOOK_ALIKES:
        return importlib.import_module(LOOK_ALIKES[name])
    return builtins.__import__(name, globals, locals, fromlist, level)


def firmware_builtins() -> dict:
    """The builtins of firmware modules."""
    from simulator.hal.on_cpython import micropython
    from simulator.hal.on_cpython import os as flash_os

    changed = {"__import__": _import, "open": flash_os.open, "ptr32": micropython.ptr32}
    return {**vars(builtins), **changed}


class _FirmwareLoader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        module.__dict__["__builtins__"] = firmware_builtins()
        super().exec_module(module)


class _FirmwareFinder(importlib.abc.MetaPathFinder):
    """Finds the firmware's packages below the given folders, and loads them with our builtins."""

    def __init__(self, roots):
        self._roots = [str(root) for root in roots]

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in FIRMWARE_PACKAGES:
            return None
        details = (_FirmwareLoader, importlib.machinery.SOURCE_SUFFIXES)
        for root in path or self._roots:
            spec = importlib.machinery.FileFinder(root, details).find_spec(fullname)
            if spec is not None:
                return spec
        return None


def install(*roots: Path):
    """Makes the packages below `roots` importable as firmware. Call before any is imported."""
    if any(name.partition(".")[0] in FIRMWARE_PACKAGES for name in sys.modules):
        raise RuntimeError("a firmware package is loaded already")
    sys.meta_path.insert(0, _FirmwareFinder(roots))


def run_file(path: Path):
    """Runs boot.py or main.py as the board does after a reset."""
    code = compile(path.read_text(), str(path), "exec")
    exec(code, {"__name__": "__main__", "__builtins__": firmware_builtins()})
