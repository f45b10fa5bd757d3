# SPDX-License-Identifier: MIT
"""What `lamppost demo` shows while a city runs, and says at its end."""

import collections
import contextlib
import re
import sqlite3

from rich.table import Table
from rich.text import Text

from host_tools.times import short

_SHOWN = 4  # values of a node in the table
_LATEST = """
    SELECT quantity, statistic, value, unit, scale, max(slot_start_s) FROM value
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
    with contextlib.closing(sqlite3.connect(city.store_path)) as db:
        for row in city.account()["nodes"]:
            waiting = row["envelopes"] - row["receipted"]
            faults = Text(str(row["faults"]), style="red" if row["faults"] else "")
            table.add_row(
                row["node"], row["kit"], _last_values(db, row["node"]), str(row["envelopes"]),
                str(row["receipted"]), str(waiting), faults,
            )  # fmt: skip
    return table


def _last_values(db, node_id: str) -> str:
    rows = db.execute(_LATEST, (node_id,)).fetchall()[:_SHOWN]
    return " · ".join(_shown(*row[:5]) for row in rows) or "waiting for the first whole window"


def _shown(quantity: str, _statistic: str, value: int, unit: str, scale: int) -> str:
    name = quantity.rpartition("_")[0] if scale > 1 or unit == "ppm" else quantity
    name = re.sub(r"(\d)_(\d)", r"\1.\2", name).replace("_", " ")  # pm2_5 is PM2.5
    number = f"{value / scale:.1f}" if scale > 1 else str(value)
    return f"{name} {number} {unit}" if unit and unit not in name else f"{name} {number}"


def closing_words(city, account: dict) -> str:
    """What was done and where it lies, for a person."""
    nodes = account["nodes"]
    total = collections.Counter()
    for node in nodes:
        total.update({k: node[k] for k in ("samples", "records", "envelopes", "receipted")})
    lines = [
        f"{len(nodes)} nodes ran {_duration(account['simulated_s'])} of simulated time in "
        f"{account['wall_s']:.1f} s on {account['interpreter']}, broker {account['broker']}.",
        f"{total['samples']} readings became {total['records']} records in "
        f"{total['envelopes']} envelopes; {total['receipted']} were opened, "
        f"stored and receipted, {account['lost']} lost.",
        f"The store is {account['store']}",
        "See it with: lamppost read",
    ]
    if city.plan.folder:
        lines[-1] += f" --store {account['store']}"
    return "\n".join(lines)


def _duration(seconds: int) -> str:
    """2 h 30 min, 45 s"""
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
