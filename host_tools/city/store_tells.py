# SPDX-License-Identifier: MIT
"""What a store tells the vault: where nodes' outboxes stand, and which certificates they use.

    store file ─▶ plain tables? ─▶ a query, with an end ─▶ types ─▶ values ─▶ then the vault

It comes from another machine, so it may hold anything. It is read before the vault is opened:
nothing that it does can hold an open vault. Only plain tables are read, as a view, a virtual table
or a column that is made anew could run code of its own.
"""

import contextlib
import json
import sqlite3
from pathlib import Path

from host_tools.collector.numbers import Numbers
from host_tools.collector.read_store import open_to_read
from host_tools.errors import ToolError
from host_tools.provisioning.command import NUMBER_END, SERIAL_END

LOG_BYTES = 4
_LONGEST_BYTES = 1 << 24  # of one value, and of memory at a time
_STEPS = 10_000_000  # of SQLite's machine, for a query of a small store
_STEPS_PER_BYTE = 16  # a scan takes less of them per byte
_STEPS_AT_ONCE = 10_000
_TIME_END_S = 1 << 40
_COLUMNS = {
    "log": {"node", "log", "floor", "stored", "heard"},
    "value": {"node", "quantity", "statistic", "resolution", "slot_start_s", "window_s", "value"},
}


def outboxes(path: Path) -> dict[str, tuple[bytes, int]]:
    """{node: (the outbox that was heard last, the first number that is not settled)}. ToolError
    when there is no store, or it holds what no collector writes."""
    rows = _rows(path, "log", "SELECT node, log, floor, stored FROM log ORDER BY heard")
    with _checked(path):
        return {_node(node): (_log(log), _first(floor, text)) for node, log, floor, text in rows}


def certificates(path: Path, now_s: int) -> dict[str, tuple[int, int]]:
    """{node: (when the window ended, which certificate it told)}, the newest of those that ended
    up to `now_s`. ToolError as above."""
    query = (
        "SELECT node, max(slot_start_s + window_s), value FROM value"
        " WHERE quantity = 'certificate' AND statistic = 'last' AND resolution = 1"  # a serial
        " AND value IS NOT NULL AND slot_start_s + window_s <= ? GROUP BY node"
    )
    rows = _rows(path, "value", query, now_s)
    with _checked(path):
        return {
            _node(node): (_int(end_s, 0, _TIME_END_S), _int(serial, 0, SERIAL_END))
            for node, end_s, serial in rows
        }


def _rows(path: Path, table: str, query: str, *values) -> list[tuple]:
    with contextlib.closing(open_to_read(path)) as db, _checked(path):
        db.execute("PRAGMA trusted_schema = OFF")
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_BYTES)
        steps = _STEPS + _STEPS_PER_BYTE * _bytes(path)
        left = iter(range(steps // _STEPS_AT_ONCE))
        db.set_progress_handler(lambda: next(left, None) is None, _STEPS_AT_ONCE)
        db.execute("BEGIN")  # what is looked at is what is read
        _check_plain(db, table)
        return db.execute(query, values).fetchall()


def _bytes(path: Path) -> int:
    log = path.with_name(path.name + "-wal")
    return path.stat().st_size + (log.stat().st_size if log.is_file() else 0)


def _check_plain(db: sqlite3.Connection, table: str):
    """ValueError unless it is a table with content of its own, in columns that are all stored."""
    query = "SELECT type, rootpage FROM sqlite_schema WHERE lower(name) = ?"
    found = db.execute(query, (table,)).fetchall()
    if len(found) != 1 or found[0][0] != "table" or not found[0][1]:
        raise ValueError("not a table")
    columns = {row[1]: row[6] for row in db.execute(f"PRAGMA table_xinfo({table})")}
    if not _COLUMNS[table] <= set(columns) or any(columns.values()):
        raise ValueError("not the columns of a store")


@contextlib.contextmanager
def _checked(path: Path):
    """Makes a ToolError of what may come of a file that holds anything."""
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, OverflowError, RecursionError, OSError) as err:
        message = f"{path}: it holds what no collector writes, or is damaged"
        raise ToolError(message, "take a copy from the collector's machine again") from err


def _node(value) -> str:
    if not isinstance(value, str):
        raise TypeError("not a node")
    return value


def _log(value) -> bytes:
    if not isinstance(value, bytes) or len(value) != LOG_BYTES:
        raise ValueError("not an outbox")
    return value


def _first(floor, text) -> int:
    """The first number that is not settled."""
    stored, last = json.loads(text), 0
    if not isinstance(stored, list):
        raise TypeError("not ranges")
    for first, end in stored:
        last = _int(end, _int(first, last + 1, NUMBER_END), NUMBER_END)
    return _int(Numbers(_int(floor, 1, NUMBER_END), stored).upto() + 1, 1, NUMBER_END)


def _int(value, low: int, end: int) -> int:
    if type(value) is not int or not low <= value < end:
        raise ValueError("out of range")
    return value
