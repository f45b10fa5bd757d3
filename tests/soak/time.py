# SPDX-License-Identifier: MIT
"""Forged SNTP answers of every kind for 24 simulated hours, then the truth: `python -m
tests.soak.time`, or `… time NAME …` for some lies.

Each lie is told from power-on and after a day of ordinary life, with the broker in reach and with
it out of reach as long as the lie lasts, with and without a power cut in the middle.
"""

import contextlib
import dataclasses
import itertools
import json
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from host_tools.collector.keyring import Keyring
from host_tools.collector.open_envelope import Opened, open_envelope
from simulator.city_run import CityRun, Plan, choose_kits

START_S = 1_780_000_000 // 3600 * 3600
HOUR_S, DAY_S = 3600, 86_400
LIE_S = DAY_S
WITHIN_S = 600
_LOOK_S = 10
_AFTER_S = 2 * HOUR_S
_BLOCKED_PATIENCE_S, _PATIENCE_S = 0.02, 0.3


def _off(seconds: int) -> dict:
    return {"offset_ms": seconds * 1000}


def _forged(at: int, digits: str) -> dict:
    return {"forge": [[at, digits]]}


_YEAR_S = 365 * DAY_S
LIES = {
    "an hour back": _off(-HOUR_S),
    "an hour ahead": _off(HOUR_S),
    "a year back": _off(-_YEAR_S),
    "2000-01-01": {"unix_ms": 946_684_800_000},
    "1970": {"unix_ms": 0},
    "6 days ahead": _off(6 * DAY_S),
    "8 days ahead": _off(8 * DAY_S),
    "a year ahead": _off(_YEAR_S),
    "2100": {"unix_ms": 4_102_444_800_000},
    "flapping, 2 and 5 days ahead": [_off(2 * DAY_S), _off(5 * DAY_S)],
    "flapping, an hour ahead and the truth": [_off(HOUR_S), True],
    "flapping, an hour back and ahead": [_off(-HOUR_S), _off(HOUR_S)],
    "flapping, 6 days ahead and the truth": [_off(6 * DAY_S), True],
    "flapping, 1970 and 2100": [{"unix_ms": 0}, {"unix_ms": 4_102_444_800_000}],
    "no answer": False,
    "garbage": [
        {"size": 0}, {"size": 47}, {"size": 400}, _forged(24, "00" * 8), _forged(0, "ff" * 48),
        _forged(0, "00" * 48), _forged(0, "e4"), _forged(1, "00"), _forged(1, "10"),
        _forged(40, "00" * 8), _forged(40, "ff" * 8), _forged(40, "80" + "00" * 7),
    ],
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    lie: str
    before_s: int = 0  # of ordinary life
    reachable: bool = True  # the broker, while the lie lasts
    power_cut: bool = False  # in the middle of the lie

    def __str__(self):
        since = "from power-on" if not self.before_s else f"after {self.before_s // HOUR_S} h"
        reach = "broker in reach" if self.reachable else "no broker"
        return f"{self.lie}, {since}, {reach}" + (", power cut" if self.power_cut else "")


CASES = [
    Case(lie, before_s, reachable, power_cut)
    for lie, before_s, reachable, power_cut in itertools.product(
        LIES, (0, DAY_S), (True, False), (False, True)
    )
]


@dataclasses.dataclass
class Outcome:
    """What one case came to."""

    seconds: int | None  # from the truth on until a fresh envelope was receipted
    lost: int  # envelopes that were sealed and are not in the store, and the store's losses
    twice: int  # slots that more than one envelope carries
    ahead: int  # values in the store whose time has not come yet
    withheld: int  # values of an undisturbed run from half an hour after the truth that are not
    bytes_too_early: int  # sent before some time was known
    events: dict
    log: list

    def is_good(self) -> bool:
        quick = self.seconds is not None and self.seconds <= WITHIN_S
        return quick and not (self.lost or self.twice or self.withheld or self.bytes_too_early)


class _City:
    """One air node whose published envelopes are all looked into."""

    def __init__(self, folder: Path, for_s: int):
        self.published = []
        self.folder = folder / "city"
        plan = Plan(
            kits=choose_kits(["air"], None), for_s=for_s, folder=self.folder, start=START_S,
            on_publish=lambda topic, payload, _now_s: self.published.append((topic, payload)),
        )  # fmt: skip
        self.run = CityRun(plan)

    def start(self):
        self.run.start()
        keyring = self.folder.parent / "keyring.json"  # as it is before any seal is forgotten
        shutil.copy(self.folder / "keyring.json", keyring)
        self.keyring = Keyring(keyring)
        self.node = self.run.nodes[0]
        self.air = self.run.services.access_point

    def until(self, to_s: int, step_s: int = 300):
        conductor = self.run.conductor
        while conductor.now_ms < to_s * 1000:
            if not conductor.run(min(conductor.now_ms + step_s * 1000, to_s * 1000)):
                raise RuntimeError(self.run.trouble()[0])

    def opened(self) -> list[Opened]:
        """All envelopes that were published, each once, in the order of their numbers."""
        known = {}
        for topic, payload in self.published:
            if topic.endswith("/up"):
                result = open_envelope(self.keyring, self.node.node_id, payload, 1 << 40)
                if not isinstance(result, Opened):
                    raise RuntimeError(f"an envelope does not open: {result.reason}")
                known[result.log, result.number] = result
        return [known[key] for key in sorted(known)]

    def query(self, text: str) -> list:
        with contextlib.closing(sqlite3.connect(self.run.store_path)) as db:
            return db.execute(text).fetchall()

    def values(self) -> dict:
        query = "SELECT stream, slot_start_s, statistic, value FROM value"
        return {tuple(row[:3]): row[3] for row in self.query(query)}


_undisturbed = {}


def undisturbed(for_s: int) -> dict:
    """The values of a node that nothing happens to."""
    if not any(known >= for_s for known in _undisturbed):
        with tempfile.TemporaryDirectory() as folder:
            city = _City(Path(folder), for_s)
            with city.run:
                city.start()
                city.until(for_s)
                city.run.conductor.drain(city.run._drained)
                _undisturbed[for_s] = city.values()
    return _undisturbed[max(_undisturbed)]


def play(case: Case, lie_s: int = LIE_S) -> Outcome:
    """Plays one case; RuntimeError when the node ends by itself."""
    truth_s = case.before_s + lie_s
    expected = undisturbed(truth_s + _AFTER_S + 2 * HOUR_S)
    with tempfile.TemporaryDirectory() as folder:
        city = _City(Path(folder), truth_s + _AFTER_S)
        with city.run:
            city.start()
            city.until(case.before_s)
            bytes_too_early = _lie(city, case, truth_s)
            seconds = _tell_the_truth(city, truth_s)
            city.run.conductor.patience_s = 2
            city.until(truth_s + _AFTER_S)
            city.run.drained = city.run.conductor.drain(city.run._drained)
            return _outcome(city, truth_s, seconds, bytes_too_early, expected)


def _lie(city: _City, case: Case, truth_s: int) -> int:
    """Lies up to `truth_s`; returns the bytes that were sent while no time was known."""
    conductor, node = city.run.conductor, city.node.node_id
    city.air.sntp = LIES[case.lie]
    conductor.patience_s = _PATIENCE_S if case.reachable else _BLOCKED_PATIENCE_S
    if not case.reachable:
        city.air.refuse(node)
        city.air.cut(node)
    known = case.before_s or not _is_unusable(city.air.sntp)
    if not known:
        conductor.patience_s = _BLOCKED_PATIENCE_S
    if case.power_cut:
        city.until(case.before_s + (truth_s - case.before_s) // 2)
        conductor.cut_power(city.node, 20_000)
    city.until(truth_s + 1)  # what closes at that instant is not fresh
    return 0 if known else sum(city.air.wire_bytes(node))


def _is_unusable(lie) -> bool:
    """Whether no time at all can be had from it."""
    return lie is False or lie in (LIES["1970"], LIES["2000-01-01"], LIES["a year back"])


def _tell_the_truth(city: _City, truth_s: int) -> int | None:
    """Returns after how many seconds a fresh envelope is receipted."""
    conductor, node = city.run.conductor, city.node
    newest = node.status["newest"]
    city.air.sntp = True
    city.air.refuse(node.node_id, False)
    conductor.patience_s = _PATIENCE_S
    for seconds in range(_LOOK_S, _AFTER_S, _LOOK_S):
        city.until(truth_s + seconds)
        if node.status["newest"] > newest and not node.status["waiting"]:
            return seconds
    return None


def _outcome(city: _City, truth_s: int, seconds, bytes_too_early: int, expected: dict) -> Outcome:
    values = city.values()
    slots = [
        (stream, slot)
        for envelope in city.opened()
        for stream, slot, *_ in envelope.records
    ]  # fmt: skip
    fresh_s, end_s = START_S + truth_s + HOUR_S // 2, START_S + truth_s + _AFTER_S - HOUR_S
    due = [key for key in expected if fresh_s <= key[1] < end_s]
    account = city.run.account()
    missing = city.node.status["newest"] - len(city.query("SELECT number FROM envelope"))
    events = {}
    for kind, detail in city.query("SELECT kind, detail FROM event"):
        events.setdefault(kind, []).append(detail)
    return Outcome(
        seconds=seconds,
        lost=account["lost"] + max(0, missing) + len(events.get("lost", ())),
        twice=len(slots) - len(set(slots)),
        ahead=sum(
            1 for _, slot_start_s, _ in values if slot_start_s >= city.run.conductor.now_s()
        ),
        withheld=sum(1 for key in due if values.get(key) is None),
        bytes_too_early=bytes_too_early,
        events={kind: len(details) for kind, details in events.items() if kind != "new outbox"},
        log=list(city.node.log),
    )


def run(names=()) -> dict:
    outcomes = {}
    for case in CASES:
        if not names or case.lie in names:
            outcomes[str(case)] = outcome = play(case)
            shown = {k: v for k, v in dataclasses.asdict(outcome).items() if k != "log"}
            print(
                "good" if outcome.is_good() else "BAD ", case, shown, file=sys.stderr, flush=True
            )
    slowest = max((o.seconds or _AFTER_S) for o in outcomes.values())
    lost = sum(outcome.lost for outcome in outcomes.values())
    good = sum(outcome.is_good() for outcome in outcomes.values())
    return {
        "cases": {name: dataclasses.asdict(outcome) for name, outcome in outcomes.items()},
        "figures": [
            {"figure": f"{len(outcomes)} forged times for 24 h, then the truth: delivering again",
             "measured": f"{slowest} s", "wanted": f"≤ {WITHIN_S} s",
             "met": slowest <= WITHIN_S},
            {"figure": "envelopes lost", "measured": str(lost), "wanted": "0", "met": lost == 0},
            {"figure": "all promises kept", "measured": f"{good} of {len(outcomes)}",
             "wanted": "all", "met": good == len(outcomes)},
        ],
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1:])["figures"], indent=1))
