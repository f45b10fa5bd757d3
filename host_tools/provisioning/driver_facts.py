# SPDX-License-Identifier: MIT
"""What a driver's source says of itself. It is read, not run: drivers are for boards."""

import ast
import importlib.util
from pathlib import Path

from node.drivers.registry import PARTS

# Options of optical particle sensors on a UART, for pipeline/particles.py and not their drivers.
PARTICLE_OPTIONS = ("slope_permille", "intercept_ngm3", "correction", "duty")


class DriverFacts:
    """part: one of the registry. name: of its class; watches: it has poll(); options: names of
    what it takes; the rest is as its class says."""

    def __init__(self, part: str):
        self.part = part
        tree = ast.parse((drivers_folder() / f"{part}.py").read_bytes())
        self.name = PARTS[part][0]
        classes = {item.name: item for item in tree.body if isinstance(item, ast.ClassDef)}
        self._values, methods = {}, {}
        self._collect(classes, self.name, methods)
        self.doc = (ast.get_docstring(tree) or "").strip()
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

    def _collect(self, classes: dict, name: str, methods: dict):
        """Values and methods of the class and of those that it derives from, its own last."""
        for base in classes[name].bases:
            if isinstance(base, ast.Name) and base.id in classes:
                self._collect(classes, base.id, methods)
            elif isinstance(base, ast.Name):
                self._collect(_imported(classes, base.id, self.part), base.id, methods)
        for item in classes[name].body:
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


def _imported(classes: dict, name: str, part: str) -> dict:
    """The classes of the module beside it that `part` takes the class `name` from."""
    tree = ast.parse((drivers_folder() / f"{part}.py").read_bytes())
    for item in tree.body:
        if isinstance(item, ast.ImportFrom) and name in [alias.name for alias in item.names]:
            path = drivers_folder() / (item.module.rpartition(".")[2] + ".py")
            other = ast.parse(path.read_bytes())
            return {one.name: one for one in other.body if isinstance(one, ast.ClassDef)}
    raise AttributeError(f"{part}: where {name} is from is not known")
