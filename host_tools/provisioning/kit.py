# SPDX-License-Identifier: MIT
"""Loads a board and a kit, by name or by path, and checks that they fit: nothing is found out on a
ladder."""

import dataclasses
import importlib.util
import json
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.provisioning.board_check import check_board, check_fit
from host_tools.provisioning.checked import Table, suggestion
from host_tools.provisioning.driver_facts import PARTICLE_OPTIONS, DriverFacts
from host_tools.provisioning.json_lines import JsonLines
from node.drivers.registry import PARTS
from node.pipeline.quantities import QUANTITIES
from node.pipeline.reading import intervals_s

_DAY_S = 86_400
_HUMIDITY = "humidity_mpct"
_SETTLED_S, _PAUSE_S = 30, 120  # a laser is on for so long before a reading, and then off
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
    for written, entry in zip(data["sensors"], split_options(data)["sensors"], strict=True):
        known = [name for name in entry["quantities"] if name in QUANTITIES]
        more = {"ranges": {name: QUANTITIES[name][2:] for name in known}}
        try:
            _check_sensor("", written, None, used)
            driver = DriverFacts(entry["part"])
            more["driver"] = driver.name
            if driver.watches:
                more["watches"] = True
        except ToolError:
            pass
        sensors.append({**entry, **more})
    return {**data, "sensors": sensors}


def split_options(data: dict) -> dict:
    """kit.json with the options that are not the drivers' own under "particles"; a sensor whose
    humidity they need is "humid". See firmware/node/pipeline/particles.py."""
    sensors, corrects = [], False
    for entry in data["sensors"]:
        options = dict(entry.get("options", {}))
        particles = {name: options.pop(name) for name in PARTICLE_OPTIONS if name in options}
        if particles:
            entry = {**entry, "options": options, "particles": particles}
        corrects = corrects or bool(particles.get("correction"))
        sensors.append(entry)
    if corrects:
        sensors = [
            {**entry, "humid": True} if _HUMIDITY in entry["quantities"] else entry
            for entry in sensors
        ]
    return {**data, "sensors": sensors}


def _boards_folder() -> Path:
    # Found without importing it: who only reads a policy of their own does not need it.
    return Path(importlib.util.find_spec("boards").submodule_search_locations[0])


def _names(folder: Path, file: str) -> list[str]:
    return sorted(path.parent.name for path in folder.glob(f"*/{file}"))


def _read_json(path: Path) -> tuple:
    """(what is in the file, the lines where it stands)"""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text), JsonLines(text)
    except json.JSONDecodeError as err:
        message = f"{path}: line {err.lineno}: {err.msg}"
        raise ToolError(message, "it must be JSON") from err
    except RecursionError as err:
        raise ToolError(f"{path} is nested too deep", "see boards/README.md") from err
    except UnicodeDecodeError as err:
        raise ToolError(f"{path} is not UTF-8 text", "it must be JSON") from err
    except ValueError as err:  # thousands of digits
        raise ToolError(f"{path} has a number without end", "see boards/README.md") from err
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err


def kit_names() -> list[str]:
    """The kits that come with Lamppost."""
    return _names(_boards_folder() / "kits", "kit.json")


def board_names() -> list[str]:
    """The boards that come with Lamppost."""
    return _names(_boards_folder(), "board.json")


def load_board(name_or_path: str | Path) -> dict:
    """The content of a board's board.json, by the board's name or by a path; checked."""
    path = _path_of(str(name_or_path), "board", _boards_folder(), board_names())
    return check_board(path, *_read_json(path))


def load_kit(name_or_path: str | Path, board: dict | None = None) -> Kit:
    """A kit by name, or by the path of its folder or kit.json; checked, also against `board`."""
    path = _path_of(str(name_or_path), "kit", _boards_folder() / "kits", kit_names())
    data, lines = _read_json(path)
    table = check_kit(path, data, board, lines)
    policy_path = path.parent / table.take("policy", str)
    if not _is_file(policy_path):
        raise table.wrong(
            f"has the policy {policy_path.name!r}, which is not there", "write the policy"
        )
    return Kit(data["kit"], path, data, policy_path)


def check_kit(
    path: Path | str, data, board: dict | None = None, lines: JsonLines | None = None
) -> Table:
    """ToolError when the content of a kit.json is not sound, or does not fit `board`; path: how
    messages name it."""
    keys = ("kit", "title", "policy", "outbox_kib", "sensors")
    table = Table(f"{path}: the kit", data, keys, lines and lines.of())
    table.take_name("kit")
    title = table.take("title", str, "")
    if not title.isprintable():
        raise table.wrong("has a title with characters that cannot be shown", "write plain text")
    table.take_int("outbox_kib", *_OUTBOX_KIB)
    buses = None if board is None else board["buses"]
    used = _Used()
    for index, fields in enumerate(table.take("sensors", list), 1):
        place = f"{path}: sensor {index}"
        _check_sensor(place, fields, buses, used, lines and lines.of("sensors", index))
        if board is not None and DriverFacts(fields["part"]).native and not board.get("native"):
            message = f"{place} ({fields['part']}) needs machine code, which this board cannot run"
            raise ToolError(message, 'take a board that has "native" in its board.json')
    if used.corrected and _HUMIDITY not in used.quantities:
        raise table.wrong(
            f"corrects what {used.corrected} measures, and measures no {_HUMIDITY}",
            "add a sensor that does, or leave out the option correction",
        )
    if board is not None:
        check_fit(path, data, board)
    return table


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _path_of(text: str, what: str, folder: Path, names: list[str]) -> Path:
    """The JSON file of a board or kit, by name or by the path of its folder or of the file."""
    file = what + ".json"
    if text in names:
        return folder / text / file
    path = Path(text)
    if path.is_dir():
        path = path / file
    if not path.is_file():
        hint = suggestion(text, names)
        hint += " Or" if hint.endswith("?") else "; or"
        hint += f" give the path of a folder with a {file}"
        raise ToolError(f"there is no {what} {text!r}", hint)
    return path


@dataclasses.dataclass
class _Used:
    corrected: str = ""  # a part whose readings are corrected for humidity
    quantities: dict = dataclasses.field(default_factory=dict)  # quantity: part
    lines: dict = dataclasses.field(default_factory=dict)  # bus, and address on I2C: part


def _check_sensor(place: str, fields, buses: dict | None, used: _Used, lines=None):
    table = Table(place, fields, ("part", "bus", "interval_s", "options", "quantities"), lines)
    part = table.take_known("part", PARTS)
    table.place = place = f"{place} ({part})"
    driver = DriverFacts(part)
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
    _check_particles(table, part, options, interval_s, used)
    for quantity in table.take_list("quantities", str):
        table.expect_known("the quantity", quantity, QUANTITIES)
        if quantity not in driver.quantities:
            raise table.wrong(f"does not measure {quantity}", f"it measures {driver.measures()}")
        if quantity in used.quantities:
            mend = f"{used.quantities[quantity]} gives it: a quantity comes from one sensor"
            raise table.wrong(f"gives {quantity} again", mend)
        used.quantities[quantity] = part
    _check_bus(table, driver, options, buses, used)


def _check_particles(table: Table, part: str, options: dict, interval_s: int, used: _Used):
    if options.get("correction", 0) not in (0, 1):
        raise table.wrong(f"has correction = {options['correction']}", "0 (none) or 1 (EPA 2021)")
    if options.get("correction"):
        used.corrected = part
    if not 1 <= options.get("slope_permille", 1000) <= 10_000:
        raise table.wrong(f"has slope_permille = {options['slope_permille']}", "1 to 10,000")
    duty_s = options.get("duty", 0)
    if duty_s and not _SETTLED_S <= duty_s <= interval_s - _PAUSE_S:
        mend = f"0, or {_SETTLED_S} s at least and a pause of {_PAUSE_S} s in interval_s"
        raise table.wrong(f"has duty = {duty_s}", mend)


def _check_bus(table: Table, driver: DriverFacts, options: dict, buses: dict | None, used: _Used):
    bus = table.take("bus", str)
    if buses is not None:
        fitting = ", ".join(name for name in buses if buses[name]["kind"] == driver.bus)
        hint = f"it needs {driver.bus}: {fitting or 'this board has none'}"
        if bus not in buses:
            raise table.wrong(f"has the bus {bus!r}, which the board lacks", hint)
        kind = buses[bus]["kind"]
        if kind != driver.bus:
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
