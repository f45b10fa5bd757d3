# SPDX-License-Identifier: MIT
"""What a token takes of one core, for the largest population: one range, wherever it lies, and a
day's curve. Beside them, in the same run, the AES-CCM calls alone that a range needs at most; and
what the rules take when the ledger knows many answers. All of it time of the processor, so that
what else the machine does counts little."""

import os
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools.controller.documents import NODES_MAX
from host_tools.controller.mask_tree import LEAF_S, LEAVES, LEVELS, pads
from tests.host_tools.controller_fixture import DAY, DAY0, START, Office, ask_for

ELEMENTS = 2  # count and sum
WITHIN_S = 1.0  # for any range
ROUNDS = 3
_MIDDLE = START + LEAVES // 2 * LEAF_S
RANGES = {  # the last has no part of its two paths in common
    "a quarter of an hour": (_MIDDLE + 9 * DAY, _MIDDLE + 9 * DAY + 900),
    "a month": (_MIDDLE + 9 * DAY, _MIDDLE + 39 * DAY),
    "from one half of the tree to the other": (_MIDDLE - 900, _MIDDLE + 12_345 * LEAF_S),
}
ANSWERED = 20  # months of quarters of an hour, each of another population


def run() -> dict:
    trees = [(DAY0, os.urandom(16)) for _ in range(NODES_MAX)]
    apart = [(DAY0 - number % 366, root) for number, (_, root) in enumerate(trees)]
    times = {f"{name}, {NODES_MAX:,} nodes": _best(trees, [span]) for name, span in RANGES.items()}
    times["the same, of 366 first days"] = _best(apart, [RANGES[list(RANGES)[-1]]])
    calls_s = _calls(trees)
    figures = [
        {"figure": name, "measured": f"{spent:.2f} s ({spent / calls_s:.2f} × the calls alone)",
         "wanted": f"≤ {WITHIN_S:.0f} s", "met": spent <= WITHIN_S}
        for name, spent in times.items()
    ]  # fmt: skip
    curve = [(START + at, START + at + 900) for at in range(0, DAY, 900)]
    curve_s = _best(trees, curve, 1)
    judged_s, rows = _judged()
    figures += [
        {"figure": "96 ranges of one day", "measured": f"{curve_s:.1f} s"},
        {"figure": f"rules, beside {rows:,} answered ranges", "measured": f"{judged_s:.2f} s"},
    ]
    return {
        "nodes": NODES_MAX, "calls_alone_s": calls_s, "times_s": times, "curve_s": curve_s,
        "judged_s": judged_s, "answered": rows, "figures": figures,
    }  # fmt: skip


def _best(trees, spans, rounds: int = ROUNDS) -> float:
    found = []
    for _ in range(rounds):
        began = time.process_time()
        pads(trees, spans, ELEMENTS)
        found.append(time.process_time() - began)
    return min(found)


def _calls(trees) -> float:
    """Two whole paths and their leaves, of as many nodes."""
    nonce, zeros = bytes(13), bytes(32)
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(2 * (LEVELS + 1)):
            for _, root in trees:
                AESCCM(root).encrypt(nonce, zeros, None)
        found.append(time.process_time() - began)
    return min(found)


def _judged() -> tuple[float, int]:
    """Time of the rules for a range of many nodes, and how many ranges were answered before."""
    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder))
        policy = office.allow(noise=None)
        nodes = office.nodes(50 * (ANSWERED + 1), policy)
        controller = office.open()
        month = [(at, at + 1) for at in range(31 * 96)]
        for number in range(ANSWERED):
            some = nodes[50 * number : 50 * number + 50]
            controller.answer(ask_for(some, [policy], *month).encode(), "bench")
        request = ask_for(nodes, [policy], (0, 31 * 96))
        found = []
        controller._pads = lambda *_: found.append(time.process_time()) or ((0, 0),)
        began = time.process_time()
        controller.answer(request.encode(), "bench")
        return found[0] - began, ANSWERED * len(month)
