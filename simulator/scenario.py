# SPDX-License-Identifier: MIT
"""Reads a scenario: a city, what befalls it and when, and how it should come out.

Every mistake is a ToolError whose line names file, place and key, and whose hint says what would
be right. The format is described in scenarios/README.md.
"""

import dataclasses
import random
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.heap_size import FORM, is_heap
from host_tools.provisioning.checked import Table, suggestion
from host_tools.times import parse_instant
from host_tools.toml_file import read_toml
from simulator.durations import parse_duration
from simulator.expectations import read_expect
from simulator.fault_kinds import KINDS

SCENARIOS = Path(__file__).parent / "scenarios"
_KEYS = ("title", "why", "kits", "nodes", "for", "drain", "seed", "start", "broker", "interpreter",
         "heap", "outbox_kib", "queue_limit", "fault", "expect")  # fmt: skip
_WHEN = ("what", "at", "every", "count", "until", "random", "for", "node")
_START = "2026-06-01T00:00Z"
_LONGEST_MS = 400 * 86_400_000
_NODES_MAX = 50
_TIMES_MAX = 10_000


@dataclasses.dataclass(frozen=True)
class Fault:
    """what: a name of KINDS; moments_ms: when it begins, rising; for_ms: None to last until the
    end, where it lasts at all; nodes: indices, None for all."""

    what: str
    moments_ms: list[int]
    for_ms: int | None
    nodes: list[int] | None
    arguments: dict


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Times in ms of simulated time, but start_s in Unix s; drain_ms: how long what still waits
    at the end may take."""

    name: str
    path: Path
    title: str
    why: str
    kits: tuple[str, ...]
    nodes: int | None
    for_ms: int
    drain_ms: int
    seed: int
    start_s: int
    broker: str
    interpreter: str
    heap: str
    outbox_kib: int | None
    queue_limit: int
    faults: list[Fault]
    expect: dict


def built_in() -> list[Path]:
    """The scenarios that come with Lamppost."""
    return sorted(SCENARIOS.glob("*.toml"))


def find_scenario(name_or_path: str) -> Path:
    """The file of a built-in scenario's name, or of a path."""
    for path in built_in():
        if name_or_path in (path.stem, path.name):
            return path
    path = Path(name_or_path)
    if not path.is_file():
        hint = suggestion(path.stem, [path.stem for path in built_in()])
        if hint.startswith("known"):
            hint = "see lamppost sim --list, or give the path of a .toml file"
        raise ToolError(f"there is no scenario {name_or_path!r}", hint)
    return path


def load_scenario(path: Path, seed: int | None = None, interpreter: str | None = None) -> Scenario:
    """The scenario in a file; `seed` and `interpreter` replace what it says."""
    table = Table(f"{path.name}: the scenario", read_toml(path, "a scenario")[0], _KEYS)
    for_ms = _time(table, "for")
    if not 0 < for_ms <= _LONGEST_MS:
        raise table.wrong("has a for that cannot be", "a scenario runs 1s to 400d")
    kits = tuple(table.take_list("kits", str)) if "kits" in table else ("air",)
    nodes = table.take_int("nodes", 1, _NODES_MAX) if "nodes" in table else None
    seed = table.take("seed", int, 1) if seed is None else seed
    count = nodes or len(kits)
    faults = [
        _fault(f"{path.name}: fault {index}", fields, for_ms, count, f"{seed} {index}")
        for index, fields in enumerate(table.take("fault", list, []), 1)
    ]
    return Scenario(
        name=path.stem,
        path=path,
        title=table.take("title", str),
        why=table.take("why", str),
        kits=kits,
        nodes=nodes,
        for_ms=for_ms,
        drain_ms=_time(table, "drain", "2h"),
        seed=seed,
        start_s=_start(table),
        broker=_known(table, "broker", ("embedded", "mosquitto")),
        interpreter=interpreter or _known(table, "interpreter", ("cpython", "micropython")),
        heap=_heap(table),
        outbox_kib=table.take_int("outbox_kib", 16, 768) if "outbox_kib" in table else None,
        queue_limit=table.take("queue_limit", int, 100_000),
        faults=faults,
        expect=read_expect(f"{path.name}: expect", table.take("expect", dict, {})),
    )


def _heap(table: Table) -> str:
    text = table.take("heap", str, "512k")
    if not is_heap(text):
        raise table.wrong(f"has heap {text!r}", FORM)
    return text


def _time(table: Table, key: str, *default) -> int:
    return parse_duration(table, key, table.take(key, str, *default))


def _known(table: Table, key: str, known: tuple) -> str:
    return table.expect_known(key, table.take(key, str, known[0]), known)


def _start(table: Table) -> int:
    text = table.take("start", str, _START)
    try:
        return parse_instant(text, "start")
    except ToolError as err:
        raise table.wrong(f"has start = {text!r}", err.hint) from None


def _fault(place: str, fields, for_ms: int, count: int, luck: str) -> Fault:
    what = fields.get("what") if isinstance(fields, dict) else None
    takes = KINDS[what].takes if what in KINDS else {}
    known = _WHEN if what in KINDS else (*_WHEN, *(fields if isinstance(fields, dict) else ()))
    table = Table(place, fields, (*known, *takes))
    what = table.take_known("what", KINDS)
    kind = KINDS[what]
    table.place = f"{place} ({what})"
    lasts_ms = _time(table, "for") if "for" in table else None
    if lasts_ms is not None and kind.lasts == "never":
        raise table.wrong("has a for", f"{what} is over at once: leave it out")
    if lasts_ms is None and kind.lasts == "must":
        raise table.wrong("has no for", 'say how long it lasts: for = "10m"; "0s" is at once')
    arguments = {name: take(table, name) for name, take in takes.items()}
    if what == "wires" and (arguments["how"] == "cut") == (lasts_ms is not None):
        mend = "a cut is over at once: leave it out" if lasts_ms is not None else 'for = "10m"'
        raise table.wrong(f"has {'a' if lasts_ms is not None else 'no'} for", mend)
    moments_ms = _moments(table, for_ms, random.Random(luck))
    return Fault(what, moments_ms, lasts_ms, _nodes(table, kind, count), arguments)


def _nodes(table: Table, kind, count: int) -> list[int] | None:
    value = table.peek("node")
    if value in (None, "all"):
        return None
    if not kind.of_node:
        raise table.wrong("has a node", "it befalls all: leave it out")
    nodes = table.take_list("node", int) if isinstance(value, list) else [table.take("node", int)]
    if any(not 0 <= node < count for node in nodes):
        raise table.wrong(f"has node = {value}", f'node is 0 to {count - 1}, or "all"')
    return nodes


def _moments(table: Table, for_ms: int, luck: random.Random) -> list[int]:
    """When the fault begins: at one time, every so often, or at random times."""
    ways = [key for key in ("at", "every", "random") if key in table]
    if ways in (["at"], ["every"], ["at", "every"]):
        moments_ms = _regular(table, for_ms)
    elif ways == ["random"]:
        moments_ms = _random(table, for_ms, luck)
    elif ways:
        raise table.wrong(f"has {' and '.join(ways)}", "say at, or every, or random")
    else:
        mend = 'at = "2h30m", every = "1h", or random = {count = 5}'
        raise table.wrong("does not say when", mend)
    if not all(0 <= at_ms < for_ms for at_ms in moments_ms):
        raise table.wrong("begins when the scenario is over", "an earlier time, or a longer for")
    return moments_ms


def _regular(table: Table, for_ms: int) -> list[int]:
    if "every" not in table:
        for key in ("count", "until"):
            if key in table:
                raise table.wrong(f"has {key} without every", 'add every = "1h"')
        return [_time(table, "at")]
    every_ms = _time(table, "every")
    if every_ms < 1000:
        raise table.wrong("has every = 0s", "at least 1s")
    first_ms = _time(table, "at") if "at" in table else every_ms
    end_ms = min(_time(table, "until") + 1 if "until" in table else for_ms, for_ms)
    most = table.take_int("count", 1, _TIMES_MAX) if "count" in table else _TIMES_MAX
    return list(range(first_ms, end_ms, every_ms))[:most] or [first_ms]


def _random(table: Table, for_ms: int, luck: random.Random) -> list[int]:
    inner = Table(f"{table.place}, random,", table.take("random", dict),
                  ("count", "seed", "from", "until"))  # fmt: skip
    count = inner.take_int("count", 1, _TIMES_MAX)
    if "seed" in inner:
        luck = random.Random(inner.take("seed", int))
    begin_ms = _time(inner, "from", "0s")
    end_ms = min(_time(inner, "until") if "until" in inner else for_ms, for_ms)
    if end_ms - begin_ms < 1000 * count:
        raise inner.wrong("has no room for so many", "fewer, or a longer time")
    seconds = range(-(-begin_ms // 1000), end_ms // 1000)
    return sorted(1000 * second for second in luck.sample(seconds, count))
