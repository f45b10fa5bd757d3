# SPDX-License-Identifier: MIT
"""How much of a board's heap a kit needs, from the size of the compiled drivers.

tests/bench/drivers.py measures what each driver takes on a 32-bit MicroPython, in the same run as
this estimate, which must be above it.
"""

import ast
import functools

from host_tools.provisioning.driver_facts import DriverFacts, drivers_folder
from host_tools.provisioning.firmware import compile_tree, firmware_sources
from host_tools.provisioning.python_tree import python_tree

_NODE_BYTES = 70 * 1024  # without drivers: tests.bench heap, less the drivers of the air kit
_PER_MPY_BYTE = 2.0
_PER_DRIVER_BYTES = 4096  # its object, buffers, the readings under way
_NATIVE_BYTES = 8192  # blocks of sound, histogram, and machine code, which is larger


def heap_need_kib(kit: dict) -> int:
    """KiB of heap that a node of this kit needs at most."""
    modules, parts = set(), {entry["part"] for entry in kit["sensors"]}
    for part in parts:
        modules |= driver_modules(part)
    need = _NODE_BYTES + len(kit["sensors"]) * _PER_DRIVER_BYTES
    need += sum(_PER_MPY_BYTE * mpy_bytes(module) for module in modules)
    need += sum(_NATIVE_BYTES for part in parts if DriverFacts(part).native)
    return -(-int(need) // 1024)


def driver_need_bytes(part: str) -> int:
    """Of one driver alone."""
    need = sum(_PER_MPY_BYTE * mpy_bytes(module) for module in driver_modules(part))
    return int(need) + _PER_DRIVER_BYTES


@functools.cache
def driver_modules(part: str) -> frozenset[str]:
    """The driver's module and those beside it that it imports."""
    found, todo = set(), [part]
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += _beside(module)
    return frozenset(found)


def _beside(module: str) -> list[str]:
    tree = python_tree((drivers_folder() / f"{module}.py").read_bytes())
    names = [item.module for item in ast.walk(tree) if isinstance(item, ast.ImportFrom)]
    return [name.rpartition(".")[2] for name in names if name.startswith("node.drivers.")]


@functools.cache
def mpy_bytes(module: str) -> int:
    """The size of a driver module, compiled as for a board."""
    tree = compile_tree(firmware_sources(), "xtensawin")
    return (tree / "node" / "drivers" / f"{module}.mpy").stat().st_size
