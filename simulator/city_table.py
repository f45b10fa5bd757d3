# SPDX-License-Identifier: MIT
"""What `lamppost demo` shows while a city runs, and says at its end."""

import collections
import contextlib
import re
import sqlite3
import sys
from pathlib import Path

from rich.table import Table
from rich.text import Text

from host_tools.times import short
from simulator import city_controller

_SHOWN = 4  # values of a node in the table …
_FEW = 6  # … when there are no more nodes than this
_LATEST = """
    SELECT quantity, value, unit, scale, resolution, max(slot_start_s) FROM value
    WHERE node = ? AND statistic IN ('mean', 'sum', 'last') AND value IS NOT NULL
    GROUP BY stream ORDER BY stream
"""


def city_table(city) -> Table:
    """The live table: one row per node. city: a CityRun that was started."""
    now = short(city.conductor.now_s())
    table = Table(title=f"simulated time {now} UTC", title_justify="left", expand=False)
    for name in ("node", "kit"):
        table.add_column(name, no_wrap=True)
    table.add_column("last values", ratio=1)
    for name in ("sealed", "delivered", "waiting", "faults"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = city.account()["nodes"]
    shown = _SHOWN if len(rows) <= _FEW else 1
    with contextlib.closing(sqlite3.connect(city.store_path)) as db:
        for row in rows:
            waiting = row["envelopes"] - row["receipted"]
            faults = Text(str(row["faults"]), style="red" if row["faults"] else "")
            values = _last_values(db, row["node"], shown)
            if not values:
                at = short(city.first_values_s(row["node"]))[11:]
                values = f"first values at {at}"
            table.add_row(
                row["node"], row["kit"], values, str(row["envelopes"]),
                str(row["receipted"]), str(waiting), faults,
            )  # fmt: skip
    return table


def _last_values(db, node_id: str, most: int) -> str:
    rows = db.execute(_LATEST, (node_id,)).fetchall()[:most]
    return " · ".join(_shown(*row[:6]) for row in rows)


def _shown(quantity: str, value: int, unit: str, scale: int, resolution: int, _start_s) -> str:
    name = quantity.rpartition("_")[0] if scale > 1 or unit == "ppm" else quantity
    name = re.sub(r"(\d)_(\d)", r"\1.\2", name).replace("_", " ")  # pm2_5 is PM2.5
    digits = max(0, len(str(scale)) - len(str(resolution)))  # no more than was released
    number = f"{value / scale:.{digits}f}"
    return f"{name} {number} {unit}" if unit and unit not in name else f"{name} {number}"


def closing_words(city, account: dict, stopped: bool) -> str:
    """What was done and where it lies, for a person."""
    nodes = account["nodes"]
    total = collections.Counter()
    for node in nodes:
        total.update({k: node[k] for k in ("samples", "records", "envelopes", "receipted")})
    ran = "ran" if not stopped else "were stopped after"
    lines = [
        f"{len(nodes)} nodes {ran} {_duration(account['simulated_s'])} of simulated time in "
        f"{account['wall_s']:.1f} s on {account['interpreter']}, broker {account['broker']}.",
        f"{total['samples']} readings became {total['records']} records in "
        f"{total['envelopes']} envelopes; {total['receipted']} were opened, "
        f"stored and receipted, {account['lost']} lost.",
    ]
    for node in nodes:
        if node["faults"]:
            lines.append(f"{node['node']} ({node['kit']}) counted {node['faults']} sensor faults.")
        if not node["records"]:
            at = short(city.first_values_s(node["node"]))[11:]
            lines.append(f"{node['node']} ({node['kit']}) has no values yet: its first at {at}.")
    if not total["receipted"]:
        return "\n".join(lines)
    lines.append(f"The store is {account['store']}")
    program = sys.argv[0] if Path(sys.argv[0]).name == "lamppost" else "lamppost"
    lines.append(f"See it with: {program} read")
    if city.plan.folder:
        lines[-1] += f" --store {account['store']}"
        if city_controller.is_there(city.plan.folder):
            lines += city_controller.words(city.plan.folder, program, account["store"])
    return "\n".join(lines)


def _duration(seconds: int) -> str:
    """2 h 30 min, 45 s"""
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
