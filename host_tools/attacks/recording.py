# SPDX-License-Identifier: MIT
"""The recorded household: its power each minute, and which groups of appliances ran, as its
sub-meters tell."""

import csv
from pathlib import Path
from typing import NamedTuple

from host_tools.errors import ToolError

FILE = "energy_minutely.csv"
GROUPS = {"kitchen": "kitchen_wh", "laundry": "laundry_wh", "heating": "heating_wh"}
ON_WH = 1.0  # in a minute: 60 W on average, what a refrigerator takes
MINUTES = 1440


class Household(NamedTuple):
    """watts: of each minute, from a midnight on, whole days; on: {group: 0 or 1 each minute}."""

    watts: list[float]
    on: dict[str, list[int]]

    def days(self) -> int:
        return len(self.watts) // MINUTES


def read_household(folder: Path) -> Household:
    """The recording in this folder; ToolError when it is not there or not usable. What is missing
    in a cell is taken from the minute before."""
    path = Path(folder) / FILE
    columns = {name: [] for name in ("active_power_w", *GROUPS.values())}
    line = 1
    try:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                line += 1
                for name, values in columns.items():
                    cell = row[name]
                    values.append(float(cell) if cell else (values[-1] if values else 0.0))
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "--data names the recordings' folder") from err
    except (KeyError, ValueError, TypeError, csv.Error) as err:
        hint = f"it needs {', '.join(columns)}"
        raise ToolError(f"{path}:{line}: cannot be read", hint) from err
    whole = len(columns["active_power_w"]) // MINUTES * MINUTES
    if whole < 2 * MINUTES:
        raise ToolError(f"{path} has less than two days", "one to learn from, one to guess")
    on = {group: [int(wh >= ON_WH) for wh in columns[name][:whole]]
          for group, name in GROUPS.items()}  # fmt: skip
    return Household(columns["active_power_w"][:whole], on)
