# SPDX-License-Identifier: MIT
"""Forged SNTP answers of every kind for 24 simulated hours, then the truth: `python -m
tests.soak.time`, or `… time NAME …` for some lies.

Each lie is told from power-on and after a day of ordinary life, with the broker in reach and with
it out of reach as long as the lie lasts, with and without a power cut in the middle.
"""

import dataclasses
import itertools
import json
import sys
import tempfile
from pathlib import Path

from tests.soak.watched_city import START_S, WatchedCity, undisturbed

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
    used_up: int  # slots of after the lie that a forged clock had released: they come once only
    withheld: (
        int  # of other slots, from half an hour after the truth on: values that are not there
    )
    bytes_too_early: int  # sent before some time was known
    events: dict
    log: list

    def is_good(self) -> bool:
        quick = self.seconds is not None and self.seconds <= WITHIN_S
        return quick and not (self.lost or self.twice or self.withheld or self.bytes_too_early)


def play(case: Case, lie_s: int = LIE_S) -> Outcome:
    """Plays one case; RuntimeError when the node ends by itself."""
    truth_s = case.before_s + lie_s
    expected = undisturbed(truth_s + _AFTER_S + 2 * HOUR_S)
    with (
        tempfile.TemporaryDirectory() as folder,
        WatchedCity(Path(folder), truth_s + _AFTER_S) as city,
    ):
        city.start()
        city.until(case.before_s)
        bytes_too_early = _lie(city, case, truth_s)
        before = city.node.status["newest"]
        seconds = _tell_the_truth(city, truth_s)
        city.until(truth_s + _AFTER_S)
        account = city.drain()
        return _outcome(city, account, truth_s, before, seconds, bytes_too_early, expected)


def _lie(city: WatchedCity, case: Case, truth_s: int) -> int:
    """Lies up to `truth_s`; returns the bytes that were sent while no time was known."""
    node = city.node.node_id
    city.air.sntp = LIES[case.lie]
    known = case.before_s or not _is_unusable(city.air.sntp)
    patience_s = _PATIENCE_S if known and case.reachable else _BLOCKED_PATIENCE_S
    if not case.reachable:
        city.air.refuse(node)
        city.air.cut(node)
    if case.power_cut:
        city.until(case.before_s + (truth_s - case.before_s) // 2, patience_s=patience_s)
        city.run.conductor.cut_power(city.node, 20_000)
    city.until(truth_s + 1, patience_s=patience_s)  # what closes at that instant is not fresh
    return 0 if known else sum(city.air.wire_bytes(node))


def _is_unusable(lie) -> bool:
    """Whether no time at all can be had from it."""
    return lie is False or lie in (LIES["1970"], LIES["2000-01-01"], LIES["a year back"])


def _tell_the_truth(city: WatchedCity, truth_s: int) -> int | None:
    """Returns after how many seconds a fresh envelope is receipted."""
    node = city.node
    newest = node.status["newest"]
    city.air.sntp = True
    city.air.refuse(node.node_id, False)
    for seconds in range(_LOOK_S, _AFTER_S, _LOOK_S):
        city.until(truth_s + seconds, patience_s=_PATIENCE_S)
        if node.status["newest"] > newest and not node.status["waiting"]:
            return seconds
    return None


def _outcome(city, account, truth_s: int, before: int, seconds, bytes_too_early, expected):
    """before: the newest envelope of before the truth."""
    values, events = city.values(), city.events()
    known = {(envelope.log, envelope.number): envelope for envelope in city.opened()}
    slots = [tuple(record[0:2]) for envelope in known.values() for record in envelope.records]
    used = _used_up(known.values(), before, START_S + truth_s)
    fresh_s, end_s = START_S + truth_s + HOUR_S // 2, START_S + truth_s + _AFTER_S - HOUR_S
    due = [key for key in expected if fresh_s <= key[1] < end_s and key[:2] not in used]
    missing = city.node.status["newest"] - len(city.query("SELECT number FROM envelope"))
    return Outcome(
        seconds=seconds,
        lost=account["lost"] + max(0, missing) + len(events.get("lost", ())),
        twice=len(slots) - len(set(slots)),
        used_up=len(used),
        withheld=sum(1 for key in due if values.get(key) is None),
        bytes_too_early=bytes_too_early,
        events={kind: len(details) for kind, details in events.items() if kind != "new outbox"},
        log=list(city.node.log),
    )


def _used_up(envelopes, before: int, truth_s: int) -> set:
    """{(stream, start of the slot)} from the truth on, of envelopes up to number `before`."""
    used = set()
    for envelope in envelopes:
        if envelope.number <= before:
            windows_s = {stream.number: stream.window_s for stream in envelope.policy.streams}
            used |= {(stream, slot * windows_s[stream]) for stream, slot, *_ in envelope.records}
    return {(stream, start_s) for stream, start_s in used if start_s >= truth_s}


def run(tell, names=()) -> dict:
    outcomes = {}
    for case in CASES:
        if not names or case.lie in names:
            outcomes[str(case)] = outcome = play(case)
            shown = {k: v for k, v in dataclasses.asdict(outcome).items() if k != "log"}
            tell(f"{'good' if outcome.is_good() else 'BAD '} {case} {shown}")
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
    report = run(lambda text: print(text, file=sys.stderr, flush=True), sys.argv[1:])
    print(json.dumps(report, indent=1))
