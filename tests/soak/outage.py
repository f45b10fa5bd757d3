# SPDX-License-Identifier: MIT
"""Eight days without a receipt: `python -m tests.soak.outage`. Past the 7 days that a time without
receipt is trusted, and past what a small outbox holds."""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from tests.soak.watched_city import WatchedCity

HOUR_S, DAY_S = 3600, 86_400
OUTAGE_S = 8 * DAY_S
_OUTBOX_KIB = 256
_BLOCKED_S = 0.02
REACHES = ("nothing", "the time only")


@dataclasses.dataclass
class Outcome:
    """Of envelopes: sealed while it lasted, all numbers that were given, those in the store, those
    that the store says are lost, and windows that could not be kept."""

    during: int
    newest: int
    stored: set
    lost: set
    unsealed: int

    def is_good(self) -> bool:
        """Every window was closed, every gap is stated, and it is the oldest that went."""
        numbers = set(range(1, self.newest + 1))
        one_gap = self.lost == set(range(min(self.lost), max(self.lost) + 1))
        stated = self.stored | self.lost == numbers and not self.stored & self.lost
        return self.during >= OUTAGE_S // 300 and stated and one_gap and not self.unsealed


def play(folder: Path, reach: str) -> Outcome:
    """reach: what the node still reaches, one of REACHES."""
    with WatchedCity(folder, OUTAGE_S + 4 * HOUR_S, outbox_kib=_OUTBOX_KIB) as city:
        city.start()
        city.until(HOUR_S)
        before = city.node.status["newest"]
        if reach == "nothing":
            city.air.up = False
        else:
            city.air.refuse(city.node.node_id)
            city.air.cut(city.node.node_id)
        city.until(HOUR_S + OUTAGE_S, patience_s=_BLOCKED_S)
        during = city.node.status["newest"] - before
        city.air.up = True
        city.air.refuse(city.node.node_id, False)
        city.until(OUTAGE_S + 4 * HOUR_S)
        city.drain()
        lost = set()
        for detail in city.events().get("lost", ()):
            first, _, last = detail.split()[1].partition("–")
            lost |= set(range(int(first), int(last or first) + 1))
        stored = {number for (number,) in city.query("SELECT number FROM envelope")}
        status = city.node.status
        return Outcome(during, status["newest"], stored, lost, status["unsealed"])


def run(tell) -> dict:
    figures = []
    for reach in REACHES:
        tell(f"the node reaches {reach}")
        with tempfile.TemporaryDirectory() as folder:
            outcome = play(Path(folder), reach)
        figures.append({
            "figure": f"8 days without a receipt, reaching {reach}",
            "measured": f"{outcome.during} sealed, {len(outcome.lost)} given up and stated",
            "wanted": "every window sealed, every gap stated",
            "met": outcome.is_good(),
        })  # fmt: skip
    return {"figures": figures}


if __name__ == "__main__":
    print(json.dumps(run(lambda text: print(text, file=sys.stderr, flush=True)), indent=1))
