# SPDX-License-Identifier: MIT
"""The node's keys in NVS, and with them what must not be parted from them.

The seal, its epoch, the highest policy version and what waits to be mixed into seals to come
(mixes.py) are one blob, so that no power cut can part them, under one of two names, so that
none can lose it (kept.py). One write steps the seal and forgets what is mixed in. A stock ESP32
may erase NVS at start-up: without its blob the node seals nothing, and goes on to deliver what is
sealed already.
"""

import esp32

from node import forget
from node.device.kept import Kept, read_blob
from node.errors import CommandError

NAMESPACE = "lamppost"
_KEY_BYTES = 32
_MIX_BYTES, _MIXES_MAX = 36, 4  # as mixes.py has them


class Keys:
    """epoch, policy_version, seal, mixes: of the one blob; receipt, command: 32 bytes each. A key
    that is not there is None. mix_refused: why one was last, since the power-up (mixes.py)."""

    mix_refused = 0
    is_masking = False  # whether masks are made (pipeline/masked.py): few nodes do
    starts = False  # the first tree of a masked stream came, so that they are to be made

    def __init__(self):
        self.nvs = esp32.NVS(NAMESPACE)
        self.epoch = self.policy_version = 0
        self.seal = None
        self.mixes = b""
        self._kept = Kept(self.nvs, "seal", 8 + _KEY_BYTES, _MIX_BYTES, _MIXES_MAX)
        blob = self._kept.value
        if blob is not None:
            self.epoch = int.from_bytes(blob[:4], "big")
            self.policy_version = int.from_bytes(blob[4:8], "big")
            self.seal, self.mixes = blob[8 : 8 + _KEY_BYTES], blob[8 + _KEY_BYTES :]
        self.receipt = read_blob(self.nvs, "receipt", _KEY_BYTES)
        self.command = read_blob(self.nvs, "command", _KEY_BYTES)
        self._commanded = Kept(self.nvs, "commanded", 4)
        self.commanded = int.from_bytes(self._commanded.value or b"", "big")
        self.stepped = True  # an earlier seal may lie in the partition: see nvs_scrub.py

    def missing(self) -> list:
        """The names of the keys that are not there."""
        named = (("seal", self.seal), ("receipt", self.receipt), ("command", self.command))
        return [name for name, key in named if key is None]

    def keep(self, epoch: int, version: int, seal: bytes, mixes: bytes):
        """Replaces the blob."""
        self._kept.keep(epoch.to_bytes(4, "big") + version.to_bytes(4, "big") + seal + mixes)
        self.epoch, self.policy_version, self.seal, self.mixes = epoch, version, seal, mixes

    def step_to(self, epoch: int):
        """Moves the seal on to `epoch`, mixes in what waits for an epoch up to that, and forgets
        both; earlier epochs are ignored."""
        if self.seal is None or epoch <= self.epoch:
            return
        self._rarely("step", epoch)
        self.stepped = True

    def take(self, verb: str, number: int, arguments: list):
        """Carries out the command "mix" or "mask"; CommandError, KeyMissing, OSError,
        MemoryError."""
        self._rarely(verb, number, arguments)

    def _rarely(self, verb: str, *arguments):
        """What is done once a day or less is read for it, and forgotten."""
        try:
            from node.device import mixes

            getattr(mixes, verb)(self, *arguments)
        finally:
            forget("device", "mixes")

    def masks(self):
        """The trees of masked streams."""
        from node.device.mask_keys import MaskKeys  # few nodes have any

        return MaskKeys(self.nvs)

    def note_policy(self, version: int):
        """Notes the version of a policy that is accepted; a lower one than before is ignored."""
        if self.seal is not None and version > self.policy_version:
            self.keep(self.epoch, version, self.seal, self.mixes)

    def use_command(self, number: int):
        """Notes a command's number before it is carried out. CommandError when it is not higher
        than all before: a command works once."""
        if number <= self.commanded:
            raise CommandError("came before")
        self._commanded.keep(number.to_bytes(4, "big"))
        self.commanded = number
