# SPDX-License-Identifier: MIT
"""All attacks on all policies that come with Lamppost, long enough for narrow intervals."""

import os
from pathlib import Path

from host_tools.attacks.built_in import built_in
from host_tools.attacks.questions import ATTACKS
from host_tools.attacks.run import LONG
from host_tools.attacks.run import run as attack

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LAMPPOST_RECORDINGS", ROOT.parent / "shared" / "data"))


def run(tell) -> dict:
    """`figures`: one for each row of the command's table."""
    data = RECORDINGS if RECORDINGS.is_dir() else None
    results = attack(built_in(), tuple(ATTACKS), LONG, 1, data, tell)
    if data is None:
        tell("no recordings: the attack on energy is left out")
    return {
        "results": [result.as_object() for result in results],
        "figures": [_figure(result) for result in results],
    }


def _figure(result) -> dict:
    without = "" if result.without is None else f"without policy {result.without:.3f}, "
    low, high = result.interval
    return {
        "figure": f"{result.policy}: {result.question}",
        "measured": f"{without}with {result.with_policy:.3f} ({low:.3f} to {high:.3f}), "
        f"chance {result.chance:.3f}",
        "wanted": result.wanted,
        "met": result.met,
    }
