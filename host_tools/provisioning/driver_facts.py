# SPDX-License-Identifier: MIT
"""What a driver's source says of itself. It is read, not run: drivers are for boards."""

import ast
import importlib.util
from pathlib import Path

from host_tools.provisioning.python_tree import python_tree
from node.drivers.registry import PARTS

# Options of optical particle sensors on a UART, for pipeline/particles.py and not their drivers.
PARTICLE_OPTIONS = ("slope_permille", "intercept_ngm3", "correction", "duty")


class DriverFacts:
    """part: one of the registry. name: of its class; watches: it has poll(); options: names of
    what it takes; the rest is as its class says."""

    def __init__(self, part: str):
        self.part = part
        self.name = PARTS[part][0]
        self._values, methods = {}, {}
        self._collect(part, self.name, methods)
        self.doc = (ast.get_docstring(_tree(part)) or "").strip()
        self.bus = self._values["BUS"]
        self.quantities = self._values["QUANTITIES"]
        self.interval_s = self._values["INTERVAL_S"]
        self.addresses = self._values["ADDRESSES"] if self.bus == "i2c" else ()
        self.baud = self._values.get("BAUD")
        self.native = self._values.get("NATIVE", False)
        self.watches = "poll" in methods
        init = methods["__init__"].args
        self.options = tuple(argument.arg for argument in init.args[2:])
        if self.bus == "uart" and "pm2_5_ngm3" in self.quantities:
            self.options += PARTICLE_OPTIONS

    def _collect(self, module: str, name: str, methods: dict):
        """Values and methods of the class and of those that it derives from, its own last."""
        found = _class(module, name)
        for base in found.bases:
            if isinstance(base, ast.Name):
                self._collect(_home(module, base.id), base.id, methods)
        for item in found.body:
            if isinstance(item, ast.Assign):
                try:
                    self._values[item.targets[0].id] = ast.literal_eval(item.value)
                except ValueError:
                    continue
            elif isinstance(item, ast.FunctionDef):
                methods[item.name] = item

    def measures(self) -> str:
        return ", ".join(self.quantities)


def drivers_folder() -> Path:
    return Path(importlib.util.find_spec("node").submodule_search_locations[0]) / "drivers"


def _tree(module: str) -> ast.Module:
    return python_tree((drivers_folder() / f"{module}.py").read_bytes())


def _class(module: str, name: str) -> ast.ClassDef:
    items = _tree(module).body
    return next(item for item in items if isinstance(item, ast.ClassDef) and item.name == name)


def _home(module: str, name: str) -> str:
    """The module in which the class `name` is that `module` uses."""
    for item in _tree(module).body:
        if isinstance(item, ast.ImportFrom) and name in [alias.name for alias in item.names]:
            return item.module.rpartition(".")[2]
    return module
