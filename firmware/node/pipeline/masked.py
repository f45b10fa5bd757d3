# SPDX-License-Identifier: MIT
"""Windows of masked streams, and how what they add up is masked before it is sealed. It is
imported when a policy masks a stream, or the node has a tree for one.

A record leaves as [stream, slot, from, c], where c covers the time from `from` to the slot's end:
`from` is the end of what was masked before, so that sums telescope over a gap. A slot is masked
once, ever. Where that cannot be told, or there is no key, it is [stream, slot, null, null], and
nothing of the window leaves. host_tools/controller/README.md has the layout.
"""

import binascii

from node import cbor
from node.crypto.mask import mask
from node.device import flash_file
from node.device.log import say
from node.errors import FormatError, KeyMissing
from node.pipeline.minimise import Window
from node.policy.rules import DAY_S

_FILE = flash_file.DATA + "masked"
_MINUTE_S = 60
_CHECK = 4


class Hidden:
    """What a window has added up, one number per element. No encoding has a form for it: so it
    leaves masked or not at all."""

    def __init__(self, stream, values: list):
        self.stream = stream
        self.values = values


class MaskedWindow(Window):
    """Adds up steps of the stream's resolution, each reading clamped and rounded on its own."""

    def clear(self):
        self.count = self.total = self.squares = 0
        self.bins = [0] * (len(self.stream.bins) + 1)

    def add(self, value: int):
        stream = self.stream
        step = stream.steps("sum", value)
        self.count += 1
        self.total += step
        self.squares += step * step
        self.bins[len([1 for edge in stream.bins if edge <= stream.clamp(value)[0]])] += 1

    def record(self, instant_s: int, expected: int, whole: bool, windows: list) -> list:
        """[number, slot, Hidden]. Of a window that was not watched whole, or has too few samples
        for a sum, all is 0: the mask is given all the same, or sums would have a hole."""
        counts = whole and self.count * 20 >= expected * 19
        values = []
        for statistic in self.stream.statistics:
            if statistic == "histogram":
                values += self.bins
            elif statistic == "count":
                values.append(self.count)
            else:
                values.append(self.total if statistic == "sum" else self.squares)
        hidden = Hidden(self.stream, values if counts else [0] * len(values))
        return self.head(instant_s) + [hidden]


class Masker:
    """keys: the node's; outbox: where envelopes go; day0: the UTC day of leaf 0.

    Where each stream's last mask ends (Unix s) is no secret, but must be true after a power cut:
    it is on flash before the envelope is, with the envelope's number, which tells at the next
    start whether that one became durable.
    """

    def __init__(self, keys, outbox, day0: int):
        self._keys = keys
        self._masks = keys.masks()
        self._outbox = outbox
        self._day0_s = day0 * DAY_S
        self._epoch = None  # to which all trees have moved
        self._is_noted = True  # the flash tells the same, whichever number comes next
        # {stream: its end}, durable, and then after each envelope that is not durable yet
        self._ends = [self._read()]
        self.failed = 0  # records of the last envelope that could not be masked

    def _read(self) -> dict:
        data = flash_file.read(_FILE) or b""
        if data[:_CHECK] != _check(data[_CHECK:]):
            return {}  # there is none, or it is damaged: what comes begins anew
        try:
            log, first, after = cbor.decode(data[_CHECK:])
            last = len(after) - 1
            if log == self._outbox.log:
                durable = max(0, min(last, self._outbox.next_number - first))
                self._is_noted = durable == last
                last = durable
            return {number: end_s for number, end_s in after[last]}
        except (FormatError, ValueError, TypeError):
            return {}

    def _leaf(self, time_s: int) -> int:
        return (time_s - self._day0_s) // _MINUTE_S

    def step(self, streams: list):
        """Moves the trees to the keys' epoch, those of `streams`, which are masked now, no
        further than to the end of their last mask, which the next one begins with."""
        if self._keys.seal is None or self._epoch == self._keys.epoch:
            return
        ends = self._ends[0]
        starts = {n: self._leaf(ends[n]) for n in streams if n in ends}
        try:
            if self._masks.step_to(self._keys.epoch, starts):
                self._keys.stepped = True  # what is left of them in the flash is to go
        except OSError as err:  # the next receipt tries again
            say("masks", err)
            return
        self._epoch = self._keys.epoch

    def add(self, number: int, root: bytes):
        """Takes a tree from the vault; CommandError, KeyMissing."""
        if self._keys.seal is None:
            raise KeyMissing("seal")
        self._masks.add(number, root, self._keys.epoch)

    def mask(self, records: list) -> list:
        """The records of one envelope, as they may leave; call it once for each, in their order.
        """
        ends = dict(self._ends[-1])
        masked, self.failed = [], 0
        for record in records:
            if isinstance(record[-1], Hidden):
                number, slot, hidden = record
                try:
                    record = [number, slot] + self._mask(slot, hidden, ends)
                except KeyMissing:
                    self.failed += 1
                    record = [number, slot, None, None]
            masked.append(record)
        self._ends.append(ends)
        return masked

    def _mask(self, slot: int, hidden: Hidden, ends: dict) -> list:
        """[from, c]; notes the new end."""
        stream = hidden.stream
        window_s = stream.window_s
        start_s = slot * window_s
        from_s = ends.get(stream.number, 0)
        if start_s < from_s:
            raise KeyMissing("mask")  # it was masked, or a gap with it in it was
        tree = self._masks.tree(stream.number)
        if not from_s or from_s % window_s or self._leaf(from_s) < tree.index:
            from_s = start_s
        last = self._leaf(start_s + window_s)
        c = mask(tree, self._leaf(from_s), last, hidden.values)
        ends[stream.number] = start_s + window_s
        return [from_s // window_s, c]

    def keep_first(self, count: int):
        """Only so many of the envelopes were sealed."""
        del self._ends[1 + count :]

    def note(self):
        """Call before the envelopes are appended, as the outbox's next ones. OSError: they must
        not be."""
        ends = self._ends
        if self._is_noted and not [1 for each in ends if each != ends[0]]:
            return
        after = [[[number, each[number]] for number in sorted(each)] for each in ends]
        data = cbor.encode([self._outbox.log, self._outbox.next_number, after])
        flash_file.replace(_FILE, _check(data) + data)

    def settle(self, kept: int):
        """So many of the envelopes are durable; the others never were."""
        self._is_noted = kept == len(self._ends) - 1
        self._ends = [self._ends[kept]]


def _check(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(_CHECK, "big")
