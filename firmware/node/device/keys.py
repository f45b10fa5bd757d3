# SPDX-License-Identifier: MIT
"""The node's keys in NVS: the seal with its epoch, the receipt key, the count of boots.

The seal and its epoch are one blob, so that no power cut can part them. A node without its blob
seals nothing: a stock ESP32 may erase NVS at start-up, and a key without its epoch is no key.
"""

import esp32

from node.crypto.seal_chain import seal_at
from node.errors import KeyMissing

_NAMESPACE = "lamppost"
_EPOCH_BYTES = 4
_KEY_BYTES = 32


def count_boot() -> int:
    """Counts one more power-up; returns the number of power-ups so far."""
    nvs = esp32.NVS(_NAMESPACE)
    try:
        boots = nvs.get_i32("boots")
    except OSError:
        boots = 0
    boots = (boots + 1) & 0x7FFFFFFF
    nvs.set_i32("boots", boots)
    nvs.commit()
    return boots


class Keys:
    """Reads the blobs; KeyMissing when one is not there or has another length."""

    def __init__(self):
        self._nvs = esp32.NVS(_NAMESPACE)
        blob = self._blob("seal", _EPOCH_BYTES + _KEY_BYTES)
        self.epoch = int.from_bytes(blob[:_EPOCH_BYTES], "big")
        self.seal = blob[_EPOCH_BYTES:]
        self.receipt = self._blob("receipt", _KEY_BYTES)
        try:
            self.boots = self._nvs.get_i32("boots")
        except OSError:
            self.boots = 0

    def _blob(self, name: str, length: int) -> bytes:
        buffer = bytearray(length)
        try:
            if self._nvs.get_blob(name, buffer) != length:
                raise KeyMissing(name)
        except OSError:
            raise KeyMissing(name)
        return bytes(buffer)

    def step_to(self, epoch: int):
        """Moves the seal on to `epoch` and forgets the one before; earlier epochs are ignored."""
        if epoch <= self.epoch:
            return
        seal = seal_at(self.seal, self.epoch, epoch)
        self._nvs.set_blob("seal", epoch.to_bytes(_EPOCH_BYTES, "big") + seal)
        self._nvs.commit()
        self.epoch, self.seal = epoch, seal
