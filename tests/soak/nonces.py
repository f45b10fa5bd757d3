# SPDX-License-Identifier: MIT
"""No key and nonce twice: `python -m tests.soak.nonces`.

With a good random source everything may happen, in any order, and no pair may come twice. With a
dead source each kind of trouble is played by itself, to say which of them the counters in the
series still stand.
"""

import json
import sys
import time

from simulator.hal.on_cpython import os as flash_os
from tests.soak.data_run import reset_bench
from tests.soak.nonce_world import World

CUTS = 10_000
DEAD_EVENTS = 1500
_UNTIL_CUT = 30  # events
_ORDINARY = ["seal", "seal", "seal", "seal", "receipt", "step", "cut", "cut", "cut", "clock"]
ALL = [*_ORDINARY, *_ORDINARY, "off", "scrub", "erase", "save", "restore data", "restore nvs",
       "restore both", "damage", "twin", "copy"]  # fmt: skip
# kinds of trouble that a dead source is tried with, and whether pairs may repeat then
DEAD = {
    "cuts, epochs, clock steps": (_ORDINARY, False),
    "restored data": ([*_ORDINARY, "save", "restore data"], False),
    "data made anew": ([*_ORDINARY, "damage"], False),
    "NVS erased, provisioned anew": ([*_ORDINARY, "erase"], False),
    "restored NVS": ([*_ORDINARY, "save", "restore nvs"], False),
    "restored data and NVS": ([*_ORDINARY, "save", "restore both"], True),
    "a second board, new": ([*_ORDINARY, "off", "twin"], True),
    "a second board, a copy": ([*_ORDINARY, "off", "copy"], True),
}


def happen(world: World, event: str):
    """One event, with its details drawn from the world's random numbers."""
    draw = world.random.randrange
    if event == "seal":
        world.seal(1 + draw(4))
    elif event == "receipt":
        world.receipt()
    elif event == "step":
        world.receipt(days=1 + draw(2))
    elif event == "cut":
        world.power_up()
        world.cut_later(1 + draw(25), world.random.choice(("data", "data", "nvs")))
        for _ in range(_UNTIL_CUT):
            if not world.board.is_on:
                break
            world.receipt(days=draw(2)) if draw(3) == 0 else world.seal(1 + draw(4))
    elif event == "clock":
        world.clock_step(world.random.choice((-1, 1)) * draw(10 * 86_400))
    elif event.startswith("restore"):
        world.restore(data=event != "restore nvs", nvs=event != "restore data")
    elif event in ("twin", "copy"):
        world.twin(copied=event == "copy")
    else:
        verbs = {"off": "power_off", "erase": "erase_nvs", "damage": "damage_data"}
        getattr(world, verbs.get(event, event))()


def play(seed: int, source: str, events: list, enough) -> World:
    """Lets random events happen until enough(world, how many)."""
    reset_bench()
    before = flash_os.urandom
    world, count = World(seed, source), 0
    try:
        while not enough(world, count):
            if world.day > 60_000:  # an epoch has 16 bits
                break
            happen(world, world.random.choice(events))
            count += 1
    finally:
        flash_os.urandom = before
    return world


def run(cuts: int = CUTS, dead_events: int = DEAD_EVENTS) -> dict:
    began = time.monotonic()
    events = 0

    def enough(world: World, count: int) -> bool:
        nonlocal events
        events = count
        if count % 100 == 0:
            print(
                f"\rnonces: {count} events, {world.cuts} of {cuts} cuts, {world.sealed} sealed, "
                f"{world.repeated} repeated, {time.monotonic() - began:.0f} s ",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip
        return world.cuts >= cuts

    world = play(1, "good", ALL, enough)
    print(file=sys.stderr)
    figures = [{
        "figure": f"(key, nonce) twice, good source, {world.cuts} cuts in {events} events",
        "measured": f"{world.repeated} of {world.sealed}",
        "wanted": "0",
        "met": not world.repeated and world.cuts >= cuts,
    }]  # fmt: skip
    results = {"good": vars_of(world)}
    for source in ("constant", "repeating"):
        for name, (kinds, may) in DEAD.items():
            print(f"nonces: {source} source, {name}", file=sys.stderr)
            world = play(2, source, kinds, lambda _, count: count >= dead_events)
            results[f"{source}, {name}"] = vars_of(world)
            figure = {
                "figure": f"{source} source: {name}",
                "measured": f"{world.repeated} of {world.sealed}, {world.sent} that may be sent",
            }
            if not may:
                figure.update(wanted="0 that may be sent", met=not world.sent)
            figures.append(figure)
    return {"results": results, "figures": figures}


def vars_of(world: World) -> dict:
    names = ("cuts", "starts", "sealed", "day", "repeated", "sent")
    return {name: getattr(world, name) for name in names}


if __name__ == "__main__":
    report = run()
    print(json.dumps(report, indent=1))
    sys.exit(not all(figure.get("met", True) for figure in report["figures"]))
