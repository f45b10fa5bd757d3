# SPDX-License-Identifier: MIT
"""The node's keys in NVS, and with them what must not be parted from them.

The seal, its epoch and the highest policy version are one blob, so that no power cut can part
them, under one of two names, so that none can lose it (kept.py). A stock ESP32 may erase NVS at
start-up: without its blob the node seals nothing, and goes on to deliver what is sealed already.
"""

import esp32

from node.crypto.seal_chain import seal_at
from node.device.kept import Kept, read_blob
from node.errors import CommandError

NAMESPACE = "lamppost"
_KEY_BYTES = 32


class Keys:
    """epoch, policy_version, seal: of the one blob; receipt, command: 32 bytes each. A key that is
    not there is None."""

    def __init__(self):
        self._nvs = esp32.NVS(NAMESPACE)
        self.epoch = self.policy_version = 0
        self.seal = None
        self._kept = Kept(self._nvs, "seal", 8 + _KEY_BYTES)
        blob = self._kept.value
        if blob is not None:
            self.epoch = int.from_bytes(blob[:4], "big")
            self.policy_version = int.from_bytes(blob[4:8], "big")
            self.seal = blob[8:]
        self.receipt = read_blob(self._nvs, "receipt", _KEY_BYTES)
        self.command = read_blob(self._nvs, "command", _KEY_BYTES)
        self._commanded = Kept(self._nvs, "commanded", 4)
        self.commanded = int.from_bytes(self._commanded.value or b"", "big")
        self.stepped = True  # an earlier seal may lie in the partition: see nvs_scrub.py
        trees = read_blob(self._nvs, "trees", 32) or read_blob(self._nvs, "trees2", 32)
        self.has_masks = trees is not None

    def missing(self) -> list:
        """The names of the keys that are not there."""
        named = (("seal", self.seal), ("receipt", self.receipt), ("command", self.command))
        return [name for name, key in named if key is None]

    def _keep(self, epoch: int, version: int, seal: bytes):
        self._kept.keep(epoch.to_bytes(4, "big") + version.to_bytes(4, "big") + seal)
        self.epoch, self.policy_version, self.seal = epoch, version, seal

    def step_to(self, epoch: int):
        """Moves the seal on to `epoch` and forgets the one before; earlier epochs are ignored."""
        if self.seal is None or epoch <= self.epoch:
            return
        self._keep(epoch, self.policy_version, seal_at(self.seal, self.epoch, epoch))
        self.stepped = True

    def masks(self):
        """The trees of masked streams. has_masks: whether there are, or were, any."""
        from node.device.mask_keys import MaskKeys  # few nodes have any

        return MaskKeys(self._nvs)

    def note_policy(self, version: int):
        """Notes the version of a policy that is accepted; a lower one than before is ignored."""
        if self.seal is not None and version > self.policy_version:
            self._keep(self.epoch, version, self.seal)

    def use_command(self, number: int):
        """Notes a command's number before it is carried out. CommandError when it is not higher
        than all before: a command works once."""
        if number <= self.commanded:
            raise CommandError("came before")
        self._commanded.keep(number.to_bytes(4, "big"))
        self.commanded = number
