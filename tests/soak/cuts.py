# SPDX-License-Identifier: MIT
"""Power cuts at every flash operation: `python -m tests.soak.cuts`.

Each history is played once on a flash that notes its operations; then what every cut leaves, by
each of three models of a torn operation, is mounted, looked at, and goes on. A cut after an
operation leaves what a cut before the next one leaves: such a pair is looked at once, under the
stricter of both demands.
"""

import json
import multiprocessing
import os
import random
import sys
import time

from tests.soak.cut_flash import NotingFlash, cuts
from tests.soak.data_run import DataRun, blank, envelope_sizes, insert, reset_bench

ROUNDS = 1000
LIMITS = {"512 KiB, nothing given up": 512 * 1024, "40 KiB, segments given up": 40 * 1024}
_TORN = 3


def history(rounds: int = ROUNDS, seed: int = 7) -> list:
    """Steps of a node that appends and gets receipts, of every kind, and is asked to resend."""
    source, sizes, steps = random.Random(seed), envelope_sizes(), []
    for number in range(rounds):
        batch = source.choices(sizes, weights=(8, 3, 1), k=source.choice((1, 1, 1, 2, 3, 4)))
        steps.append(("append", *batch))
        kind = source.randrange(10)
        if kind < 5:
            steps.append(("settle", source.randrange(4)))
        elif kind < 9:
            last = source.randrange(6)
            steps.append(("settle", 40 + source.randrange(20), (last + source.randrange(9), last)))
        elif number % 4 == 0:
            steps.append(("resend", source.randrange(200)))
        if number % 97 == 0:
            steps.append(("day", number // 97 + 1))
    return steps


def record(steps: list, limit: int, begin: bytes) -> tuple[NotingFlash, DataRun]:
    """Plays the steps once."""
    reset_bench()
    run = DataRun(steps, limit)
    flash = NotingFlash(begin, lambda: run.held)
    insert(flash)
    run.open()
    run.play()
    return flash, run


def examine(flash: NotingFlash, run: DataRun, at) -> tuple[int, list]:
    """Looks at the cuts of the operations in `at`: how many were looked at, what is wrong."""
    looked, wrong = 0, []
    for index, torn, left, held in cuts(flash, at):
        looked += 1
        try:
            run.after_cut(left, held, index).goes_on()
        except (AssertionError, KeyError, OSError) as err:
            wrong.append(f"operation {index}, {torn}: {type(err).__name__} {err}")
    return looked, wrong


# all pairs


def pair_scenarios() -> dict[str, tuple[list, int, bytes]]:
    """Two scenarios of some 50 operations: a node's first hours, and one whose outbox is full."""
    a, b, c = envelope_sizes()
    first = [("append", c), ("day", 1), ("append", a), ("settle", 0), ("append", a, b),
             ("settle", 2, (1, 0)), ("append", b), ("resend", 3), ("day", 2), ("append", a),
             ("settle", 1), ("append", a, a)]  # fmt: skip
    reset_bench()
    filling = DataRun([("append", *[c] * 4)] * 20, 2 * 8704)
    flash = NotingFlash(blank(), lambda: ())
    insert(flash)
    filling.open()
    filling.play()
    full = [("append", a), ("settle", 20), ("append", 1400), ("append", b), ("append", a)]
    return {
        "first hours": (first, 2 * 8704, blank(), {}),
        "outbox full": (full, 2 * 8704, flash.image(), filling),
    }


def record_pairs(name: str):
    steps, limit, begin, before = pair_scenarios()[name]
    reset_bench()
    run = DataRun(steps, limit)
    if before:
        run.given = dict(before.given)
        run.held = before.held._replace(step=0, kept_s=0)
    flash = NotingFlash(begin, lambda: run.held)
    insert(flash)
    run.open()
    run.play()
    return flash, run


def examine_pairs(flash: NotingFlash, run: DataRun, at, step: int = 1) -> tuple[int, list]:
    """For each cut of `at`: goes on to the end of the scenario, with a cut at each `step`-th
    operation of that as well."""
    looked, wrong = 0, []
    for index, torn, left, held in cuts(flash, at):
        try:
            second = NotingFlash(left.image(), lambda held=held: held)
            again = run.after_cut(second, held, index)
            second.knows = lambda again=again: again.held
            again.play()
        except (AssertionError, KeyError, OSError) as err:
            wrong.append(f"operation {index}, {torn}: {type(err).__name__} {err}")
            continue
        more, bad = examine(second, again, range(index % step, len(second.noted) + 1, step))
        looked += more
        wrong += [f"operation {index}, {torn}, then {line}" for line in bad]
    return looked, wrong


# the whole


def _work(job) -> tuple[int, list]:
    kind, argument, at = job
    if kind == "pairs":
        return examine_pairs(*record_pairs(argument), at)
    return examine(*record(history(), argument, blank()), at)


def _all_of(name: str, kind: str, argument, operations: int, piece: int) -> tuple[int, list]:
    """Looks at all operations in pieces, on all cores."""
    jobs = [
        (kind, argument, range(first, min(first + piece, operations + 1)))
        for first in range(0, operations + 1, piece)
    ]
    looked, wrong, began = 0, [], time.monotonic()
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for done, (more, bad) in enumerate(pool.imap_unordered(_work, jobs), 1):
            looked += more
            wrong += bad
            spent = time.monotonic() - began
            print(
                f"\rcuts: {name}: {done} of {len(jobs)} parts, {looked} images, "
                f"{len(wrong)} wrong, {spent:.0f} s ",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip
    print(file=sys.stderr)
    return looked, wrong


def run() -> dict:
    figures, results = [], {}
    for name, limit in LIMITS.items():
        operations = len(record(history(), limit, blank())[0].noted)
        looked, wrong = _all_of(name, "history", limit, operations, 500)
        figures.append({
            "figure": f"cut at every operation of {ROUNDS} rounds, {name}",
            "measured": f"{operations} operations × {_TORN}: {len(wrong)} wrong",
            "wanted": "0",
            "met": not wrong,
        })  # fmt: skip
        results[name] = {"operations": operations, "images": looked, "wrong": wrong[:20]}
    for name in pair_scenarios():
        operations = len(record_pairs(name)[0].noted)
        looked, wrong = _all_of(f"pairs, {name}", "pairs", name, operations, 2)
        figures.append({
            "figure": f"all pairs of cuts, {name}, {operations} operations",
            "measured": f"{looked} images, {len(wrong)} wrong",
            "wanted": "0",
            "met": not wrong,
        })  # fmt: skip
        results["pairs, " + name] = {
            "operations": operations,
            "images": looked,
            "wrong": wrong[:20],
        }
    return {"results": results, "figures": figures}


if __name__ == "__main__":
    report = run()
    print(json.dumps(report, indent=1))
    sys.exit(not all(figure["met"] for figure in report["figures"]))
