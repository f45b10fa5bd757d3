# SPDX-License-Identifier: MIT
"""Masks the records of masked streams before they are sealed. It is imported when the policy has
such a stream, or the node a tree for one, and then stands before the sealer and the outbox.

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
from node.pipeline.masked_window import Hidden
from node.policy.rules import DAY_S

_FILE = flash_file.DATA + "masked"
_MINUTE_S = 60
_CHECK = 4


def _check(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(_CHECK, "big")


class Masker:
    """keys, sealer, outbox: the node's; day0: the UTC day of leaf 0. `unmasked`: how many records
    of the last envelope could not be masked.

    Where each stream's last mask ends (Unix s) is no secret, but must be true after a power cut:
    it is on flash before the envelope is, with the envelope's number, which tells at the next
    start whether that one became durable.
    """

    def __init__(self, keys, sealer, outbox, policy, day0: int):
        self._keys = keys
        self._masks = keys.masks()
        self._sealer = sealer
        self._outbox = outbox
        self._policy = policy
        self._day0_s = day0 * DAY_S
        self._epoch = None  # to which all trees have moved
        self._is_noted = True  # the flash tells the same, whichever number comes next
        # {stream: its end}, durable, and then after each envelope that is not durable yet
        self._ends = [self._read()]
        self.unmasked = 0
        self.step()

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

    def step(self):
        """Moves the trees that are of an earlier epoch to the keys', those of streams that are
        masked now no further than to the end of their last mask, with which the next begins."""
        epoch, ends = self._keys.epoch, self._ends[0]
        if self._keys.seal is None or self._epoch == epoch:
            return
        numbers = [s.number for s in self._policy.streams if s.bins is not None]
        starts = {number: self._leaf(ends[number]) for number in numbers if number in ends}
        try:
            if self._masks.step_to(epoch, starts):
                self._keys.stepped = True  # what is left of them in the flash is to go
            self._epoch = epoch
        except OSError as err:  # the next receipt tries again
            say("masks", err)

    def use(self, policy):
        self._policy = policy
        self._sealer.use(policy)

    def seal(self, log: bytes, number: int, floor: int, records: list, instant_s) -> bytes:
        """As Sealer.seal(), with what is hidden masked. Envelopes that are to be appended together
        have rising numbers; one that could not be sealed leaves its number to the next."""
        del self._ends[1 + number - self._outbox.next_number :]
        ends = dict(self._ends[-1])
        masked, self.unmasked = [], 0
        for record in records:
            if isinstance(record[-1], Hidden):
                record = record[:2] + self._mask(record[1], record[2], ends)
            masked.append(record)
        sealed = self._sealer.seal(log, number, floor, masked, instant_s)
        self._ends.append(ends)
        return sealed

    def _mask(self, slot: int, hidden: Hidden, ends: dict) -> list:
        """[from, c], and `ends` tells the new end; or [None, None]."""
        stream = hidden.stream
        start_s = slot * stream.window_s
        end_s = start_s + stream.window_s
        from_s = ends.get(stream.number, 0)
        try:
            if start_s < from_s:
                raise KeyMissing("mask")  # it was masked, or lies in a gap that was
            tree = self._masks.tree(stream.number)
            if from_s % stream.window_s or self._leaf(from_s) < tree.index:
                from_s = start_s
            c = mask(tree, self._leaf(from_s), self._leaf(end_s), hidden.values)
        except KeyMissing as err:
            say("mask", err)
            self.unmasked += 1
            return [None, None]
        ends[stream.number] = end_s
        return [from_s // stream.window_s, c]

    def append(self, *envelopes):
        """As Outbox.append()."""
        first = self._outbox.next_number
        try:
            self._note(first)
            self._outbox.append(*envelopes)
        finally:  # what is not durable never was
            kept = self._outbox.next_number - first
            self._is_noted = self._is_noted and kept == len(envelopes)
            self._ends = [self._ends[kept]]

    def _note(self, first: int):
        ends = self._ends
        if self._is_noted and not [1 for each in ends if each != ends[0]]:
            return
        self._is_noted = False
        after = [[[number, each[number]] for number in sorted(each)] for each in ends]
        data = cbor.encode([self._outbox.log, first, after])
        flash_file.replace(_FILE, _check(data) + data)
        self._is_noted = True
