# SPDX-License-Identifier: MIT
"""The trees of masked streams in NVS. Few nodes have any: keys.py imports it when asked for.

Each tree is one blob, epoch ‖ tree, kept as the seal is (kept.py), under a name that begins with
"mask", by which nvs_scrub.py finds what is left of it. Which numbers there are is a blob of 256
bits: it only grows, and names a tree before the tree is written, so that no tree is overlooked
when an epoch ends.
"""

from node.crypto.mask import SEED_BYTES, TREE_BYTES, decode, from_root
from node.device.kept import Kept
from node.errors import CommandError, KeyMissing

_EPOCH = 4  # bytes
_NUMBERS = 32
_DAY_MINUTES = 1440


class MaskKeys:
    """nvs: the node's namespace."""

    def __init__(self, nvs):
        self._nvs = nvs

    def numbers(self) -> list:
        """The streams that have a tree, or may have had one; from NVS each time."""
        bits = int.from_bytes(self._kept_numbers().value or b"", "big")
        return [number for number in range(1, 256) if bits >> number & 1]

    def _kept_numbers(self):
        return Kept(self._nvs, "trees", _NUMBERS)

    def _kept(self, number: int):
        return Kept(self._nvs, "mask%03d" % number, _EPOCH + TREE_BYTES)

    def tree(self, number: int):
        """The tree of a stream, from NVS each time: what is done to it changes nothing there.
        KeyMissing when there is none."""
        blob = self._kept(number).value
        if blob is None:
            raise KeyMissing("mask")
        return decode(blob[_EPOCH:])

    def has(self, number: int) -> bool:
        try:
            self.tree(number)
        except KeyMissing:
            return False
        return True

    def step_to(self, epoch: int, starts: dict) -> bool:
        """Moves each tree that is of an earlier epoch to its stream's leaf in `starts`, or to the
        epoch's first, and forgets what lies before; whether there was one. A power cut leaves some
        behind, for the next call."""
        stepped = False
        for number in self.numbers():
            kept = self._kept(number)
            if kept.value is None or int.from_bytes(kept.value[:_EPOCH], "big") >= epoch:
                continue
            try:
                tree = decode(kept.value[_EPOCH:])
                tree.move_to(max(tree.index, starts.get(number, epoch * _DAY_MINUTES)))
                data = tree.encode()
            except KeyMissing:  # its last leaf has passed, or it is none
                data = b"\xff" * TREE_BYTES
            kept.keep(epoch.to_bytes(_EPOCH, "big") + data)
            stepped = True
        return stepped

    def take(self, arguments: list, epoch: int):
        """Keeps the tree of [stream, root], from the epoch's first leaf on. CommandError when it
        is none, or the stream has one: its leaves may have served."""
        if [type(argument) for argument in arguments] != [int, bytes]:
            raise CommandError("not the root of a tree")
        number, root = arguments
        if not 0 < number < 256 or len(root) != SEED_BYTES or self.has(number):
            raise CommandError("not the root of a tree that is wanted")
        tree = from_root(root)
        tree.move_to(epoch * _DAY_MINUTES)
        numbers = self._kept_numbers()
        bits = int.from_bytes(numbers.value or b"", "big") | 1 << number
        numbers.keep(bits.to_bytes(_NUMBERS, "big"))
        self._kept(number).keep(epoch.to_bytes(_EPOCH, "big") + tree.encode())
