# SPDX-License-Identifier: MIT
"""Drives the simulated sensors with recorded measurements: a folder of CSV files.

Each file has a `time` column (ISO 8601, UTC unless it says otherwise). The midnight before a
file's first row falls on the midnight before the start, and after whole days the file begins
anew. See README.md for the columns, and for what is made of gaps.
"""

import csv
import math
from bisect import bisect_right
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random

from host_tools.errors import ToolError
from simulator.world.city import City, person, spread, vehicle

_DAY_S = 86_400
_HOUR_S = 3600
_MOST_PER_HOUR = 100_000

# column: (level, steps per unit of the column)
LEVELS = {
    "temperature_c": ("temperature_mc", 1000),
    "humidity_pct": ("humidity_mpct", 1000),
    "pressure_hpa": ("pressure_pa", 100),
    "co2_ppm": ("co2_ppm", 1),
    "pm1_0_ugm3": ("pm1_0_ngm3", 1000),
    "pm2_5_ugm3": ("pm2_5_ngm3", 1000),
    "pm10_ugm3": ("pm10_ngm3", 1000),
    "voltage_v": ("voltage_mv", 1000),
    "current_a": ("current_ma", 1000),
    "active_power_w": ("power_mw", 1000),
    "frequency_hz": ("frequency_mhz", 1000),
}
# column: (the column it needs beside it, the level that the two make)
PAIRS = {
    "dew_point_c": ("temperature_c", "humidity_mpct"),
    "reactive_power_var": ("active_power_w", "power_factor_permille"),
}
COUNTS = {"vehicles_per_hour": ("vehicles", vehicle), "people_per_hour": ("people", person)}
# Where only PM2.5 was recorded: usual shares in street air.
_FROM_PM2_5 = {"pm1_0_ngm3": 0.7, "pm10_ngm3": 1.5}


class _Column:
    """One recorded quantity: rising times from 0 within a period, and what stood there."""

    def __init__(self, times: list[int], values: list, period_s: int):
        self.times, self.values, self.period_s = times, values, period_s
        apart = sorted(b - a for a, b in pairwise(times))
        self._step_s = apart[len(apart) // 2] if apart else period_s

    def around(self, second: int) -> tuple:
        """(time before, value, time after, value): the rows that `second` lies between."""
        begun_s = second - second % self.period_s
        after = bisect_right(self.times, second - begun_s)
        count = len(self.times)
        before_s = begun_s + self.times[after - 1] - (0 if after else self.period_s)
        after_s = begun_s + self.times[after % count] + (self.period_s if after == count else 0)
        return before_s, self.values[after - 1], after_s, self.values[after % count]

    def level(self, second: int):
        """The value at `second`, on a straight line between the rows; None in a gap."""
        before_s, before, after_s, after = self.around(second)
        hole = after_s - before_s > 2 * self._step_s
        if before is None or (hole and second - before_s >= self._step_s):
            return None
        if after is None or hole:
            return before
        return before + (after - before) * (second - before_s) // (after_s - before_s)


class Replay:
    """folder: the CSV files; beneath: the City that fills in what the files do not tell."""

    def __init__(self, folder: Path | str, start_s: int, seed, beneath: City):
        self._start_ms = start_s * 1000
        self._midnight_s = start_s - start_s % _DAY_S
        self._seed = seed
        self._beneath = beneath
        self._levels: dict[str, _Column] = {}
        self._counts: dict[str, _Column] = {}
        self._made: dict[tuple, tuple] = {}  # the last hour that was made, by node and name
        _load(Path(folder), self._levels, self._counts)

    def signals(self, node_index: int, from_ms: int, to_ms: int) -> dict:
        """As City.signals()."""
        pieces = self._beneath.signals(node_index, from_ms, to_ms)
        moments = [at_ms for at_ms, _ in pieces["levels"]["temperature_mc"]]
        for name, column in self._levels.items():
            pieces["levels"][name] = [[ms, column.level(self._second(ms))] for ms in moments]
        for name, column in self._counts.items():
            pieces["events"][name] = self._events(node_index, name, column, from_ms, to_ms)
        return pieces

    def _second(self, at_ms: int) -> int:
        return (self._start_ms + at_ms) // 1000 - self._midnight_s

    def _events(self, node_index: int, name: str, column: _Column, from_ms: int, to_ms: int):
        found = []
        second = self._second(from_ms)
        while self._at_ms(second) < to_ms:
            row_s, per_hour, next_s, _ = column.around(second)
            made = self._row(node_index, name, row_s, min(next_s - row_s, _HOUR_S), per_hour)
            found += [e for e in made if from_ms < e[0] <= to_ms]
            second = next_s
        return found

    def _at_ms(self, second: int) -> int:
        return (self._midnight_s + second) * 1000 - self._start_ms

    def _row(self, node_index: int, name: str, row_s: int, span_s: int, per_hour) -> list:
        """All events of one row, spread over its span."""
        if not per_hour:
            return []
        key = (row_s, span_s, per_hour)
        if self._made.get((node_index, name), (None,))[0] != key:
            random = Random(f"{self._seed} {node_index} {name} {row_s + self._midnight_s}")
            make = next(make for event, make in COUNTS.values() if event == name)
            count = round(per_hour * span_s / _HOUR_S)
            times = spread(random, count, span_s * 1000)
            made = [make(self._at_ms(row_s) + ms, random) for ms in times]
            self._made[node_index, name] = (key, made)
        return self._made[node_index, name][1]


# reading the files


def _load(folder: Path, levels: dict, counts: dict):
    """Fills `levels` and `counts` from all files of the folder."""
    if not folder.is_dir():
        raise ToolError(f"{folder} is not a folder", "name a folder with CSV files to replay")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".csv")
    told_by: dict[str, str] = {}
    for file in files:
        for name, column in _read(file).items():
            if name in told_by:
                raise ToolError(
                    f"{file}: {name} is in {told_by[name]} too",
                    "keep the column in one of the two files",
                )
            told_by[name] = file.name
            (counts if name in ("vehicles", "people") else levels)[name] = column
    if not told_by:
        known = ", ".join((*LEVELS, *PAIRS, *COUNTS))
        raise ToolError(f"{folder}: no CSV file that a sensor could replay", "columns: " + known)
    base = levels.get("pm2_5_ngm3")
    for name, share in _FROM_PM2_5.items() if base else ():
        values = [None if v is None else round(v * share) for v in base.values]
        levels.setdefault(name, _Column(base.times, values, base.period_s))


def _read(file: Path) -> dict[str, _Column]:
    """The signals that one file tells, by name."""
    header, rows = _rows(file)
    times = [_time(file, line, cells[header["time"]]) for line, cells in rows]
    for (line, _), before, now in zip(rows[1:], times, times[1:], strict=False):
        if now <= before:
            problem = "the same time as" if now == before else "a time before"
            raise ToolError(f"{file}:{line}: {problem} the row above", "sort the rows by time")
    step_s = min((b - a for a, b in pairwise(times)), default=_DAY_S)
    midnight_s = times[0] - times[0] % _DAY_S
    times = [t - midnight_s for t in times]
    period_s = -(-(times[-1] + min(step_s, _HOUR_S)) // _DAY_S) * _DAY_S
    numbers = {
        column: [_number(file, line, column, cells[index]) for line, cells in rows]
        for column, index in header.items()
        if column in LEVELS or column in PAIRS or column in COUNTS
    }
    return {
        name: _Column(times, values, period_s)
        for name, values in _signals(file, numbers, rows).items()
    }


def _rows(file: Path) -> tuple[dict[str, int], list]:
    """({column: index}, [(line number, cells)]) of one file."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            lines = [(reader.line_num, [c.strip() for c in cells]) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        reason = err.strerror if isinstance(err, OSError) else "not CSV text in UTF-8"
        raise ToolError(f"{file}: cannot be read: {reason}", "mend or remove the file") from err
    names = lines[0][1] if lines else []
    if "time" not in names:
        raise ToolError(f"{file}:1: no column named time", "name the columns in the first line")
    if len(set(names)) < len(names):
        raise ToolError(f"{file}:1: two columns have the same name", "rename one of them")
    for line, cells in lines[1:]:
        if len(cells) != len(names):
            raise ToolError(
                f"{file}:{line}: {len(cells)} cells, but the header has {len(names)}",
                "leave a cell empty where there is no value",
            )
    if len(lines) < 2:
        raise ToolError(f"{file}: no rows below the header", "add rows or remove the file")
    return {name: index for index, name in enumerate(names)}, lines[1:]


def _time(file: Path, line: int, cell: str) -> int:
    try:
        moment = datetime.fromisoformat(cell)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as err:
        hint = "write it as 2026-05-31T14:00:00Z"
        raise ToolError(f"{file}:{line}: {cell!r} is not a time", hint) from err


def _number(file: Path, line: int, column: str, cell: str):
    """The cell as a float; None where it is empty."""
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    highest = _MOST_PER_HOUR if column in COUNTS else 1e12
    lowest = 0 if column in COUNTS else -1e12
    if not lowest <= number <= highest:  # NaN is not
        hint = "write a plain number, or leave the cell empty for a gap"
        raise ToolError(f"{file}:{line}: {column} cannot be {cell!r}", hint)
    return number


def _signals(file: Path, numbers: dict, rows: list) -> dict[str, list]:
    """{signal: [int or None, ...]} from {column: [float or None, ...]}."""
    made = {}
    for column, (other, name) in PAIRS.items():
        if column in numbers:
            if other not in numbers:
                raise ToolError(f"{file}:1: {column} needs a column {other}", "add the column")
            combine = _humidity_mpct if column == "dew_point_c" else _power_factor_permille
            made[name] = [
                None if a is None or b is None else combine(a, b)
                for a, b in zip(numbers[other], numbers[column], strict=True)
            ]
    for column, values in numbers.items():
        if column in LEVELS:
            name, steps = LEVELS[column]
            made[name] = [None if v is None else round(v * steps) for v in values]
        elif column in COUNTS:
            made[COUNTS[column][0]] = values
    return made


def _humidity_mpct(temperature_c: float, dew_point_c: float) -> int:
    """Relative humidity by the Magnus formula (Alduchov and Eskridge 1996, over water)."""

    def exponent(celsius: float) -> float:
        # Below absolute zero nothing is measured; the limit keeps the formula off its pole.
        celsius = min(max(celsius, -200.0), 200.0)
        return 17.625 * celsius / (243.04 + celsius)

    return round(100_000 * math.exp(exponent(dew_point_c) - exponent(temperature_c)))


def _power_factor_permille(active_w: float, reactive_var: float) -> int:
    """|P| / S; 0 without a load, as meters show it."""
    apparent = math.hypot(active_w, reactive_var)
    return round(1000 * abs(active_w) / apparent) if apparent else 0
