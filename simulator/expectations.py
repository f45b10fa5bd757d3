# SPDX-License-Identifier: MIT
"""What a scenario expects of its account, and which of it does not hold.

What it does not name is expected to be as usual: nothing lost, no nonce repeated, nothing left
waiting, nothing refused, and no event but the first outbox of each node.
"""

from host_tools.collector.events import KINDS
from host_tools.provisioning.checked import Table
from simulator.durations import parse_duration, shown

# What is expected without a word: exactly this.
USUAL = {
    "lost": 0,
    "unstated": 0,
    "repeated": 0,
    "waiting": 0,
    "disordered": 0,
    "slots_twice": 0,
    "refused": 0,
    "kept_sealed": 0,
    "unsealed": 0,
    "watchdog_resets": 0,
    "memory_errors": 0,
}
# What may be expected as well.
_MORE = ("sealed", "stored", "duplicates", "resets", "power_resets", "boots", "formats",
         "safe_starts", "new_policies", "old_seals", "sensor_faults", "nvs_cuts",
         "data_cuts")  # fmt: skip
COUNTS = (*USUAL, *_MORE)
_WORDS = {
    "lost": "the envelopes that are gone: see the events of the store",
    "unstated": "lost, and the store says nothing of it: a gap must never be silent",
    "repeated": "a key and nonce sealed two different texts: this must never be",
    "waiting": "what the node still holds has no receipt: see its last words, or a longer drain",
    "disordered": "envelopes of one outbox came first in another order than they were sealed",
    "refused": "the reasons are in the account: lamppost read --refused shows each",
    "watchdog_resets": "the firmware hung: see the node's last words",
    "memory_errors": "give it more heap, or find what takes it",
}


def read_expect(place: str, fields) -> dict:
    """{count: (lowest, highest or None)}, "events" and "events_allowed": [kind, …],
    "delivering_within": ms."""
    table = Table(place, fields, (*COUNTS, "events", "events_allowed", "delivering_within"))
    expect = {name: (number, number) for name, number in USUAL.items()}
    for name in COUNTS:
        if name in table:
            expect[name] = _bounds(table, name)
    for name in ("events", "events_allowed"):
        kinds = table.take(name, list, []) if table.peek(name) else []
        expect[name] = [table.expect_known(f"one of {name}", kind, KINDS) for kind in kinds]
    if "delivering_within" in table:
        text = table.take("delivering_within", str)
        expect["delivering_within"] = parse_duration(table, "delivering_within", text)
    return expect


def _bounds(table: Table, name: str) -> tuple[int, int | None]:
    value = table.peek(name)
    if not isinstance(value, dict):
        number = table.take(name, int)
        return number, number
    inner = Table(f"{table.place}, {name},", value, ("min", "max"))
    low = inner.take("min", int, 0)
    high = inner.take("max", int, None)
    if not value or (high is not None and high < low):
        raise inner.wrong(f"is {value}", "{min = 1}, {max = 9}, or both")
    return low, high


def broken(expect: dict, account: dict) -> list[tuple[str, str]]:
    """[(what is otherwise than expected, what to look at)]"""
    found = []
    for name in COUNTS:
        if name not in expect:
            continue
        low, high = expect[name]
        number = account[name]
        if number < low or (high is not None and number > high):
            text = f"{name.replace('_', ' ')}: {number}, and expected {_range(low, high)}"
            found.append((text, _WORDS.get(name, "see the account above, by node")))
    found += _broken_events(expect["events"], expect["events_allowed"], account["events"])
    if "delivering_within" in expect:
        found += _late(expect["delivering_within"], account["faults"])
    if account["trouble"]:
        found.append((account["trouble"], "what the run could not go on without"))
    return found


def _range(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"


def _broken_events(expected: list, allowed: list, events: dict) -> list:
    found = [
        (f"no event {kind!r}, and one was expected", "the store should have noticed it")
        for kind in expected
        if not events.get(kind)
    ]
    others = sorted(kind for kind in events if kind not in (*expected, *allowed, "new outbox"))
    others += ["new outbox"] * (events.get("new outbox", 0) > 0 and "new outbox" not in expected)
    for kind in others:
        text = f"{events[kind]} × event {kind!r}, and none was expected"
        found.append((text, "lamppost read --events shows which"))
    return found


def _late(limit_ms: int, faults: list) -> list:
    found = []
    for fault in faults:
        if fault["not_delivering"]:
            text = f"{fault['what']}: not delivering again {fault['not_delivering']} times"
        elif fault["slowest_s"] is not None and fault["slowest_s"] * 1000 > limit_ms:
            text = f"{fault['what']}: delivering again after {shown(fault['slowest_s'] * 1000)}"
        else:
            continue
        found.append((f"{text}, and expected {shown(limit_ms)} at most", "see its row above"))
    return found
