# SPDX-License-Identifier: MIT
"""A fleet whose broker was away for an hour and comes back: when do the nodes try again?

1,000 real Node objects on one virtual clock; beside the node only what it asks is played: Wi-Fi
that stands, a broker that refuses or takes every connection, a receipt one second after it. The
same fleet without jitter runs beside it, for comparison.
"""

import collections
import contextlib
import heapq
import io
import random
import types

from node.cycle import Node
from node.errors import LinkError
from node.pipeline.health import HEALTH
from node.pipeline.minimise import Minimiser
from node.policy.rules import Policy
from tests.host_tools.reference_policy import policy, stream

NODES = 1000
AWAY_S = 3600
WATCH_S = 900  # after the return
SEED = 1
PEAK_TIMES_MEAN = 5
_RECEIPT_MS = 1000
_POLICY, _ = policy(stream(1, "co2_ppm", 300, ["mean"], 1, 350, 5000))


class Broker:
    """There, or not; notes each attempt: (ms, whether it was taken)."""

    def __init__(self):
        self.up = True
        self.attempts = []


class _Clock:
    """The fleet's one clock, as each node's uptime; it sends a first envelope, and no more."""

    confirmed_s, steps = 1, 1

    def __init__(self):
        self.now_ms = 0

    def uptime_ms(self):
        return self.now_ms

    def utc_ms(self):
        return 1_800_000_000_000 + self.now_ms

    def offset_ms(self):
        return 0  # no window closes: it is not what is measured

    def is_held(self):
        return True


class _Link:
    def __init__(self, broker, clock):
        self._broker, self._clock = broker, clock
        self.connected = False
        self.serial, self.turn = 0, None
        self.since_ms = 0

    def connect(self):
        self._broker.attempts.append((self._clock.now_ms, self._broker.up))
        if not self._broker.up:
            raise LinkError("network", 111)
        self.connected, self.since_ms = True, self._clock.now_ms

    def close(self):
        self.connected = False

    def poll(self, timeout_ms):
        if not self._broker.up:
            raise LinkError("closed")

    def tick(self):
        self.poll(0)


class _Publisher:
    """Counts one receipt for each connection, a second after it was made."""

    def __init__(self, link, clock):
        self._link, self._clock = link, clock
        self._counted_ms = None
        self.receipts = 0

    def on_connect(self):
        pass

    def step(self, now_ms):
        since_ms = self._link.since_ms
        if now_ms - since_ms >= _RECEIPT_MS and since_ms != self._counted_ms:
            self._counted_ms = since_ms
            self.receipts += 1


def _node(broker, clock, random_below) -> Node:
    link = _Link(broker, clock)
    nothing = types.SimpleNamespace
    boots = nothing(is_safe=lambda: False, reached=lambda: None, power=0, watchdog=0, other=0,
                    unreached=0, formats=0)  # fmt: skip
    return Node(
        clock=clock,
        wifi=nothing(step=lambda now_ms: True),
        time_sync=nothing(step=lambda now_ms: None, waiting=lambda: False),
        link=link,
        sensors=[],
        minimiser=Minimiser(Policy(_POLICY), {"co2_ppm": 30}),
        sealer=None,
        outbox=nothing(waiting=lambda: 0, next_number=1),
        append=None,
        publisher=_Publisher(link, clock),
        watchdog=nothing(feed=lambda: None),
        keys=nothing(stepped=False, starts=False, mix_refused=0),
        make_scrub=None,  # no key has stepped
        boots=boots,
        renewal=nothing(is_due=lambda now_s: False, needs_start=lambda: False, refused=0),
        quantities=list(HEALTH),
        random_below=random_below,
    )


def fleet(nodes: int, away_s: int, watch_s: int, random_below) -> dict:
    """Plays the outage; attempts in each second after the return, and when the nodes were back."""
    clock, broker = _Clock(), Broker()
    made = [_node(broker, clock, random_below) for _ in range(nodes)]
    # All in step, as sampling at whole UTC half-minutes makes them: the worst that can be.
    due = [(0, index) for index in range(nodes)]
    away_ms, back_ms = 120_000, 120_000 + away_s * 1000
    with contextlib.redirect_stdout(io.StringIO()):  # what the nodes say
        while due[0][0] < back_ms + watch_s * 1000:
            clock.now_ms, index = heapq.heappop(due)
            broker.up = not away_ms <= clock.now_ms < back_ms
            heapq.heappush(due, (clock.now_ms + made[index].step(), index))
    away = [at for at, taken in broker.attempts if away_ms <= at < back_ms]
    taken = sorted(at - back_ms for at, taken in broker.attempts if taken and at >= back_ms)
    per_s = collections.Counter(at // 1000 for at in taken)
    return {
        "attempts_while_away": len(away),
        "attempts_per_s_while_away": round(len(away) / away_s, 2),
        "peak_per_s_while_away": max(collections.Counter(at // 1000 for at in away).values()),
        "back": len(taken),
        "peak_per_s": max(per_s.values()),
        "mean_per_s": round(len(taken) / (taken[-1] / 1000 + 1), 2),
        "back_after_s": {
            str(share): round(taken[-(-nodes * share // 100) - 1] / 1000, 1)
            for share in (50, 90, 100)
            if len(taken) * 100 >= nodes * share
        },
        "per_10_s": [sum(per_s[at + i] for i in range(10)) for at in range(0, 310, 10)],
    }


def run() -> dict:
    """Of the fleet with jitter, as the firmware has it, and of one without."""
    chance = random.Random(SEED)
    jitter = fleet(NODES, AWAY_S, WATCH_S, chance.randrange)
    without = fleet(NODES, AWAY_S, WATCH_S, lambda limit: limit - 1)
    back, times = jitter["back_after_s"], jitter["peak_per_s"] / jitter["mean_per_s"]
    return {
        "nodes": NODES,
        "away_s": AWAY_S,
        "jitter": jitter,
        "without_jitter": without,
        "figures": [
            {
                "figure": f"{NODES} nodes back after {AWAY_S // 60} min, attempts per second",
                "measured": f"peak {jitter['peak_per_s']}, mean {jitter['mean_per_s']} "
                f"= {times:.1f} × (without jitter: peak {without['peak_per_s']})",
                "wanted": f"peak ≤ {PEAK_TIMES_MEAN} × mean",
                "met": times <= PEAK_TIMES_MEAN,
            },
            {
                "figure": "50, 90, 100 % are back after",
                "measured": ", ".join(f"{back.get(share)} s" for share in ("50", "90", "100")),
                "wanted": "all within the 300 s of the longest pause",
                "met": back.get("100", 1e9) <= 360,
            },
            {
                "figure": "attempts per second while it is away",
                "measured": f"peak {jitter['peak_per_s_while_away']}, "
                f"mean {jitter['attempts_per_s_while_away']}",
            },
        ],
    }
