# SPDX-License-Identifier: MIT
"""Masked streams by chance: readings of any size and sign, gaps, restarts, writes that fail, days
that end, sums that wrap. Whatever happens, what is masked opens to the true sum, bit for bit.

    Fuzzer(seed).case()      one stream for some windows; counts in its attributes

What takes the masks off goes from the root down by CCM; it shares no line with the tree. The flash
is a LittleFS in RAM; the outbox is a list of what became durable.
"""

import random

from bench_fixture import fresh_bench, write_nvs
from flash_fixture import fresh_flash, mount_again, unmount

from node.crypto import ccm
from node.device import flash_file
from node.device.keys import Keys
from node.pipeline.masked import Masker
from node.pipeline.masked_window import MaskedWindow
from node.policy.rules import DAY_S, Stream

DAY0 = 20_000
MODULUS = 1 << 64
_WINDOWS_S = (60, 300, 900, 3600, 86_400)
_STATISTICS = ("count", "sum", "sum_squares", "histogram")


def below(n: int) -> int:
    return random.getrandbits(30) % n


class Outbox:
    """fails: how many of the next envelopes become durable before an error; None: all."""

    def __init__(self):
        self.log, self.kept, self.fails = b"log1", [], None

    @property
    def next_number(self):
        return len(self.kept) + 1

    def append(self, *envelopes):
        if self.fails is not None:
            self.kept += envelopes[: self.fails]
            raise OSError(5)
        self.kept += envelopes


class Sealer:
    """Gives what it was to seal."""

    def seal(self, log, number, floor, records, instant_s):
        return records

    def use(self, policy):
        pass


class Policy:
    def __init__(self, stream):
        self.streams = [stream]


def pads(root: bytes, leaf: int, count: int) -> list:
    for bit in range(23, -1, -1):
        both = ccm.encrypt(root, bytes(13), bytes(32), b"any")
        root = both[16:32] if leaf >> bit & 1 else both[:16]
    blocks, found = ccm.encrypt(root, bytes(13), bytes(16 * count), b"any"), []
    for at in range(0, 16 * count, 16):
        a, b = [int.from_bytes(blocks[i : i + 8], "big") for i in (at, at + 8)]
        found.append(a ^ b)
    return found


class Fuzzer:
    """seed: the same cases again."""

    def __init__(self, seed: int):
        random.seed(seed)
        self.cases = self.masked = self.gaps = self.restarts = self.failed = 0
        self.days = self.negative = self.wrapped = self.empty = self.silent = 0
        fresh_flash()

    def case(self):
        """A stream, its windows, and all that happens between them."""
        fresh_bench()
        write_nvs(seal=bytes(40))
        if "masked" in flash_file.names("/data"):
            flash_file.remove("/data/masked")
        self._root = random.getrandbits(30).to_bytes(16, "big")
        self._number = 1 + below(255)
        self._keys, self._outbox = Keys(), Outbox()
        self._keys.masks().take([self._number, self._root], 0)
        self._stream = stream = self._make_stream()
        self._masker = self._start()
        self._true = {}  # {slot: what it holds}
        slot = (DAY0 * DAY_S + below(2) * DAY_S) // stream.window_s
        for _ in range(1 + below(6)):
            slot = self._step(slot)
        self._look()
        self.cases += 1

    def _start(self):
        return Masker(self._keys, Sealer(), self._outbox, Policy(self._stream), DAY0)

    def _make_stream(self):
        statistics = ["count"] + [s for s in _STATISTICS[1:] if below(2)]
        size = 1 << (1 + below(62))
        low = -random.getrandbits(30) % size if below(2) else -size
        high = low + 1 + random.getrandbits(30) * random.getrandbits(30) % size
        bins = []
        if "histogram" in statistics:
            span = max(1, min(high - low, 1 << 29))
            edges = sorted(set([low + 1 + below(span) for _ in range(4)]))
            bins = [edge for edge in edges if low < edge <= high]
            if not bins:
                statistics.remove("histogram")
        window_s = _WINDOWS_S[below(len(_WINDOWS_S))]
        resolution = 1 + below(3) * below(1000)
        return Stream([self._number, "q", window_s, statistics, resolution, low, high, 0, None,
                       bins])  # fmt: skip

    def _step(self, slot: int) -> int:
        """Something happens, and then some windows close together."""
        kind = below(8)
        if kind == 0:
            slot += 1 + below(500)
            self.gaps += 1
        elif kind == 1:
            self._keys, self.restarts = Keys(), self.restarts + 1
            self._masker = self._start()
        elif kind == 2:
            self._outbox.fails = below(4)
        elif kind == 3:
            unmount()
        elif kind == 4:
            self._keys.step_to(slot * self._stream.window_s // DAY_S - DAY0)
            self._masker.step()
            self.days += 1
        sealed = []
        for _ in range(1 + below(4)):
            sealed.append(self._close(slot, self._outbox.next_number + len(sealed)))
            slot += 1
        try:
            self._masker.append(*sealed)
        except OSError:
            self.failed += 1
        self._outbox.fails = None
        if kind == 3:
            mount_again()
        return slot

    def _close(self, slot: int, number: int):
        stream = self._stream
        window = MaskedWindow(stream)
        span = stream.high - stream.low
        readings = [stream.low - 5 + random.getrandbits(30) * random.getrandbits(30) % (span + 11)
                    for _ in range(below(5))]  # fmt: skip
        for value in readings:
            window.add(value)
        whole, expected = below(6) > 0, len(readings) + (below(6) == 0)
        record = window.record((slot + 1) * stream.window_s, expected, whole, [])
        counts = whole and expected == len(readings)
        self._true[slot] = self._sums(readings if counts else [])
        self.empty += not counts
        return self._masker.seal(b"log1", number, 1, [record], 0)

    def _sums(self, readings: list) -> list:
        stream, found = self._stream, []
        values = [min(max(value, stream.low), stream.high) for value in readings]
        steps = [(2 * v + stream.resolution) // (2 * stream.resolution) for v in values]
        edges = [stream.low] + list(stream.bins) + [stream.high + 1]
        for statistic in stream.statistics:
            if statistic == "histogram":
                for low, high in zip(edges, edges[1:]):
                    found.append(len([1 for value in values if low <= value < high]))
            else:
                power = ("count", "sum", "sum_squares").index(statistic)
                found.append(sum([step**power for step in steps]))
        return found

    def _look(self):
        """Each mask begins where the last ended; the sum of all opens with the outer pads."""
        end, begin, sums, true = None, None, None, None
        for records in self._outbox.kept:
            ((number, slot, first, c),) = records
            if c is None:
                self.silent += 1
                continue
            assert number == self._number and len(c) == 8 * self._stream.elements()
            assert first == (slot if end is None else end), "overlap or hole"
            begin, end = (first if begin is None else begin), slot + 1
            numbers = [int.from_bytes(c[i : i + 8], "big") for i in range(0, len(c), 8)]
            sums = [a + b for a, b in zip(sums or [0] * len(numbers), numbers)]
            true = [a + b for a, b in zip(true or [0] * len(numbers), self._true[slot])]
            self.masked += 1
        if end is None:
            return
        minutes = self._stream.window_s // 60
        leaves = [at * minutes - DAY0 * 1440 for at in (begin, end)]
        plus, minus = [pads(self._root, leaf, len(sums)) for leaf in leaves]
        for masked, a, b, wanted in zip(sums, plus, minus, true):
            assert (masked - a + b - wanted) % MODULUS == 0, "another sum"
            self.negative += wanted < 0
            self.wrapped += not -(MODULUS >> 1) <= wanted < MODULUS >> 1
