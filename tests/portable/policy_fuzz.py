# SPDX-License-Identifier: MIT
"""Policies by chance, readings by chance, and a clock that may do anything: the real Minimiser
with the real noise, held against policy_model.py at each step.

case() plays one pair of policy and readings and raises Finding when something leaves that the
policy does not name, or finer, sooner, more often or with less noise than it says; or when the
lengths could tell what was withheld. The policies are those that the language permits
(host_tools/policy/together.py). The same seed makes the same cases on one interpreter.
"""

import random

from policy_fixture import rules
from policy_model import (
    BREAK_S,
    DAY_S,
    HIGH,
    LOW,
    NOISE,
    NUMBER,
    RESOLUTION,
    SAMPLES,
    STATISTICS,
    TOLD,
    WINDOW_S,
    Finding,
    K,
    Model,
    attack,
)  # fmt: skip

from node import cbor
from node.pipeline.minimise import Minimiser, Released
from node.policy import noise
from node.policy.form import STATISTICS as ALL
from node.policy.rules import Policy

DAY = 20_800
COUNTED = ("vehicles", "people_leftward")
MEASURED = ("temperature_mc", "co2_ppm", "uptime_s")
_INTERVALS_S = (20, 60, 60, 300, 1800, 3600)
_TIMES = (1, 1, 2, 3, 4, 6, 8, 12, 24)  # a window's length in intervals
_EPSILONS = ((1, 1), (1, 4), (1, 96), (7, 100), (3, 1), (2, 24))
_LONGEST = (1 << 32) - 1  # of the numbers in front of the records


def below(n: int) -> int:
    return random.getrandbits(30) % n


def chance(n: int) -> bool:
    """Once in n times."""
    return below(n) == 0


class Recorded(noise.Noise):
    """The real source of noise, which notes what it gave."""

    draws = []  # (numerator, denominator, drawn)

    def draw(self, numerator, denominator):
        drawn = noise.discrete_laplace(self.below, numerator, denominator)
        Recorded.draws.append((numerator, denominator, drawn))
        return drawn


def any_streams(interval_s: int) -> list:
    """One to four streams that the language permits beside each other."""
    streams, windows = [], {}
    lengths = [n for n in _TIMES if DAY_S % (n * interval_s) == 0]
    k, is_noisy = {}, {}
    number, quantity = 0, None
    for _ in range(1 + below(4)):
        if quantity is None or below(2):
            quantity = random.choice(MEASURED if chance(3) else COUNTED)
        counted = quantity in COUNTED
        window_s = random.choice(lengths) * interval_s
        used = windows.setdefault(quantity, [])
        if quantity not in k:
            k[quantity] = (0, 2, 5, 10, 10, 30)[below(6)] if counted else 0
            is_noisy[quantity] = chance(3)
        if window_s in used or (len(used) == 2 and k[quantity] and not is_noisy[quantity]):
            continue
        if k[quantity] and [w for w in used if w % window_s and window_s % w]:
            continue
        used.append(window_s)
        number += 1 + below(60)
        streams.append(_any_stream(number, quantity, window_s, k[quantity], is_noisy[quantity]))
    return streams


def _any_stream(number, quantity, window_s, k, is_noisy) -> list:
    statistics = [s for s in ALL if chance(3)]
    if (k or not statistics) and "sum" not in statistics:
        statistics.append("sum")
    if below(2):
        statistics.reverse()
    low, high = 0, (40, 300, 5000)[below(3)]
    if quantity in MEASURED:
        low = (0, -40_000, 17, -9)[below(4)]
        high = low + (0, 30, 5000, 100_000)[below(4)]
    fields = None
    if is_noisy:
        fields = [(1, 3, max(1, high - low))[below(3)]] + list(random.choice(_EPSILONS))
    resolution = (1, 1, 5, 7, 100)[below(5)]
    return [number, quantity, window_s, statistics, resolution, low, high, k, fields]


def parts_and_total(interval_s: int, k: int) -> list:
    """Two streams whose total may often be told beside parts that are withheld."""
    streams = []
    for number, window_s in ((2, interval_s), (7, interval_s * (3, 4, 6, 8)[below(4)])):
        statistics = (["sum"], ["count", "sum"], ["sum", "mean"])[below(3)]
        streams.append([number, COUNTED[0], window_s, statistics, 1, 0, 5000, k, None])
    return streams


def any_days() -> tuple:
    """Mostly all days; or some that begin or end about the time that is played."""
    if below(3):
        return 0, 40_000
    first = DAY - 1 + below(3)
    return first, first + below(2)


class Fuzzer:
    """seed: of the cases. The counters tell what was seen, so that a test can ask for enough."""

    def __init__(self, seed: int):
        random.seed(seed)
        self.cases = self.records = self.values = self.noisy = self.anew = self.twice = 0
        self.withheld = self.told = self.totals = self.hidden_totals = self.renewed = 0
        self.told_totals = 0

    def case(self):
        """Plays one pair of policy and readings."""
        self.cases += 1
        before, noise.Noise = noise.Noise, Recorded
        try:
            self._play()
        finally:
            noise.Noise = before

    def _play(self):
        self._interval_s = interval_s = random.choice(_INTERVALS_S)
        self._intervals_s = {name: interval_s for name in COUNTED + MEASURED if not chance(9)}
        self._model = Model(self._intervals_s)
        self._kept, self._last_s, self._steps = [b""], None, 0
        self._followed = None  # the clock's steps that windows have begun anew for
        self._released, self._rules = set(), None
        now_s = DAY * DAY_S + (0, DAY_S, below(DAY_S // interval_s) * interval_s)[below(3)]
        now_s += -below(6 * interval_s) if chance(2) else -below(4)
        self._level = (1, 4, 12, 40)[below(4)]
        self._present = (100, 97, 90, 60)[below(4)]
        streams = any_streams(interval_s)
        if chance(6):
            self._level, self._present = (2, 5, 10)[below(3)], 100
            streams = parts_and_total(interval_s, self._level)
        self._start(streams, any_days(), now_s)
        for _ in range(30 if chance(9) else 4 + below(9)):
            now_s = self._tick(now_s, interval_s)
        self.withheld += self._model.withheld
        self.told += self._model.released
        self.totals += self._model.totals
        self.told_totals += self._model.told_totals
        self.hidden_totals += self._model.hiding

    def _start(self, streams, days, now_s):
        """The node starts, perhaps after a power cut."""
        self._prepare(streams, days)
        Recorded.draws = []
        released = Released(self._kept[-1], self._last_s, self._kept.append)
        seed = random.getrandbits(30).to_bytes(4, "big") * 8
        self._minimiser = Minimiser(self._policy, self._intervals_s, released, seed)
        self._model.use(streams, days, 0)
        self._steps += 1
        self._follow(now_s)

    def _prepare(self, streams, days):
        """Makes the policy; readings will come of what it names, and of something else."""
        if (streams, days) != self._rules:
            self._rules = streams, days
            self._policy = Policy(rules(*streams, days=days))
            self._lengths = {}  # of what leaves, by the streams that close
        self._quantities = [q for q in COUNTED + MEASURED if [1 for s in streams if q in s]]
        self._quantities.append("pm2_5_ngm3")

    def _tick(self, now_s, interval_s) -> int:
        """Time goes on, or something happens to it; what is due is done as cycle.py does it."""
        now_s += interval_s
        event = below(60)
        if self._last_s is None and self._released and chance(3):
            event = 2  # what left is known from the spans alone
        if event == 0:  # the clock is set
            self._steps += 1
            now_s += (below(24) - 14) * interval_s
        elif event == 1:  # it stands still
            now_s += below(4) * 1800 + below(interval_s)
        elif event == 2:  # a power cut
            self._start(self._rules[0], self._rules[1], now_s)
        elif event == 3:
            now_s += below(interval_s) - interval_s // 2
        self._follow(now_s)
        while self._minimiser.next_instant_s < now_s:
            self._close()
        self._draw_ahead()
        for quantity in self._quantities:
            if self._present == 100 or below(100) < self._present:
                value = self._any_value(quantity)
                self._minimiser.add(quantity, value)
                self._model.add(now_s, quantity, value)
        while self._minimiser.next_instant_s <= now_s:
            self._close()
        return now_s

    def _any_value(self, quantity) -> int:
        some = random.getrandbits(30)
        if quantity in COUNTED:
            return some % (100 if some >> 10 & 15 == 0 else self._level + 1)
        if some >> 12 & 7 == 0:
            return random.choice((-1 << 31, 1 << 31, 0, -40_000, 60_000))
        return some % 2000 - 1000

    def _follow(self, now_s):
        model, due_s = self._model, self._model.next_s
        begun = self._minimiser.follow(now_s, self._steps)
        wanted = self._steps != self._followed or now_s - due_s > BREAK_S
        if begun != wanted:
            raise Finding("windows went on across a break, or began anew without one")
        if begun:
            self._followed = self._steps
            model.begin(now_s)
            self.anew += 1
            if chance(6):
                self._renew(now_s)
        self._check_next()

    def _renew(self, now_s):
        """Another policy takes effect."""
        self.renewed += 1
        streams, days = any_streams(self._interval_s), any_days()
        self._prepare(streams, days)
        self._minimiser.keep_released()
        self._last_s = None  # what was sealed under the policy before does not open
        self._minimiser.use(self._policy, now_s)
        self._model.use(streams, days, now_s)

    def _check_next(self):
        if self._minimiser.next_instant_s != self._model.next_s:
            raise Finding("a window ends sooner or later than it says")

    def _draw_ahead(self):
        """Noise for each window that has none yet, and at no other time."""
        self._no_draws()
        self._minimiser.draw_ahead()
        draws, Recorded.draws = Recorded.draws, []
        for stream in self._model.undrawn():
            sensitivity, numerator, denominator = stream[NOISE]
            mine = []
            for statistic in stream[STATISTICS]:
                if statistic == "count":
                    mine.append(0)
                    continue
                if not draws:
                    raise Finding("noise was not drawn")
                top, bottom, drawn = draws.pop(0)
                if top * numerator != bottom * sensitivity * denominator:
                    raise Finding("noise of another scale than the policy's")
                mine.append(drawn)
                self.noisy += 1
            self._model.note_noise(stream, mine)
        if draws:
            raise Finding("noise was drawn more than once for a window")

    def _no_draws(self):
        if Recorded.draws:
            raise Finding("noise was drawn out of its time")

    def _close(self):
        instant_s = self._minimiser.next_instant_s
        records = self._minimiser.close()
        self._no_draws()
        wanted = self._model.close()
        self._check_next()
        if records:
            self._check(records, instant_s)
        if records == []:
            self.twice += 1
            if chance(4):  # the last of a row too long to look behind after a power cut
                self._last_s = None
        if records != wanted:
            raise Finding("%s left, not %s, under %s" % (records, wanted, self._rules))
        if instant_s % DAY_S == 0 and chance(4):
            self._renew(instant_s)

    def _check(self, records, instant_s):
        """What must hold of all that leaves, whatever the model says."""
        self.records += len(records)
        self._last_s = instant_s  # the outbox's newest envelope tells it
        streams, (first, last) = self._rules
        closing = {s[NUMBER]: s for s in streams if instant_s % s[WINDOW_S] == 0}
        if sorted(closing) != [record[0] for record in records]:
            raise Finding("a record is missing, or is of no window that ends")
        if not first * DAY_S < instant_s <= (last + 1) * DAY_S:
            raise Finding("a record of a day of which the policy tells nothing")
        if instant_s in self._released:
            raise Finding("an instant came twice")
        self._released.add(instant_s)
        for record in records:
            stream = closing[record[0]]
            if (record[1] + 1) * stream[WINDOW_S] != instant_s:
                raise Finding("a slot that does not end now")
            self._check_record(stream, record[2:], instant_s)
        plain = cbor.encode([b"LOG0", _LONGEST, _LONGEST, records])
        names = tuple(closing)
        if names not in self._lengths:
            self._lengths[names] = self._policy.padded_length(instant_s)
        if len(plain) > self._lengths[names]:
            raise Finding("records beyond the length that all have")

    def _check_record(self, stream, values, instant_s):
        if len(values) != len(stream[STATISTICS]):
            raise Finding("a value that the policy does not name")
        for statistic, value in zip(stream[STATISTICS], values):
            if value is None:
                continue
            self.values += 1
            if statistic == "count":
                low, high, resolution = 0, 65_535, 1
            else:
                low, high, resolution = stream[LOW], stream[HIGH], stream[RESOLUTION]
            if not 2 * low - resolution <= 2 * value * resolution <= 2 * high + resolution:
                raise Finding("a value beyond its range")
        if not stream[K] or stream[NOISE] or not [v for v in values if v is not None]:
            return
        true = sum(self._model.values_in(stream, instant_s))
        if true < stream[K]:
            raise Finding("a sum below k")
        hidden = [s for state, s in self._model.parts(stream, instant_s) if state != TOLD]
        if hidden and not attack(hidden, stream[K]):
            raise Finding("a total gives away what was withheld")
        if hidden and [s for s in stream[STATISTICS] if s in SAMPLES]:
            raise Finding("a single reading beside parts that were withheld")
        if [s for s in hidden if s >= stream[K]]:
            raise Finding("a total tells of a part that was not told for another reason")
