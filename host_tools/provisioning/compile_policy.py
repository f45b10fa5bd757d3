# SPDX-License-Identifier: MIT
"""Compiles a policy: TOML, as people write it, to deterministic CBOR, as nodes and stores read it.

The layout is in firmware/node/policy/rules.py. Each mistake is told in one line.
"""

import tomllib
from pathlib import Path

import cbor2

from host_tools.errors import ToolError
from host_tools.provisioning.checked import Table
from host_tools.provisioning.kit import Kit
from node.pipeline.reading import QUANTITIES
from node.policy.rules import DAY_S, STATISTICS, Policy

_STREAM_KEYS = (
    "number", "quantity", "window_s", "statistics", "resolution", "range", "why"
)  # fmt: skip
_VERSION_MAX = 2**31 - 1
_ID_MAX = 64
PLAINTEXT_MAX = 900  # with envelope and topic around it, one packet of a node: 1,024 bytes


def compile_policy(path: str | Path, kit: Kit | None = None) -> bytes:
    """The compiled policy; ToolError names file, stream and mend. With `kit`, also against it."""
    path = Path(path)
    table = Table(f"{path}:", _read(path), ("id", "version", "kit", "stream"))
    head = [table.take("id", str), table.take_int("version", 1, _VERSION_MAX)]
    if len(head[0]) > _ID_MAX:
        raise table.wrong("has a long id", f"take at most {_ID_MAX} characters")
    name = table.take("kit", str)
    if kit is not None and name != kit.name:
        raise table.wrong(f"is for the kit {name!r}, not {kit.name!r}", f'kit = "{kit.name}"')
    intervals_s = None if kit is None else kit.intervals_s()
    streams = {}
    for index, fields in enumerate(table.take("stream", list), 1):
        stream = _stream(f"{path}: stream {index}", fields, intervals_s)
        if stream[0] in streams:
            message = f"{path}: stream {index} has number {stream[0]}, which is taken"
            raise ToolError(message, f"take another, for instance {_free(streams)}")
        streams[stream[0]] = stream
    body = [streams[number] for number in sorted(streams)]
    compiled = cbor2.dumps(["lp1 policy", *head, name, body], canonical=True)
    if Policy(compiled).padded_length(0) > PLAINTEXT_MAX:
        raise table.wrong("has more streams than one message can carry", "take some out")
    return compiled


def _free(streams: dict) -> int | None:
    return next((number for number in range(1, 256) if number not in streams), None)


def _read(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    except UnicodeDecodeError as err:
        raise ToolError(f"{path} is not UTF-8 text", "a policy is TOML") from err
    except tomllib.TOMLDecodeError as err:
        raise ToolError(f"{path}: {err}", "it must be TOML: see https://toml.io") from err


def _stream(place: str, fields, intervals_s: dict | None) -> list:
    table = Table(place, fields, _STREAM_KEYS)
    number = table.take_int("number", 1, 255)
    table.place = f"{place} (number {number})"
    quantity = table.take_known("quantity", QUANTITIES)
    window_s = table.take("window_s", int)
    _check_window(table, quantity, window_s, intervals_s)
    statistics = table.take_list("statistics", str)
    for statistic in statistics:
        table.expect_known("the statistic", statistic, STATISTICS)
    if len(set(statistics)) < len(statistics):
        raise table.wrong("names a statistic twice", "name each once")
    low, high = _range(table, quantity)
    resolution = table.take_int("resolution", 1, high - low)
    why = table.take("why", str)
    if not why.strip():
        raise table.wrong("has an empty why", "say to the public what it is for")
    return [number, quantity, window_s, statistics, resolution, low, high, why]


def _check_window(table: Table, quantity: str, window_s: int, intervals_s: dict | None):
    if window_s <= 0 or DAY_S % window_s:
        mend = "take one of 60, 300, 600, 900, 1800, 3600, 86400"
        raise table.wrong(f"has window_s = {window_s}, which does not divide a day", mend)
    if intervals_s is None:
        return
    if quantity not in intervals_s:
        mend = f"it measures {', '.join(intervals_s)}"
        raise table.wrong(f"has {quantity}, which no sensor of the kit measures", mend)
    if window_s % intervals_s[quantity]:
        mend = f"take a multiple of the sensor's interval_s, {intervals_s[quantity]}"
        raise table.wrong(f"has window_s = {window_s}", mend)


def _range(table: Table, quantity: str) -> tuple[int, int]:
    limits = table.take_list("range", int)
    if len(limits) != 2 or limits[0] >= limits[1]:
        raise table.wrong(f"has range = {limits}", "a range is [lowest, highest]")
    _, _, lowest, highest = QUANTITIES[quantity]
    if limits[0] < lowest or limits[1] > highest:
        mend = f"{quantity} can be {lowest} to {highest}"
        raise table.wrong(f"has range = {limits}, which is more than physics allows", mend)
    return limits[0], limits[1]
