# SPDX-License-Identifier: MIT
"""Loads a board and a kit, by name or by path, and checks that they fit: nothing is found out on a
ladder."""

import ast
import dataclasses
import importlib.util
import json
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.provisioning.checked import Table, suggestion
from node.drivers.registry import PARTS
from node.pipeline.quantities import QUANTITIES
from node.pipeline.reading import intervals_s

_DAY_S = 86_400
_OUTBOX_KIB = (16, 768)  # LittleFS itself, and what else lies in the 1 MiB, need the rest


@dataclasses.dataclass(frozen=True)
class Kit:
    """data: what is in kit.json; policy_path: the policy.toml that it names."""

    name: str
    path: Path
    data: dict
    policy_path: Path

    def intervals_s(self) -> dict[str, int]:
        """{quantity: how often it is measured}, the node's health included."""
        return intervals_s(self.data)


def node_kit(data: dict) -> dict:
    """kit.json as a node has it: each sensor also names its driver's class, whether it has to be
    watched, and the physical ranges of what is used of it. What does not fit gets no driver: the
    node reports that sensor as a fault."""
    sensors, used = [], _Used()
    for entry in data["sensors"]:
        known = [name for name in entry["quantities"] if name in QUANTITIES]
        more = {"ranges": {name: QUANTITIES[name][2:] for name in known}}
        try:
            _check_sensor("", entry, None, used)
            driver = _Driver(entry["part"])
            more["driver"] = driver.name
            if driver.watches:
                more["watches"] = True
        except ToolError:
            pass
        sensors.append({**entry, **more})
    return {**data, "sensors": sensors}


def _boards_folder() -> Path:
    # Found without importing it: who only reads a policy of their own does not need it.
    return Path(importlib.util.find_spec("boards").submodule_search_locations[0])


def _names(folder: Path, file: str) -> list[str]:
    return sorted(path.parent.name for path in folder.glob(f"*/{file}"))


def _read_json(path: Path):
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as err:
        message = f"{path}: line {err.lineno}: {err.msg}"
        raise ToolError(message, "it must be JSON") from err
    except RecursionError as err:
        raise ToolError(f"{path} is nested too deep", "see boards/README.md") from err
    except UnicodeDecodeError as err:
        raise ToolError(f"{path} is not UTF-8 text", "it must be JSON") from err
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err


def kit_names() -> list[str]:
    """The kits that come with Lamppost."""
    return _names(_boards_folder() / "kits", "kit.json")


def load_board(name: str) -> dict:
    """The content of a board's board.json."""
    names = _names(_boards_folder(), "board.json")
    if name not in names:
        raise ToolError(f"there is no board {name!r}", suggestion(name, names))
    return _read_json(_boards_folder() / name / "board.json")


def load_kit(name_or_path: str | Path, board: dict | None = None) -> Kit:
    """A kit by name, or by the path of its folder or kit.json; checked, also against `board`."""
    path = _kit_path(str(name_or_path))
    data = _read_json(path)
    keys = ("kit", "title", "policy", "outbox_kib", "sensors")
    table = Table(f"{path}: the kit", data, keys)
    name = table.take("kit", str)
    table.take("title", str, "")
    table.take_int("outbox_kib", *_OUTBOX_KIB)
    buses = None if board is None else board["buses"]
    used = _Used()
    for index, fields in enumerate(table.take("sensors", list), 1):
        place = f"{path}: sensor {index}"
        _check_sensor(place, fields, buses, used)
        if board is not None and _Driver(fields["part"]).native and not board.get("native"):
            message = f"{place} ({fields['part']}) needs machine code, which this board cannot run"
            raise ToolError(message, 'take a board that has "native" in its board.json')
    policy_path = path.parent / table.take("policy", str)
    if not policy_path.is_file():
        raise table.wrong(f"names {policy_path.name}, which is not there", "write the policy")
    return Kit(name, path, data, policy_path)


def _kit_path(text: str) -> Path:
    if text in kit_names():
        return _boards_folder() / "kits" / text / "kit.json"
    path = Path(text)
    if path.is_dir():
        path = path / "kit.json"
    if not path.is_file():
        hint = suggestion(text, kit_names())
        hint += " Or" if hint.endswith("?") else "; or"
        hint += " give the path of a folder with a kit.json"
        raise ToolError(f"there is no kit {text!r}", hint)
    return path


@dataclasses.dataclass
class _Used:
    quantities: dict = dataclasses.field(default_factory=dict)  # quantity: part
    lines: dict = dataclasses.field(default_factory=dict)  # bus, and address on I2C: part


def _check_sensor(place: str, fields, buses: dict | None, used: _Used):
    table = Table(place, fields, ("part", "bus", "interval_s", "options", "quantities"))
    part = table.take_known("part", PARTS)
    table.place = place = f"{place} ({part})"
    driver = _Driver(part)
    interval_s = table.take_int("interval_s", 1, _DAY_S)
    if _DAY_S % interval_s:
        raise table.wrong(f"has interval_s = {interval_s}, which does not divide a day", "30, 60")
    shortest_s, longest_s = driver.interval_s
    if not shortest_s <= interval_s <= longest_s:
        mend = f"it can be asked each {shortest_s} to {longest_s} s"
        raise table.wrong(f"has interval_s = {interval_s}", mend)
    options = table.take("options", dict, {})
    for option, value in options.items():
        table.expect(option, value, int)
        if option not in driver.options:
            mend = suggestion(option, driver.options) if driver.options else "it takes none"
            raise table.wrong(f"has the option {option!r}, which it does not take", mend)
    for quantity in table.take_list("quantities", str):
        table.expect_known("the quantity", quantity, QUANTITIES)
        if quantity not in driver.quantities:
            raise table.wrong(f"does not measure {quantity}", f"it measures {driver.measures()}")
        if quantity in used.quantities:
            mend = f"{used.quantities[quantity]} gives it: a quantity comes from one sensor"
            raise table.wrong(f"gives {quantity} again", mend)
        used.quantities[quantity] = part
    _check_bus(table, driver, options, buses, used)


def _check_bus(table: Table, driver: "_Driver", options: dict, buses: dict | None, used: _Used):
    bus = table.take("bus", str)
    if buses is not None:
        table.expect_known("the bus", bus, buses)
        kind = buses[bus]["kind"]
        if kind != driver.bus:
            fitting = ", ".join(name for name in buses if buses[name]["kind"] == driver.bus)
            hint = f"it needs {driver.bus}: {fitting or 'this board has none'}"
            raise table.wrong(f"is on {bus}, which is {kind}", hint)
    line = bus
    if driver.bus == "i2c":
        address = options.get("address", driver.addresses[0])
        if address not in driver.addresses:
            mend = "it can be " + " or ".join(map(str, driver.addresses))
            raise table.wrong(f"has the address {address}", mend)
        line = (bus, address)
    if line in used.lines:
        raise table.wrong(f"shares {bus} with {used.lines[line]}", "give it a bus of its own")
    used.lines[line] = driver.part


class _Driver:
    """What a driver's source says of itself. It is read, not run: drivers are for boards."""

    def __init__(self, part: str):
        self.part = part
        folder = Path(importlib.util.find_spec("node").submodule_search_locations[0])
        tree = ast.parse((folder / "drivers" / f"{part}.py").read_bytes())
        self.name = PARTS[part][0]
        self._class = next(
            item for item in tree.body
            if isinstance(item, ast.ClassDef) and item.name == self.name
        )  # fmt: skip
        self.bus = self._value("BUS")
        self.native = self._value("NATIVE", False)
        self.quantities = self._value("QUANTITIES")
        self.interval_s = self._value("INTERVAL_S")
        self.addresses = self._value("ADDRESSES") if self.bus == "i2c" else ()
        methods = {item.name: item for item in self._class.body if hasattr(item, "name")}
        self.watches = "poll" in methods
        init = methods["__init__"]
        self.options = tuple(argument.arg for argument in init.args.args[2:])

    def _value(self, name: str, default=None):
        for item in self._class.body:
            if isinstance(item, ast.Assign) and item.targets[0].id == name:
                return ast.literal_eval(item.value)
        if default is not None:
            return default
        raise AttributeError(f"{self.part} has no {name}")

    def measures(self) -> str:
        return ", ".join(self.quantities)
