# SPDX-License-Identifier: MIT
"""30 simulated days of the air node in a heap of 128 KiB, as .mpy on 32-bit MicroPython, while its
links fail: `python -m tests.soak.month [DAYS]`.

At each full hour the node's connection is cut with a probability of 5 %, at a random moment of
that hour, so that what is on its way is lost; half of the time while windows are being sent. Once
a day, at a random hour, the broker is killed: it forgets all sessions and messages, and comes back
5 to 20 minutes later.
"""

import json
import random
import statistics
import sys

from simulator.city_run import CityRun, Plan, choose_kits

HEAP = "128k"
CUT_PERCENT = 5
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_PATIENCE_S, _BLOCKED_PATIENCE_S = 2.0, 0.05


class Month:
    """The faults of one run, and what is seen of the node. broker: as in Plan."""

    def __init__(self, days: int, cut_percent: int = CUT_PERCENT, restarts_a_day: int = 1,
                 seed: int = 1, broker: str = "embedded", interpreter: str = "micropython",
                 show=lambda text: None):  # fmt: skip
        plan = Plan(
            kits=choose_kits(["air"], None), for_s=days * 86_400, seed=seed, broker=broker,
            interpreter=interpreter, heap=HEAP,
        )  # fmt: skip
        self.days = days
        self.cuts = self.restarts = self.memory_errors = 0
        self.heaps = []  # (simulated ms, bytes in use after a collection)
        self._show = show
        self._random = random.Random(seed)
        self._city = CityRun(plan)
        self._faults = self._draw(cut_percent, restarts_a_day)

    def _draw(self, cut_percent: int, restarts_a_day: int) -> list:
        """[(simulated ms, what)], rising."""
        faults = []
        for hour in range(self.days * 24):
            if self._random.randrange(100) < cut_percent:
                at_ms = self._random.randrange(_HOUR_MS)
                if self._random.random() < 0.5:  # some ms after a window has closed
                    at_ms = at_ms // 300_000 * 300_000 + self._random.randrange(200)
                faults.append((hour * _HOUR_MS + at_ms, "cut"))
        for day in range(self.days):
            for part in range(restarts_a_day):
                at_ms = (part + self._random.random()) * (_DAY_MS - _HOUR_MS) / restarts_a_day
                at_ms = day * _DAY_MS + int(at_ms)
                faults.append((at_ms, "down"))
                faults.append((at_ms + self._random.randrange(300_000, 1_200_000), "up"))
        return sorted(faults)

    def run(self) -> dict:
        """The account of the run, with `complete`."""
        with self._city as city:
            city.start()
            city.nodes[0].on_line = self._hear
            while self._faults and self._faults[0][0] < city.plan.for_s * 1000:
                at_ms, what = self._faults.pop(0)
                if not self._until(at_ms):
                    break
                self._play(what)
            self._play("up")
            whole = city.run(self._look)
            account = city.account()
            account["complete"] = whole and city.complete(account)
            account["trouble"] = None if account["complete"] else city.trouble()[0]
            return account

    def _hear(self, line: str):
        self.memory_errors += "MemoryError" in line

    def _until(self, at_ms: int) -> bool:
        return self._city.conductor.run(at_ms, self._look)

    def _play(self, what: str):
        city, services = self._city, self._city.services
        if what == "cut":
            self.cuts += 1
            services.access_point.cut(city.nodes[0].node_id)
        elif what == "down" and not self._is_down():
            self.restarts += 1
            services.stop_broker(kill=True)
            city.conductor.patience_s = _BLOCKED_PATIENCE_S
        elif what == "up" and self._is_down():
            services.start_broker()
            city.conductor.patience_s = _PATIENCE_S

    def _is_down(self) -> bool:
        return self._city.conductor.patience_s == _BLOCKED_PATIENCE_S

    def _look(self):
        conductor, node = self._city.conductor, self._city.nodes[0]
        self.heaps.append((conductor.now_ms, node.heap_last or 0))
        if conductor.now_ms % _DAY_MS == 0:
            counts = f"{node.status['newest']} envelopes, {node.status['waiting']} waiting"
            faults = f"{self.cuts} cuts, {self.restarts} restarts"
            day = conductor.now_ms // _DAY_MS
            self._show(f"day {day}: {counts}, {faults}, heap {node.heap_last}")

    # what the heap did

    def of_day(self, day: int) -> list[int]:
        """All heaps of a day, counted from 0."""
        return [heap for at_ms, heap in self.heaps if at_ms // _DAY_MS == day and heap]

    def slope(self, from_day: int) -> float:
        """Bytes a day, of the days' medians from `from_day` on."""
        medians = [statistics.median(self.of_day(day)) for day in range(from_day, self.days)]
        return statistics.linear_regression(range(len(medians)), medians).slope


def run(tell, days: int = 30) -> dict:
    month = Month(days, show=tell)
    account = month.run()
    after_days = min(5, days // 2)
    slope = month.slope(after_days)
    first = statistics.median(month.of_day(after_days))
    last = statistics.median(month.of_day(days - 1))
    trouble = account["trouble"] or ""
    return {
        "account": account,
        "peak_bytes": max(heap for _, heap in month.heaps),
        "daily_medians": [statistics.median(month.of_day(day)) for day in range(days)],
        "figures": [
            {"figure": f"{days} days, {month.cuts} cuts, {month.restarts} restarts: lost",
             "measured": "0" if account["complete"] else f"{account['lost']}, {trouble}",
             "wanted": "0", "met": account["complete"] and account["lost"] == 0},
            {"figure": f"MemoryError in {HEAP}", "measured": str(month.memory_errors),
             "wanted": "0", "met": not month.memory_errors},
            {"figure": f"heap trend from day {after_days} on",
             "measured": f"{slope:.1f} bytes a day", "wanted": "≤ 16 bytes a day",
             "met": slope <= 16},
            {"figure": f"heap, day {after_days} and day {days - 1}",
             "measured": f"{first:.0f} and {last:.0f} bytes", "wanted": "≤ 1 % apart",
             "met": last <= first * 1.01},
        ],
    }  # fmt: skip


if __name__ == "__main__":
    report = run(lambda text: print(text, file=sys.stderr, flush=True), *map(int, sys.argv[1:2]))
    print(json.dumps(report, indent=1))
